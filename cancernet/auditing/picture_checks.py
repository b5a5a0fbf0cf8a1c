"""What the pixels tell: duplicates, near duplicates, two labels, masks, unreadable files."""

import numpy as np

from cancernet.auditing.inventory import NONE, Inventory
from cancernet.auditing.verdict import LEAK, NOT_CHECKABLE, OK, WARNING, Check, Finding
from cancernet.base.words import counted
from cancernet.dataset.images import first_alike
from cancernet.lookalike.near_duplicates import IDENTICAL, Pair
from cancernet.lookalike.pictures import Pictures


def check_readable(inventory: Inventory, pictures: Pictures) -> Check:
    """Files that do not decode."""
    name = "every image decodes"
    broken = pictures.unreadable
    if not broken:
        return Check(name, OK, f"all {len(inventory):,} images decode.")
    findings = [
        Finding((), reason, (inventory.paths[place],)) for place, reason in sorted(broken.items())
    ]
    first = inventory.paths[min(broken)]
    return Check(
        name, WARNING,
        f"{counted(len(broken), 'image')} cannot be read, first {first}: {broken[min(broken)]}.",
        findings,
    )  # fmt: skip


def check_identical(inventory: Inventory, pictures: Pictures) -> Check:
    """The same pixels, or the same bytes, under several names."""
    name = "exact duplicates"
    read = np.flatnonzero(~np.isnan(pictures.contrast))
    first = np.arange(len(inventory))
    first[read] = read[first_alike(pictures.digest[read])] if len(read) else read
    copies = np.flatnonzero(first != np.arange(len(inventory)))
    plain = ~pictures.comparable[copies]
    same_bytes = (pictures.file_digest[copies] == pictures.file_digest[first[copies]]).all(axis=1)
    groups: dict[int, list[int]] = {}
    for place in copies[~plain].tolist():
        groups.setdefault(int(first[place]), []).append(place)
    straddling: list[Finding] = []
    inside: list[Finding] = []
    for begin, others in groups.items():
        words = f"{len(others) + 1} images with the same pixels"
        splits = {int(inventory.split[place]) for place in (begin, *others)} - {NONE}
        if len(splits) > 1:
            elsewhere = (p for p in others if inventory.split[p] != inventory.split[begin])
            partner = next(elsewhere, others[0])
            straddling.append(Finding((begin, partner), f"{words}, in more than one split"))
        else:
            inside.append(Finding((begin, others[0]), words))
    findings, across = straddling + inside, len(straddling)
    numbers = {
        "images": len(read),
        "copies": len(copies),
        "copies of the same bytes": int(same_bytes.sum()),
        "copies too plain to tell": int(plain.sum()),
        "groups of copies": len(groups),
        "groups in more than one split": across,
    }
    blank = f"; {int(plain.sum()):,} more are nearly blank, which proves nothing" * bool(
        plain.any()
    )
    if across:
        return Check(
            name, LEAK,
            f"{counted(across, 'image')} {'is' if across == 1 else 'are'} in more than one split "
            f"with identical pixels{blank}.",
            findings, numbers,
        )  # fmt: skip
    if groups:
        many = int((~plain).sum())
        return Check(
            name, WARNING,
            f"{counted(many, 'image')} repeat{'s' if many == 1 else ''} another of the same "
            f"split{blank}." if inventory.has_splits else
            f"{counted(many, 'image')} repeat{'s' if many == 1 else ''} another{blank}.",
            findings, numbers,
        )  # fmt: skip
    return Check(name, OK, f"no two images have the same pixels{blank}.", numbers=numbers)


def pairs_that_matter(inventory: Inventory) -> np.ndarray:
    """int64 (n,): images of one number need not be compared, for `find_near_duplicates`.

    Between splits a pair leaks, between labels it contradicts; within both it does neither.
    A folder without splits is searched as a whole.
    """
    if not inventory.has_splits:
        return np.arange(len(inventory))
    return inventory.split.astype(np.int64) * (len(inventory.labels) + 1) + inventory.label


def check_near(inventory: Inventory, pictures: Pictures, pairs: list[Pair]) -> Check:
    """One picture, changed, in two splits."""
    name = "near duplicates"
    changed = [pair for pair in pairs if pair.change != IDENTICAL]
    plain = int((~pictures.comparable).sum()) - len(pictures.unreadable)
    aside = f" ({plain:,} nearly blank images cannot be compared)" * bool(plain)
    numbers = {"too plain to compare": plain}
    if not inventory.has_splits:
        numbers["pairs"] = len(changed)
        if not changed:
            return Check(name, OK, f"no two images resemble each other{aside}.", numbers=numbers)
        return Check(
            name, WARNING,
            f"{counted(len(changed), 'pair')} of images resemble each other: each pair must go to "
            f"one split{aside}.",
            _findings(changed), numbers,
        )  # fmt: skip
    split = inventory.split
    across = [
        pair for pair in changed
        if NONE not in (split[pair.first], split[pair.second])
        and split[pair.first] != split[pair.second]
    ]  # fmt: skip
    numbers["pairs across splits"] = len(across)
    if not across:
        return Check(
            name, OK, f"no altered copy of an image was found in another split{aside}.",
            numbers=numbers,
        )  # fmt: skip
    images = len({place for pair in across for place in (pair.first, pair.second)})
    return Check(
        name, LEAK,
        f"{counted(len(across), 'pair')} of images in different splits show the same thing, "
        f"altered ({images:,} images){aside}.",
        _findings(across), numbers,
    )  # fmt: skip


def check_labels(inventory: Inventory, pairs: list[Pair]) -> Check:
    """One picture with two labels."""
    name = "one label an image"
    if len(inventory.labels) < 2:
        return Check(name, NOT_CHECKABLE, "there is only one label.")
    label = inventory.label
    torn = [
        pair for pair in pairs
        if NONE not in (label[pair.first], label[pair.second])
        and label[pair.first] != label[pair.second]
    ]  # fmt: skip
    if not torn:
        return Check(name, OK, "no image was found under two labels.")
    same = sum(pair.change == IDENTICAL for pair in torn)
    return Check(
        name, WARNING,
        f"{counted(len(torn), 'pair')} of one image under two labels, {same:,} of them with "
        "identical pixels: one of the labels is wrong.",
        _findings(torn), {"pairs": len(torn), "identical": same},
    )  # fmt: skip


def check_masks(inventory: Inventory, pictures: Pictures) -> Check:
    """Segmentation masks among the images."""
    name = "no masks among the images"
    drawn = np.flatnonzero(pictures.two_toned)
    findings = [Finding((int(place),), "black and white only") for place in drawn]
    findings += [Finding((), "a mask by its name", (path,)) for path in inventory.masks]
    if not findings:
        return Check(name, OK, "no image is named or looks like a mask.")
    named, seen = len(inventory.masks), len(drawn)
    first = inventory.paths[drawn[0]] if seen else inventory.masks[0]
    return Check(
        name, WARNING,
        f"{counted(named, 'file is a mask', 'files are masks')} by name and {seen:,} more by "
        f"appearance, first {first}: they are not images to classify.",
        findings, {"by name": named, "by looks": seen},
    )  # fmt: skip


def _findings(pairs: list[Pair]) -> list[Finding]:
    ordered = sorted(pairs, key=lambda pair: (pair.distance, pair.first, pair.second))
    return [
        Finding(
            (pair.first, pair.second),
            pair.change + (f"; correlation {1 - pair.distance:.2f}" if pair.distance else ""),
        )
        for pair in ordered
    ]
