"""Groups whose colours stand apart: another stain, scanner or device."""

import numpy as np

from cancernet.auditing.inventory import NONE, Inventory
from cancernet.auditing.verdict import NOT_CHECKABLE, OK, WARNING, Check, Finding
from cancernet.base.words import some
from cancernet.lookalike.pictures import Pictures

# From this modified z score on a value is an outlier (Iglewicz & Hoaglin 1993).
APART = 3.5
MAD_TO_SIGMA = 1.4826  # of a normal distribution
FEWEST_GROUPS = 8
FEWEST_IMAGES = 5
MEASURES = (
    "density of red", "density of green", "density of blue",
    "spread of red", "spread of green", "spread of blue",
)  # fmt: skip
# Differences smaller than this are no difference, however alike the others are.
LEAST_DENSITY, LEAST_SPREAD = 0.02, 2.0


def check_stain(inventory: Inventory, pictures: Pictures) -> Check:
    """Robust z scores of every group's colours among all groups.

    The colours of a group are the medians, over its images that are not blank, of the
    optical densities -log10((mean + 1) / 256) of red, green and blue and of their standard
    deviations within an image.
    """
    name = "stain and scanner alike"
    unit = inventory.unit
    usable = (inventory.group != NONE) & pictures.comparable
    group = inventory.group[usable]
    sizes = np.bincount(group, minlength=len(inventory.groups))
    large = np.flatnonzero(sizes >= FEWEST_IMAGES)
    if len(large) < FEWEST_GROUPS:
        return Check(
            name, NOT_CHECKABLE,
            f"this needs {FEWEST_GROUPS} {unit}s with {FEWEST_IMAGES} images each; there "
            f"{'is' if len(large) == 1 else 'are'} {len(large)}.",
        )  # fmt: skip
    colour = pictures.colour[usable].astype(np.float64)
    colour[:, :3] = -np.log10((colour[:, :3] + 1) / 256)
    order = np.argsort(group, kind="stable")
    begins = np.searchsorted(group[order], np.arange(len(sizes) + 1))
    medians = np.array(
        [np.median(colour[order[begins[g] : begins[g + 1]]], axis=0) for g in large.tolist()]
    )
    middle = np.median(medians, axis=0)
    least = np.repeat([LEAST_DENSITY, LEAST_SPREAD], 3)
    deviation = np.maximum(MAD_TO_SIGMA * np.median(np.abs(medians - middle), axis=0), least)
    scores = (medians - middle) / deviation
    worst = np.abs(scores).max(axis=1)
    outliers = np.flatnonzero(worst > APART)
    outliers = outliers[np.argsort(-worst[outliers], kind="stable")]
    places = np.flatnonzero(usable)
    rows, findings = [], []
    for place in outliers.tolist():
        measure = int(np.argmax(np.abs(scores[place])))
        who, image = inventory.groups[large[place]], int(places[order[begins[large[place]]]])
        side = "above" if scores[place, measure] > 0 else "below"
        words = f"{MEASURES[measure]} {abs(scores[place, measure]):.1f} deviations {side} the rest"
        rows.append([who, inventory.split_name(image), int(sizes[large[place]]), words])
        findings.append(Finding((image,), f"{who}: {words}"))
    numbers = {"groups": len(large), "outliers": len(outliers)}
    if not len(outliers):
        return Check(
            name, OK, f"the colours of the {len(large):,} {unit}s are alike.", numbers=numbers
        )
    names = some([inventory.groups[large[place]] for place in outliers.tolist()])
    differ = "differs" if len(outliers) == 1 else "differ"
    return Check(
        name, WARNING,
        f"{len(outliers):,} of {len(large):,} {unit}s {differ} in colour from the rest ({names}): "
        "check whether a class or a split is theirs alone.",
        findings, numbers, ([unit, "split", "images", "how"], rows),
    )  # fmt: skip
