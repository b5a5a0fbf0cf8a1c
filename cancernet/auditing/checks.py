"""The results of an audit's checks, as values; `words` makes sentences of them."""

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cancernet.base.verdicts import Verdict
from cancernet.lookalike.near_duplicates import Pair

OK, WARNING, LEAK, NOT_CHECKABLE = Verdict


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
