"""What the pixels tell: duplicates, two labels, masks, unreadable files, and other stains."""

from collections.abc import Sequence

import numpy as np

from cancernet.auditing.checks import (
    LEAK,
    OK,
    WARNING,
    Check,
    CheckKind,
    Colour,
    Copies,
    Finding,
    MaskBy,
    Missing,
    Outlier,
    Unreadable,
    not_checkable,
)
from cancernet.auditing.inventory import NONE, Inventory
from cancernet.dataset.images import first_alike
from cancernet.lookalike.near_duplicates import Pair
from cancernet.lookalike.pictures import Pictures

# Above this modified z score a value is an outlier (Iglewicz & Hoaglin 1993).
APART = 3.5
MAD_TO_SIGMA = 1.4826  # of a normal distribution
FEWEST_GROUPS = 8
FEWEST_IMAGES = 5
# Smaller differences do not count, however alike the others are.
LEAST_DENSITY, LEAST_SPREAD = 0.02, 2.0


def check_readable(inventory: Inventory, pictures: Pictures) -> Check:
    """Files that do not decode."""
    findings = [
        Finding(Unreadable(reason), paths=(inventory.paths[place],))
        for place, reason in sorted(pictures.unreadable.items())
    ]
    return Check(CheckKind.READABLE, WARNING if findings else OK, findings=findings)


def check_identical(inventory: Inventory, pictures: Pictures) -> Check:
    """The same pixels, or the same bytes, under several names."""
    digest, bytes_digest = pictures.table["digest"], pictures.table["file_digest"]
    read = np.flatnonzero(~np.isnan(pictures.table["contrast"]))
    first = np.arange(len(inventory))
    first[read] = read[first_alike(digest[read])] if len(read) else read
    copies = np.flatnonzero(first != np.arange(len(inventory)))
    plain = ~pictures.comparable[copies]
    same_bytes = (bytes_digest[copies] == bytes_digest[first[copies]]).all(axis=1)
    groups: dict[int, list[int]] = {}
    for place in copies[~plain].tolist():
        groups.setdefault(int(first[place]), []).append(place)
    across: list[Finding] = []
    inside: list[Finding] = []
    split = inventory.split
    for begin, others in groups.items():
        straddles = len({int(split[place]) for place in (begin, *others)} - {NONE}) > 1
        elsewhere = (place for place in others if split[place] != split[begin])
        shown = next(elsewhere, others[0]) if straddles else others[0]
        finding = Finding(Copies(len(others) + 1, straddles), (begin, shown))
        (across if straddles else inside).append(finding)
    numbers = {
        "images": len(read),
        "copies": len(copies),
        "copies of the same bytes": int(same_bytes.sum()),
        "copies too plain to tell": int(plain.sum()),
        "groups of copies": len(groups),
        "groups in more than one split": len(across),
    }
    verdict = LEAK if across else WARNING if groups else OK
    return Check(CheckKind.IDENTICAL, verdict, findings=across + inside, numbers=numbers)


def pairs_that_matter(inventory: Inventory) -> np.ndarray:
    """int64 (n,): images of one number need not be compared, for `find_near_duplicates`.

    Between splits a pair leaks, between labels it contradicts; within both it does neither.
    A folder without splits is searched as a whole.
    """
    if not inventory.has_splits:
        return np.arange(len(inventory))
    return inventory.split.astype(np.int64) * (len(inventory.labels) + 1) + inventory.label


def check_near(inventory: Inventory, pictures: Pictures, pairs: Sequence[Pair]) -> Check:
    """One picture, changed, in two splits."""
    changed = [pair for pair in pairs if not pair.identical]
    plain = int((~pictures.comparable).sum()) - len(pictures.unreadable)
    counted, verdict = "pairs", WARNING
    if inventory.has_splits:
        changed = _that_differ(changed, inventory.split)
        counted, verdict = "pairs across splits", LEAK
    return Check(
        CheckKind.NEAR,
        verdict if changed else OK,
        findings=_findings(changed),
        numbers={"too plain to compare": plain, counted: len(changed)},
    )


def check_labels(inventory: Inventory, pairs: Sequence[Pair]) -> Check:
    """One picture with two labels."""
    if len(inventory.labels) < 2:
        return not_checkable(CheckKind.LABELS, Missing.SECOND_LABEL)
    torn = _that_differ(pairs, inventory.label)
    if not torn:
        return Check(CheckKind.LABELS, OK)
    numbers = {"pairs": len(torn), "identical": sum(pair.identical for pair in torn)}
    return Check(CheckKind.LABELS, WARNING, findings=_findings(torn), numbers=numbers)


def check_masks(inventory: Inventory, pictures: Pictures) -> Check:
    """Segmentation masks among the images."""
    drawn = np.flatnonzero(pictures.table["two_toned"]).tolist()
    findings = [Finding(MaskBy.LOOKS, (place,)) for place in drawn]
    findings += [Finding(MaskBy.NAME, paths=(path,)) for path in inventory.masks]
    if not findings:
        return Check(CheckKind.MASKS, OK)
    numbers = {"by name": len(inventory.masks), "by looks": len(drawn)}
    return Check(CheckKind.MASKS, WARNING, findings=findings, numbers=numbers)


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


def _that_differ(pairs: Sequence[Pair], value: np.ndarray) -> list[Pair]:
    """Returns the pairs of images whose values are known and differ."""
    return [
        pair
        for pair in pairs
        if NONE not in (one := value[pair.first], other := value[pair.second]) and one != other
    ]


def _findings(pairs: Sequence[Pair]) -> list[Finding]:
    ordered = sorted(pairs, key=lambda pair: (pair.distance, pair.first, pair.second))
    return [Finding(pair, (pair.first, pair.second)) for pair in ordered]


def _robust_scores(values: np.ndarray) -> np.ndarray:
    """Returns how far each row lies from the median row, in robust standard deviations."""
    middle = np.median(values, axis=0)
    least = np.repeat([LEAST_DENSITY, LEAST_SPREAD], 3)
    deviation = np.maximum(MAD_TO_SIGMA * np.median(np.abs(values - middle), axis=0), least)
    return (values - middle) / deviation
