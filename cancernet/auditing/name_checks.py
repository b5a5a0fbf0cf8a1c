"""What names, folders and the manifest tell: groups, families, prevalence, confounding."""

import dataclasses
import math

import numpy as np

from cancernet.auditing.inventory import NONE, Inventory
from cancernet.auditing.verdict import LEAK, NOT_CHECKABLE, OK, WARNING, Check, Finding
from cancernet.base.words import counted, some
from cancernet.config import SPLITS
from cancernet.dataset.families import families

NO_SPLITS = "there are fewer than two splits, so nothing can leak between them"
# A class's share may differ so much between splits, in points and as a ratio.
SHARE_POINTS, SHARE_RATIO = 0.10, 1.5
# Share of images in groups of a single class from which on it is a warning.
ONE_CLASS_SHARE = 0.5


def check_groups(inventory: Inventory) -> Check:
    """Groups (patients, or source images) in more than one split."""
    name = f"{inventory.unit}s in one split only"
    if not inventory.has_splits:
        return Check(name, NOT_CHECKABLE, f"{NO_SPLITS}.")
    if not inventory.has_groups:
        return Check(name, NOT_CHECKABLE, inventory.grouping)
    straddling = _straddling(inventory, inventory.group, inventory.groups)
    total = len(np.unique(inventory.group[inventory.group != NONE]))
    numbers = {"groups": total, "straddling": len(straddling)}
    unit = inventory.unit
    if not straddling:
        return Check(
            name, OK,
            f"each of {counted(total, unit)} is in one split only, {inventory.grouping}",
            numbers=numbers,
        )  # fmt: skip
    return Check(
        name, LEAK,
        f"{len(straddling):,} of {counted(total, unit)} "
        f"{'is' if len(straddling) == 1 else 'are'} in more than one split: "
        f"{some([each.name for each in straddling])}.",
        [each.finding for each in straddling], numbers,
    )  # fmt: skip


def check_families(inventory: Inventory) -> Check:
    """Variants of one image, by their names, in more than one split."""
    name = "augmented copies, by name"
    family, names = families(inventory.paths, inventory.label, inventory.group)
    inside = int((family != NONE).sum())
    numbers = {"families": len(names), "images": inside}
    if not names:
        return Check(name, OK, "no file is named like an augmented copy.", numbers=numbers)
    there = counted(inside, "image forms", "images form")
    there += f" {counted(len(names), 'family', 'families')} of copies by name"
    if not inventory.has_splits:
        return Check(
            name, WARNING,
            f"{there} ({some(names, 3)}): each must stay in one split.",
            _examples(family, names), numbers,
        )  # fmt: skip
    straddling = _straddling(inventory, family, names)
    numbers["straddling"] = len(straddling)
    if straddling:
        return Check(
            name, LEAK,
            f"{len(straddling):,} of {len(names):,} families of copies are in more than one split "
            f"({some([each.name for each in straddling], 3)}).",
            [each.finding for each in straddling], numbers,
        )  # fmt: skip
    tested = inventory.split[family != NONE] > 0
    if tested.any():
        return Check(
            name, WARNING,
            f"{there}, each in one split; {int(tested.sum()):,} copies are in validation or "
            "testing, where one image counts several times.",
            numbers=numbers,
        )  # fmt: skip
    return Check(name, OK, f"{there}, all of them in training.", numbers=numbers)


