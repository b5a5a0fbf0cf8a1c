"""Groups whose colours stand apart: another stain, scanner or device."""

import numpy as np

from cancernet.auditing.checks import (
    OK,
    WARNING,
    Check,
    CheckKind,
    Colour,
    Finding,
    Missing,
    Outlier,
    not_checkable,
)
from cancernet.auditing.inventory import NONE, Inventory
from cancernet.lookalike.pictures import Pictures

# From this modified z score on a value is an outlier (Iglewicz & Hoaglin 1993).
APART = 3.5
MAD_TO_SIGMA = 1.4826  # of a normal distribution
FEWEST_GROUPS = 8
FEWEST_IMAGES = 5
# Differences smaller than this are no difference, however alike the others are.
LEAST_DENSITY, LEAST_SPREAD = 0.02, 2.0


def check_stain(inventory: Inventory, pictures: Pictures) -> Check:
    """Robust z scores of every group's colours among all groups.

    The colours of a group are the medians, over its images that are not blank, of the
    optical densities -log10((mean + 1) / 256) of red, green and blue and of their standard
    deviations within an image.
    """
    usable = np.flatnonzero((inventory.group != NONE) & pictures.comparable)
    group = inventory.group[usable]
    sizes = np.bincount(group, minlength=len(inventory.groups))
    large = np.flatnonzero(sizes >= FEWEST_IMAGES)
    if len(large) < FEWEST_GROUPS:
        return not_checkable(CheckKind.STAIN, Missing.MORE_GROUPS, groups=len(large))
    colour = pictures.table["colour"][usable].astype(np.float64)
    colour[:, :3] = -np.log10((colour[:, :3] + 1) / 256)
    order = np.argsort(group, kind="stable")
    begins = np.searchsorted(group[order], np.arange(len(sizes) + 1))
    medians = np.array(
        [np.median(colour[order[begins[g] : begins[g + 1]]], axis=0) for g in large.tolist()]
    )
    scores = _robust_scores(medians)
    worst = np.abs(scores).max(axis=1)
    outliers = np.flatnonzero(worst > APART)
    findings = []
    for place in outliers[np.argsort(-worst[outliers], kind="stable")].tolist():
        number = int(large[place])
        measure = int(np.argmax(np.abs(scores[place])))
        fault = Outlier(
            name=inventory.groups[number],
            images=int(sizes[number]),
            colour=list(Colour)[measure],
            deviations=float(scores[place, measure]),
        )
        findings.append(Finding(fault, (int(usable[order[begins[number]]]),)))
    numbers = {"groups": len(large), "outliers": len(findings)}
    verdict = WARNING if findings else OK
    return Check(CheckKind.STAIN, verdict, findings=findings, numbers=numbers)


def _robust_scores(values: np.ndarray) -> np.ndarray:
    """Returns how far each row lies from the median row, in robust standard deviations."""
    middle = np.median(values, axis=0)
    least = np.repeat([LEAST_DENSITY, LEAST_SPREAD], 3)
    deviation = np.maximum(MAD_TO_SIGMA * np.median(np.abs(values - middle), axis=0), least)
    return (values - middle) / deviation
