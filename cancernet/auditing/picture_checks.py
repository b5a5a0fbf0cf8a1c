"""What the pixels tell: duplicates, near duplicates, two labels, masks, unreadable files."""

from collections.abc import Sequence

import numpy as np

from cancernet.auditing.checks import (
    LEAK,
    OK,
    WARNING,
    Check,
    CheckKind,
    Copies,
    Finding,
    MaskBy,
    Missing,
    Unreadable,
    not_checkable,
)
from cancernet.auditing.inventory import NONE, Inventory
from cancernet.dataset.images import first_alike
from cancernet.lookalike.near_duplicates import Pair
from cancernet.lookalike.pictures import Pictures


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