def check_prevalence(inventory: Inventory) -> Check:
    """The share of each class in each split."""
    name = "prevalence in the splits"
    if not inventory.has_splits:
        return Check(name, NOT_CHECKABLE, f"{NO_SPLITS}.")
    usable = (inventory.split != NONE) & (inventory.label != NONE)
    present = [p for p in range(len(SPLITS)) if (inventory.split[usable] == p).any()]
    if len(present) < 2:
        return Check(
            name,
            NOT_CHECKABLE,
            "this needs two splits with images in class folders.",
        )
    counts = np.zeros((len(SPLITS), len(inventory.labels)), np.int64)
    np.add.at(counts, (inventory.split[usable], inventory.label[usable]), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = [
        [SPLITS[p], int(counts[p].sum()), *(f"{100 * share:.1f} %" for share in shares[p])]
        for p in present
    ]
    table = (["split", "images", *inventory.labels], rows)
    missing = [
        f"{SPLITS[p]} has none of {label}"
        for p in present
        for place, label in enumerate(inventory.labels)
        if counts[p, place] == 0
    ]
    if missing:
        return Check(name, WARNING, f"{some(missing, 3)}.", table=table)
    spread = shares[present].max(axis=0) - shares[present].min(axis=0)
    ratio = shares[present].max(axis=0) / shares[present].min(axis=0)
    # Of two classes the second is the one that people ask for.
    notable = np.where(ratio > SHARE_RATIO, spread, 0)
    worst = int(np.flatnonzero(notable == notable.max())[-1])
    numbers = {"largest difference": round(float(spread.max()), 4)}
    label = inventory.labels[worst]
    between = (
        f"class {label} makes up {100 * shares[present, worst].min():.1f} to "
        f"{100 * shares[present, worst].max():.1f} % of a split"
    )
    if spread[worst] > SHARE_POINTS and ratio[worst] > SHARE_RATIO:
        return Check(
            name, WARNING,
            f"{between}: predictive values and an operating point do not carry over between them.",
            numbers=numbers, table=table,
        )  # fmt: skip
    return Check(
        name, OK, f"the shares of the classes differ by at most {100 * spread.max():.1f} points.",
        numbers=numbers, table=table,
    )  # fmt: skip


def check_confounding(inventory: Inventory) -> Check:
    """Whether knowing the group already tells the class."""
    name = f"class and {inventory.unit} apart"
    if inventory.unit != "patient":
        return Check(
            name, NOT_CHECKABLE,
            f"a {inventory.unit} always has one label, and the patients are not known.",
        )  # fmt: skip
    usable = (inventory.group != NONE) & (inventory.label != NONE)
    used = inventory.group[usable]
    if not usable.any() or len(np.unique(inventory.label[usable])) < 2:
        return Check(
            name, NOT_CHECKABLE,
            f"this needs images of two classes with known {inventory.unit}s.",
        )  # fmt: skip
    if len(np.unique(used)) * 2 > len(used):
        return Check(name, NOT_CHECKABLE, f"most {inventory.unit}s have a single image.")
    counts = np.zeros((len(inventory.groups), len(inventory.labels)), np.int64)
    np.add.at(counts, (used, inventory.label[usable]), 1)
    counts = counts[counts.sum(axis=1) > 0]
    single = (counts > 0).sum(axis=1) == 1
    images = int(counts.sum())
    share = float(counts[single].sum() / images)
    by_group = float(counts.max(axis=1).sum() / images)
    by_majority = float(counts.sum(axis=0).max() / images)
    numbers = {
        "groups": len(counts),
        "groups of one class": int(single.sum()),
        "share of images in them": round(share, 4),
        "labelled right by group alone": round(by_group, 4),
        "labelled right by the commonest class": round(by_majority, 4),
        "uncertainty coefficient": round(_uncertainty(counts), 4),
    }
    few = [
        f"{label} in {having} of {len(counts)}"
        for label, having in zip(inventory.labels, (counts > 0).sum(axis=0).tolist(), strict=True)
        if having < len(counts)
    ]
    sentence = (
        f"{int(single.sum()):,} of {counted(len(counts), inventory.unit)} have images of one "
        f"class only ({100 * share:.0f} % of the images); knowing the {inventory.unit} alone would "
        f"label {100 * by_group:.0f} % correctly, the most common class {100 * by_majority:.0f} %"
    )
    if share > ONE_CLASS_SHARE:
        return Check(
            name, WARNING,
            f"{sentence}: a network may learn to tell the {inventory.unit}s apart instead of the "
            f"classes ({some(few, 3)}).",
            numbers=numbers,
        )  # fmt: skip
    return Check(name, OK, f"{sentence}.", numbers=numbers)


def _uncertainty(counts: np.ndarray) -> float:
    """Theil's uncertainty coefficient: share of the class's entropy that the group explains.

    0 when groups say nothing of the class, 1 when they say all (Theil 1970).
    """
    total = counts.sum()

    def entropy(shares: np.ndarray) -> float:
        shares = shares[shares > 0]
        return -float((shares * np.log(shares)).sum())

    whole = entropy(counts.sum(axis=0) / total)
    inside = sum(entropy(row / row.sum()) * row.sum() / total for row in counts)
    return 1 - inside / whole if whole > 0 else math.nan


@dataclasses.dataclass(frozen=True)
class _Straddling:
    """A group in more than one split: its name, an image of each split, images of each split."""

    name: str
    places: tuple[int, ...]
    counts: np.ndarray

    @property
    def finding(self) -> Finding:
        shares = ", ".join(
            f"{count:,} in {split}"
            for split, count in zip(SPLITS, self.counts, strict=True)
            if count
        )
        return Finding(self.places, f"{self.name}: {shares}")


def _straddling(inventory: Inventory, group: np.ndarray, names: list[str]) -> list[_Straddling]:
    """The groups in more than one split."""
    usable = np.flatnonzero((group != NONE) & (inventory.split != NONE))
    first: dict[int, dict[int, int]] = {}
    counts: dict[int, np.ndarray] = {}
    for place in usable.tolist():
        number, split = int(group[place]), int(inventory.split[place])
        first.setdefault(number, {}).setdefault(split, place)
        counts.setdefault(number, np.zeros(len(SPLITS), np.int64))[split] += 1
    return [
        _Straddling(
            names[number], tuple(place for _, place in sorted(places.items())), counts[number]
        )
        for number, places in sorted(first.items())
        if len(places) > 1
    ]


def _examples(family: np.ndarray, names: list[str], most: int = 20) -> list[Finding]:
    return [
        Finding(tuple(np.flatnonzero(family == number)[:2].tolist()), names[number])
        for number in range(min(most, len(names)))
    ]
