"""The images of a folder to be audited: every image's split, label and group.

A set that this program built has them in its manifest. In any other folder the names tell:
`train`, `val`, `test` and their like are splits wherever they occur in a path; the folder
of an image is its label; the group (patient, or source image) comes from the catalogue
(`--dataset`), from a pattern (`--group-by`), or from names in a known form.
"""

import contextlib
import dataclasses
import enum
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from cancernet import catalog
from cancernet.base.errors import CancerNetError
from cancernet.base.patch_name import one_spelling
from cancernet.base.words import IMAGES_READ
from cancernet.building.settings import BY_CONTENT, BY_IMAGE
from cancernet.building.source_files import find_files
from cancernet.config import SPLITS
from cancernet.dataset.build_record import BUILD
from cancernet.dataset.find_leaks import NOT_NAMED
from cancernet.dataset.manifest import read_dataset

NONE = -1

# Names in a form in wide use; the first group of the pattern is the patient.
KNOWN_NAMES = (
    re.compile(r"(TCGA-[A-Z0-9]{2}-[A-Z0-9]{4})", re.IGNORECASE),
    re.compile(r"^SOB_[BM]_[A-Z]+-(\d+-[0-9A-Z]+)-", re.IGNORECASE),  # BreakHis
    re.compile(r"(?:patient|subject|case|pid)[_\-]?([0-9]+)", re.IGNORECASE),
)


class GroupsFrom(enum.Enum):
    """What tells the groups."""

    MANIFEST = enum.auto()
    PATTERN = enum.auto()  # `--group-by`
    CATALOGUE = enum.auto()  # `--dataset`
    KNOWN_NAMES = enum.auto()


@dataclasses.dataclass(frozen=True)
class Grouping:
    """How the groups are known.

    Attributes:
        given: the pattern, or the name of the data set.
        unnamed: how many images have no group.
    """

    source: GroupsFrom
    given: str = ""
    unnamed: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inventory:
    """The images of a folder; arrays have one entry an image.

    Attributes:
        paths: relative to `folder`, with `/`, masks left out.
        split: int8 places in `config.SPLITS`, -1 if unknown.
        labels, label: names of the labels; int32 places in them, -1 if unknown.
        groups, group: names of the groups; int32 places in them, -1 if unknown.
        unit: what a group is, `patient` or `source`.
        grouping: how the groups are known.
        masks: images that by name are segmentation masks, relative to the folder.
        built: whether this program built the set.
        drawn: whether a program drew the images.
        fingerprint: of a built set, which changes when it is built again; else empty.
    """

    folder: Path
    paths: list[str]
    split: np.ndarray
    labels: list[str]
    label: np.ndarray
    groups: list[str]
    group: np.ndarray
    unit: str
    grouping: Grouping
    masks: list[str]
    built: bool
    title: str
    drawn: bool
    fingerprint: str = ""

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def has_splits(self) -> bool:
        """Whether there are images in at least two splits."""
        return len(np.unique(self.split[self.split != NONE])) > 1

    @property
    def has_groups(self) -> bool:
        """Whether the group of at least one image is known."""
        return bool((self.group != NONE).any())

    def full_paths(self) -> list[str]:
        """Paths that can be opened."""
        return [str(self.folder / path) for path in self.paths]

    def split_name(self, place: int) -> str:
        """The name of an image's split, or a dash."""
        return SPLITS[self.split[place]] if self.split[place] != NONE else "—"

    def label_name(self, place: int) -> str:
        """The name of an image's label, or a dash."""
        return self.labels[self.label[place]] if self.label[place] != NONE else "—"

    def group_name(self, place: int) -> str:
        """The name of an image's group, or a dash."""
        return self.groups[self.group[place]] if self.group[place] != NONE else "—"


