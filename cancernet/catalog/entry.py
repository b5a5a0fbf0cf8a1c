"""What an entry of the catalogue says; the entries stand in the files beside this one."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import PurePosixPath

from cancernet.base.errors import CancerNetError


class LeftOut(Exception):
    """This file does not belong to the data set; the message is the reason."""


class Contradiction(LeftOut):
    """Folder and file name do not agree, so nobody knows what the image shows."""


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a path says of an image.

    `patient` is the unit that must not be split: a patient, or where the data set
    has none, the source image that others were made from. `x` and `y` are the
    patch's upper left corner on its slide in pixels, where the name has them.
    `part` is the split in which the image was published ("training", "validation",
    "testing"), where it was in one.
    """

    patient: str
    label: str
    x: int | None = None
    y: int | None = None
    part: str = ""


@dataclasses.dataclass(frozen=True)
class Tables:
    """A data set whose labels stand in a CSV file, not in folders.

    Attributes:
        labelled: name of the CSV file with `filename,label[,patient]`.
        folder: where under the source folder the files of that table lie; or empty.
        unlabelled: name of the CSV file with `filename` of the images to be predicted.
    """

    labelled: str
    folder: str = ""
    unlabelled: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """One published data set.

    Attributes:
        classes: folder names of the classes, in the order of the network's outputs.
        words: what each class means to a reader, in the same order.
        positive: classes that count as positive; sensitivity is their recall.
        identify: reads a path relative to the source folder; raises LeftOut.
        key: the part of a path that names the image; a second file with the same key
            is a second copy of the download and is not counted again.
        kaggle: `owner/name` of the data set on Kaggle, or empty.
        layout: the published layout, for a person to compare with theirs.
        unit: what must not be split, in a word: a patient, a source, a group.
        by_content: no name says which images belong together, so they are looked at:
            images that show the same are one unit, together with what `identify` names.
        grouping: how reliable the units are, in a sentence for every build; or empty.
        identify_with_masks: like `identify`, but takes segmentation masks for images, to
            repeat the fault of a published system; or None.
        tables: where the labels stand, when not in the folders.
        recipe: the entry of `cancernet.recipes` to train it with first; or empty.
        two_labels_known: the published set holds the same image under two labels; both
            are left out and named, which then is no failure of the build.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    words: tuple[str, ...]
    positive: tuple[str, ...]
    identify: Callable[[PurePosixPath], Identity]
    key: Callable[[PurePosixPath], str]
    layout: str
    origin: str
    licence: str
    kaggle: str = ""
    defects: tuple[str, ...] = ()
    unit: str = "patient"
    by_content: bool = False
    grouping: str = ""
    identify_with_masks: Callable[[PurePosixPath], Identity] | None = None
    tables: Tables | None = None
    recipe: str = ""
    two_labels_known: bool = False

    def word(self, label: str) -> str:
        """Returns what a class means to a reader."""
        return self.words[self.classes.index(label)]


DATASETS: dict[str, Dataset] = {}

_MASK = re.compile(r"[_\-\s]mask([_\-\s]?\d+)?$", re.IGNORECASE)
_MASK_FOLDERS = ("mask", "masks")


def register(entry: Dataset) -> None:
    """Enters a data set into the catalogue.

    Raises:
        ValueError: there is one of that name.
    """
    if entry.name in DATASETS:
        raise ValueError(f"there are two data sets {entry.name!r}")
    DATASETS[entry.name] = entry


def dataset(name: str) -> Dataset:
    """Looks a data set up by name.

    Raises:
        CancerNetError: unknown; the message lists the known ones.
    """
    if name not in DATASETS:
        raise CancerNetError(f"unknown data set {name!r}; known are {', '.join(sorted(DATASETS))}")
    return DATASETS[name]


def is_mask(path: PurePosixPath) -> bool:
    """Tells whether this is a segmentation mask: `benign (1)_mask.png`, or in a folder `masks`."""
    in_folder = any(part.casefold() in _MASK_FOLDERS for part in path.parts[:-1])
    return in_folder or _MASK.search(path.stem) is not None


def without_mask(stem: str) -> str:
    """Returns the name of the image that a mask belongs to."""
    return _MASK.sub("", stem)


def key_path(path: PurePosixPath) -> str:
    """No second copy is known of: every path names an image of its own."""
    return str(path)


_PARTS = {
    "train": "training", "training": "training",
    "val": "validation", "valid": "validation", "validation": "validation",
    "test": "testing", "testing": "testing",
}  # fmt: skip


def shipped_part(path: PurePosixPath) -> str:
    """Returns the split that a folder above the file names (`train/`, `val/`), or nothing."""
    found = [_PARTS[part.lower()] for part in path.parts[:-1] if part.lower() in _PARTS]
    return found[-1] if found else ""


def class_folder(path: PurePosixPath, classes: tuple[str, ...]) -> str:
    """Returns the class that the file's folder names.

    Raises:
        LeftOut: the folder is none of the classes.
    """
    if len(path.parts) < 2 or path.parts[-2] not in classes:
        raise LeftOut(f"not in a folder {', '.join(classes[:-1])} or {classes[-1]}")
    return path.parts[-2]
