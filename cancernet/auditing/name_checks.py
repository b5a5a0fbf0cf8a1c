"""What names, folders and the manifest tell: groups, families, prevalence, confounding."""

import math

import numpy as np

from cancernet.auditing.checks import (
    LEAK,
    OK,
    WARNING,
    Check,
    CheckKind,
    Family,
    Finding,
    Missing,
    Straddling,
    not_checkable,
)
from cancernet.auditing.inventory import NONE, Inventory
from cancernet.config import SPLITS
from cancernet.dataset.find_leaks import families

# A class's share may differ by this much between splits, in points and as a ratio.
SHARE_POINTS, SHARE_RATIO = 0.10, 1.5
# More than this share of the images in groups of a single class gives a warning.
ONE_CLASS_SHARE = 0.5
EXAMPLES = 20


def check_groups(inventory: Inventory) -> Check:
    """Groups (patients, or source images) in more than one split."""
    kind = CheckKind.GROUPS
    if not inventory.has_splits:
        return not_checkable(kind, Missing.SPLITS)
    if not inventory.has_groups:
        return not_checkable(kind, Missing.GROUPS)
    findings = _straddling(inventory, inventory.group, inventory.groups)
    total = len(np.unique(inventory.group[inventory.group != NONE]))
    numbers = {"groups": total, "groups in more than one split": len(findings)}
    return Check(kind, LEAK if findings else OK, findings=findings, numbers=numbers)


def check_families(inventory: Inventory) -> Check:
    """Variants of one image, by their names, in more than one split."""
    kind = CheckKind.FAMILIES
    family, names = families(inventory.paths, inventory.label, inventory.group)
    inside = family != NONE
    numbers = {"families": len(names), "images": int(inside.sum())}
    if not names:
        return Check(kind, OK, numbers=numbers)
    if not inventory.has_splits:
        findings = [
            Finding(Family(name), tuple(np.flatnonzero(family == number)[:2].tolist()))
            for number, name in enumerate(names[:EXAMPLES])
        ]
        return Check(kind, WARNING, findings=findings, numbers=numbers, names=names)
    findings = _straddling(inventory, family, names)
    numbers["families in more than one split"] = len(findings)
    if findings:
        return Check(kind, LEAK, findings=findings, numbers=numbers)
    numbers["copies in validation or testing"] = int((inventory.split[inside] > 0).sum())
    verdict = WARNING if numbers["copies in validation or testing"] else OK
    return Check(kind, verdict, numbers=numbers)


def check_prevalence(inventory: Inventory) -> Check:
    """The share of each class in each split."""
    kind = CheckKind.PREVALENCE
    if not inventory.has_splits:
        return not_checkable(kind, Missing.SPLITS)
    usable = (inventory.split != NONE) & (inventory.label != NONE)
    counts = np.zeros((len(SPLITS), len(inventory.labels)), np.int64)
    np.add.at(counts, (inventory.split[usable], inventory.label[usable]), 1)
    present = np.flatnonzero(counts.sum(axis=1))
    if len(present) < 2:
        return not_checkable(kind, Missing.LABELLED_SPLITS)
    images = counts[present].sum(axis=1)
    shares = counts[present] / images[:, None]
    told = {
        SPLITS[split]: (count, row)
        for split, count, row in zip(
            present.tolist(), images.tolist(), shares.tolist(), strict=True
        )
    }
    if (shares == 0).any():
        return Check(kind, WARNING, shares=told)
    spread = shares.max(axis=0) - shares.min(axis=0)
    ratio = shares.max(axis=0) / shares.min(axis=0)
    # Of two classes the second is the one that people ask for.
    notable = np.where(ratio > SHARE_RATIO, spread, 0)
    worst = int(np.flatnonzero(notable == notable.max())[-1])
    return Check(
        kind,
        WARNING if notable[worst] > SHARE_POINTS else OK,
        numbers={"largest difference": round(float(spread.max()), 4)},
        names=[inventory.labels[worst]],
        shares=told,
    )


def check_confounding(inventory: Inventory) -> Check:
    """Whether knowing the group already tells the class."""
    kind = CheckKind.CONFOUNDING
    if inventory.unit != "patient":
        return not_checkable(kind, Missing.PATIENTS)
    usable = (inventory.group != NONE) & (inventory.label != NONE)
    used = inventory.group[usable]
    if not usable.any() or len(np.unique(inventory.label[usable])) < 2:
        return not_checkable(kind, Missing.LABELLED_GROUPS)
    if len(np.unique(used)) * 2 > len(used):
        return not_checkable(kind, Missing.LARGER_GROUPS)
    counts = np.zeros((len(inventory.groups), len(inventory.labels)), np.int64)
    np.add.at(counts, (used, inventory.label[usable]), 1)
    counts = counts[counts.sum(axis=1) > 0]
    single = (counts > 0).sum(axis=1) == 1
    images = int(counts.sum())
    share = float(counts[single].sum() / images)
    numbers = {
        "groups": len(counts),
        "groups of one class": int(single.sum()),
        "share of images in them": round(share, 4),
        "labelled right by group alone": round(float(counts.max(axis=1).sum() / images), 4),
        "labelled right by the commonest class": round(float(counts.sum(axis=0).max() / images), 4),
        "uncertainty coefficient": round(_uncertainty(counts), 4),
    }
    having = dict(zip(inventory.labels, (counts > 0).sum(axis=0).tolist(), strict=True))
    verdict = WARNING if share > ONE_CLASS_SHARE else OK
    return Check(kind, verdict, numbers=numbers, having=having)


def _uncertainty(counts: np.ndarray) -> float:
    """Theil's uncertainty coefficient: share of the class's entropy that the group explains.

    0 when groups say nothing of the class, 1 when they say all (Theil 1970).
    """
    from scipy.stats import entropy

    whole = float(entropy(counts.sum(axis=0)))
    inside = float(np.average(entropy(counts, axis=1), weights=counts.sum(axis=1)))
    return 1 - inside / whole if whole > 0 else math.nan


def _straddling(inventory: Inventory, group: np.ndarray, names: list[str]) -> list[Finding]:
    """Finds the groups in more than one split; a finding shows the first image of each split."""
    usable = np.flatnonzero((group != NONE) & (inventory.split != NONE))
    key = group[usable].astype(np.int64) * len(SPLITS) + inventory.split[usable]
    _, begins, sizes = np.unique(key, return_index=True, return_counts=True)
    counts = np.zeros((len(names), len(SPLITS)), np.int64)
    first = np.full((len(names), len(SPLITS)), NONE, np.int64)
    counts.reshape(-1)[key[begins]], first.reshape(-1)[key[begins]] = sizes, usable[begins]
    findings = []
    for number in np.flatnonzero((counts > 0).sum(axis=1) > 1).tolist():
        places = first[number][counts[number] > 0]
        fault = Straddling(names[number], counts[number].tolist())
        findings.append(Finding(fault, tuple(places.tolist())))
    return findings
