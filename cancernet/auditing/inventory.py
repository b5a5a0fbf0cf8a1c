"""What lies in a folder that is to be audited: every image's split, label and group.

A set that this program built says so itself, in its manifest. Of any other folder the
names tell: `train`, `val`, `test` and their like are splits wherever they stand in a path;
the folder an image lies in is its label; the group (patient, or source image) comes from
the catalogue (`--dataset`), from a pattern (`--group-by`), or from names in a known form.
"""

import contextlib
import dataclasses
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np

from cancernet import catalog
from cancernet.base.errors import CancerNetError
from cancernet.building.find import find_files
from cancernet.building.settings import BY_CONTENT, BY_IMAGE
from cancernet.catalog.patient_id import one_spelling
from cancernet.config import SPLITS
from cancernet.dataset.find_leaks import NOT_NAMED
from cancernet.dataset.manifest import BUILD, read_dataset

NONE = -1

NOT_KNOWN = "nothing in the names says which images belong together"
# What helps, by what was said already.
SAY_MORE = "name the data set with --dataset, or the part of a path that does with --group-by"
SAY_PATTERN = "name the part of a path that does with --group-by"
SAY_OTHER = "give --group-by a pattern that matches the paths"

# Names in a form that is in wide use, and what their first group is.
KNOWN_NAMES = (
    (re.compile(r"(TCGA-[A-Z0-9]{2}-[A-Z0-9]{4})", re.IGNORECASE), "patient", "TCGA barcodes"),
    (re.compile(r"^SOB_[BM]_[A-Z]+-(\d+-[0-9A-Z]+)-", re.IGNORECASE), "patient", "BreakHis"),
    (re.compile(r"(?:patient|subject|case|pid)[_\-]?([0-9]+)", re.IGNORECASE), "patient", "names"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inventory:
    """The images of a folder; arrays have one entry an image.

    Attributes:
        folder: where they lie.
        paths: relative to it, with `/`, masks left out.
        split: int8 places in `config.SPLITS`, -1 where nothing says.
        labels, label: names of the labels; int32 places in them, -1 where nothing says.
        groups, group: names of the groups; int32 places in them, -1 where nothing says.
        unit: what a group is, `patient` or `source`.
        grouping: how the groups are known, in a sentence.
        masks: images that by name are segmentation masks, relative to the folder.
        built: whether this program built the set.
        title: what it is.
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
    grouping: str
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
    """Reads what lies in a folder; no image is opened.

    Args:
        folder: a built set, or any folder of images.
        dataset: its name in the catalogue, for a folder that this program did not build.
        group_by: a regular expression that names the group in a path; see `group_of`.

    Raises:
        CancerNetError: no such folder, no image in it, a damaged set, or a bad pattern.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise CancerNetError(f"the folder to audit, {folder}, {what}; name another with --audit")
    if (folder / BUILD).is_file() and not group_by:
        return _of_built(folder)
    advice = SAY_OTHER if group_by else SAY_MORE if dataset is None else SAY_PATTERN
    return _of_any(folder, _grouper(dataset, group_by), f"{NOT_KNOWN}; {advice}.")


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
        grouping="as the manifest says.",
        masks=[],
        built=True,
        title=built.title,
        drawn=built.drawn,
        fingerprint=built.fingerprint,
    )


Grouper = tuple[Callable[[str], str | None], str, str]


def _of_any(folder: Path, grouper: Grouper, not_known: str) -> Inventory:
    found = find_files(folder)
    if not found.images:
        raise CancerNetError(f"{folder} has no image (PNG, JPEG, TIFF or BMP); nothing to audit")
    masks = [path for path in found.images if catalog.is_mask(PurePosixPath(path))]
    hidden = set(masks)
    paths = [path for path in found.images if path not in hidden]
    name_of, unit, grouping = grouper
    without = [_without_split(path) for path in paths]
    labels, label = _numbered([PurePosixPath(rest).parent.name or None for _, rest in without])
    groups, group = _numbered(_one_spelling([name_of(rest) for _, rest in without], unit))
    known = int((group != NONE).sum())
    if not known:
        grouping = not_known
    elif known < len(paths):
        grouping += f" {len(paths) - known:,} of {len(paths):,} names do not have it."
    return Inventory(
        folder=folder,
        paths=paths,
        split=np.array([split for split, _ in without], np.int8),
        labels=labels,
        label=label,
        groups=groups,
        group=group,
        unit=unit,
        grouping=grouping,
        masks=masks,
        built=False,
        title=folder.resolve().name,
        drawn=found.drawn,
    )


def _without_split(path: str) -> tuple[int, str]:
    """Returns the split a path names (-1: none), and the path without that folder."""
    split, rest = catalog.shipped_split(PurePosixPath(path))
    return (SPLITS.index(split) if split else NONE), str(rest)


def _grouper(dataset: str | None, group_by: str) -> Grouper:
    if group_by in (BY_CONTENT, BY_IMAGE):
        raise CancerNetError(
            f"--group-by {group_by} is for building, and an audit compares all images by itself; "
            "leave it out, or give a pattern like '^([0-9]+)_'"
        )
    if group_by:
        try:
            pattern = re.compile(group_by)
        except re.error as error:
            raise CancerNetError(f"--group-by {group_by!r} is no pattern: {error}") from None
        return (
            lambda path: catalog.group_of(PurePosixPath(path), pattern),
            "patient",
            f"by --group-by {group_by}.",
        )
    if dataset is not None:
        entry = catalog.dataset(dataset)
        if entry.by_content:  # a name there is an image's own, and no group would ever straddle
            return lambda path: None, entry.unit, ""
        return (
            lambda path: _from_catalogue(entry, path),
            entry.unit,
            f"as the catalogue reads the names of {dataset}.",
        )
    return _from_known_name, "patient", "from file names in a known form."


def _from_catalogue(entry: catalog.Dataset, path: str) -> str | None:
    pure = PurePosixPath(path)
    with contextlib.suppress(catalog.LeftOut):
        return entry.identify(pure).patient
    # In a set that was divided, the folder of the patient may be gone: its name then is
    # the first part of the file's, if that is in the published form, which has a position.
    first = re.split(r"[_\-\s]", pure.stem)[0]
    with contextlib.suppress(catalog.LeftOut):
        identity = entry.identify(PurePosixPath(first, pure.parent.name, pure.name))
        return identity.patient if identity.x is not None else None
    return None


def _from_known_name(path: str) -> str | None:
    place = catalog.read_place(path)
    if place is not None:
        return place.patient
    for pattern, _, _ in KNOWN_NAMES:
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
