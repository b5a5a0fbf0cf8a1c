"""The results of an audit's checks, as values, and the checks that need no pictures.

Those look at what names, folders and the manifest tell: groups, families, prevalence, confounding.
`picture_checks` holds the others; `words` makes sentences of the results.
"""

import dataclasses
import enum
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cancernet.auditing.inventory import NONE, Inventory
from cancernet.base.verdicts import Verdict
from cancernet.config import SPLITS
from cancernet.dataset.find_leaks import families
from cancernet.lookalike.near_duplicates import Pair

OK, WARNING, LEAK, NOT_CHECKABLE = Verdict

# A class's share may differ by this much between splits, in points and as a ratio.
SHARE_POINTS, SHARE_RATIO = 0.10, 1.5
# More than this share of the images in groups of a single class gives a warning.
ONE_CLASS_SHARE = 0.5
EXAMPLES = 20


class CheckKind(enum.Enum):
    """What is checked, in the order of the report; the values are names, with the unit put in."""

    GROUPS = "{unit}s in one split only"
    IDENTICAL = "exact duplicates"
    NEAR = "near duplicates"
    FAMILIES = "augmented copies, by name"
    LABELS = "one label an image"
    MASKS = "no masks among the images"
    READABLE = "every image decodes"
    CONFOUNDING = "class and {unit} apart"
    STAIN = "stain and scanner alike"
    PREVALENCE = "prevalence in the splits"


class Missing(enum.Enum):
    """Why a check could not be made."""

    SPLITS = enum.auto()  # there are fewer than two
    GROUPS = enum.auto()  # nothing says which images belong together
    PATIENTS = enum.auto()  # groups are something else, and have one label each
    SECOND_LABEL = enum.auto()
    LABELLED_GROUPS = enum.auto()  # images of two classes whose groups are known
    LABELLED_SPLITS = enum.auto()  # two splits with images in class folders
    LARGER_GROUPS = enum.auto()  # most have a single image
    MORE_GROUPS = enum.auto()  # too few are large enough


class Straddling(NamedTuple):
    """A group or a family in more than one split."""

    name: str
    images: Sequence[int]  # in each of config.SPLITS


class Family(NamedTuple):
    """Copies of one image, known by their names."""

    name: str


class Copies(NamedTuple):
    """Images with the same pixels."""

    images: int
    across_splits: bool


class MaskBy(enum.Enum):
    """How a segmentation mask is known."""

    LOOKS = enum.auto()
    NAME = enum.auto()


class Unreadable(NamedTuple):
    """A file that cannot be read, and why."""

    reason: str


class Colour(enum.StrEnum):
    """What is measured of a group's colours; see `picture_checks`."""

    DENSITY_OF_RED = "density of red"
    DENSITY_OF_GREEN = "density of green"
    DENSITY_OF_BLUE = "density of blue"
    SPREAD_OF_RED = "spread of red"
    SPREAD_OF_GREEN = "spread of green"
    SPREAD_OF_BLUE = "spread of blue"


class Outlier(NamedTuple):
    """A group whose colours differ from the rest."""

    name: str
    images: int
    colour: Colour
    deviations: float  # robust, above (positive) or below the rest


Fault = Straddling | Family | Copies | Pair | MaskBy | Unreadable | Outlier


@dataclasses.dataclass(frozen=True)
class Finding:
    """Images with a fault: their `places` in the inventory, or else their `paths`."""

    fault: Fault
    places: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Check:
    """One check and its result.

    Attributes:
        missing: why it could not be made.
        findings: the worst first.
        numbers: figures by name.
        names: the groups, families or classes that its sentence names.
        having: class -> how many groups have images of it.
        shares: split -> images, and the share of each label.
    """

    kind: CheckKind
    verdict: Verdict
    missing: Missing | None = None
    findings: Sequence[Finding] = ()
    numbers: Mapping[str, float] = dataclasses.field(default_factory=dict)
    names: Sequence[str] = ()
    having: Mapping[str, int] = dataclasses.field(default_factory=dict)
    shares: Mapping[str, tuple[int, Sequence[float]]] = dataclasses.field(default_factory=dict)


def not_checkable(kind: CheckKind, missing: Missing, **numbers: float) -> Check:
    """Returns a check that could not be made."""
    return Check(kind, NOT_CHECKABLE, missing, numbers=numbers)


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