def read_inventory(folder: Path, *, dataset: str | None = None, group_by: str = "") -> Inventory:
    """Reads what is in a folder; no image is opened.

    Args:
        folder: a built set, or any folder of images.
        dataset: its name in the catalogue, for a folder that this program did not build.
        group_by: a regular expression that finds the group in a path; see `group_of`.

    Raises:
        CancerNetError: no such folder, no image in it, a damaged set, or a bad pattern.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise CancerNetError(f"the folder to audit, {folder}, {what}; name another with --audit")
    if (folder / BUILD).is_file() and not group_by:
        return _of_built(folder)
    return _of_any(folder, _group_reader(dataset, group_by))


def _of_built(folder: Path) -> Inventory:
    built = read_dataset(folder)
    parts = [built.split(name) for name in SPLITS]
    names: list[str | None] = [name for part in parts for name in part.patients]
    groups, group = _numbered(_one_spelling(names, built.unit))
    return Inventory(
        folder=folder,
        paths=[path for part in parts for path in part.paths],
        split=np.repeat(np.arange(len(SPLITS), dtype=np.int8), [len(p.paths) for p in parts]),
        labels=list(built.classes),
        label=np.concatenate([part.labels for part in parts]).astype(np.int32),
        groups=groups,
        group=group,
        unit=built.unit,
        grouping=Grouping(GroupsFrom.MANIFEST),
        masks=[],
        built=True,
        title=built.title,
        drawn=built.drawn,
        fingerprint=built.fingerprint,
    )


class _GroupReader(NamedTuple):
    """Reads groups from paths: the function, what a group is, and how it is known."""

    name_of: Callable[[str], str | None]
    unit: str
    grouping: Grouping


def _of_any(folder: Path, reader: _GroupReader) -> Inventory:
    found = find_files(folder)
    if not found.images:
        raise CancerNetError(
            f"there is no image ({IMAGES_READ}) in {folder} to audit; name another folder"
        )
    masks = [path for path in found.images if catalog.is_mask(PurePosixPath(path))]
    hidden = set(masks)
    paths = [path for path in found.images if path not in hidden]
    without = [_without_split(path) for path in paths]
    labels, label = _numbered([PurePosixPath(rest).parent.name or None for _, rest in without])
    names = [reader.name_of(rest) for _, rest in without]
    groups, group = _numbered(_one_spelling(names, reader.unit))
    unnamed = int((group == NONE).sum())
    return Inventory(
        folder=folder,
        paths=paths,
        split=np.array([split for split, _ in without], np.int8),
        labels=labels,
        label=label,
        groups=groups,
        group=group,
        unit=reader.unit,
        grouping=dataclasses.replace(reader.grouping, unnamed=unnamed),
        masks=masks,
        built=False,
        title=folder.resolve().name,
        drawn=found.drawn,
    )


def _without_split(path: str) -> tuple[int, str]:
    """Returns the split a path names (-1: none), and the path without that folder."""
    split, rest = catalog.shipped_split(PurePosixPath(path))
    return (SPLITS.index(split) if split else NONE), str(rest)


def _group_reader(dataset: str | None, group_by: str) -> _GroupReader:
    if group_by in (BY_CONTENT, BY_IMAGE):
        raise CancerNetError(
            f"--group-by {group_by} is for building; an audit always compares all images: leave it "
            "out, or give a pattern like '^([0-9]+)_'"
        )
    if group_by:
        try:
            pattern = re.compile(group_by)
        except re.error as error:
            raise CancerNetError(
                f"--group-by {group_by!r} is not a valid pattern: {error}"
            ) from None
        return _GroupReader(
            lambda path: catalog.group_of(PurePosixPath(path), pattern),
            "patient",
            Grouping(GroupsFrom.PATTERN, group_by),
        )
    if dataset is not None:
        entry = catalog.dataset(dataset)
        grouping = Grouping(GroupsFrom.CATALOGUE, dataset)
        if entry.by_content:  # a name there is an image's own, and no group would ever straddle
            return _GroupReader(lambda path: None, entry.unit, grouping)
        return _GroupReader(lambda path: _from_catalogue(entry, path), entry.unit, grouping)
    return _GroupReader(_from_known_name, "patient", Grouping(GroupsFrom.KNOWN_NAMES))


def _from_catalogue(entry: catalog.Dataset, path: str) -> str | None:
    with contextlib.suppress(catalog.LeftOut):
        return entry.identify(PurePosixPath(path)).patient
    return None


def _from_known_name(path: str) -> str | None:
    place = catalog.read_place(path)
    if place is not None:
        return place.patient
    for pattern in KNOWN_NAMES:
        found = pattern.search(PurePosixPath(path).name)
        if found is not None:
            return found[1]
    return None


def _one_spelling(names: list[str | None], unit: str) -> list[str | None]:
    """Spells each group in one way, where groups have names of their own."""
    if unit in NOT_NAMED:
        return names
    spelled = iter(one_spelling([name for name in names if name is not None]))
    return [None if name is None else next(spelled) for name in names]


def _numbered(names: list[str | None]) -> tuple[list[str], np.ndarray]:
    """Returns the different names, sorted, and int32 places in them; -1 for None."""
    different = sorted({name for name in names if name is not None})
    place = {name: number for number, name in enumerate(different)}
    numbers = [NONE if name is None else place[name] for name in names]
    return different, np.array(numbers, np.int32)
