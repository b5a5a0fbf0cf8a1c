"""What an entry of the catalogue says, and why a file is not in a set."""

import dataclasses
import enum
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import NamedTuple

from cancernet.base.errors import CancerNetError
from cancernet.base.words import unknown, with_word

MOST_CLASSES = 127  # a label takes one byte in `Images.label` of a build


class Reason(enum.Enum):
    """Why a file is left out; the value is what a person reads."""

    NOT_AN_IMAGE = "not an image file"
    HIDDEN = "hidden, or kept by a program"
    FOLDER_UNREADABLE = "the folder cannot be read"
    LINK = "a link to a folder, which is not followed"
    LINK_AGAIN = "a link to a folder that is read anyway"
    LINK_UP = "a link to a folder that contains it"
    FOLDER_AGAIN = "a folder that is read anyway, through another link"
    NO_CLASS = "not in the folder of a class"
    MASK = "a mask, not an image"
    BAD_NAME = "the file name does not fit the layout"
    NO_LABEL = "not in the table of labels"
    NO_FILE = "named by a table, but not in the folder of the images"
    SEVERAL_FILES = "a name in a table fits several files"
    NO_PATIENT = "no patient is known for it"
    NO_GROUP = "--group-by does not match the path"
    CONTRADICTION = "folder and file name disagree"
    UNWRITABLE_NAME = "the name cannot be written as text"
    SECOND_COPY = "second copy of an image"
    UNLISTED = "the patient is on none of the lists"
    UNREADABLE = "the file cannot be read"
    UNDECODABLE = "the image does not decode"
    DUPLICATE = "exact duplicate of another image"
    CONTRADICTED = "exact duplicate of an image of another class"


class LeftOutFile(NamedTuple):
    """A file that is not in the set.

    Attributes:
        source: relative to the source folder, with `/`.
        reason: by which the files are counted.
        detail: the other file, or what exactly was wrong.
        failed: whether this is a defect of the data; else it was to be expected.
    """

    source: str
    reason: Reason
    detail: str = ""
    failed: bool = False


class LeftOut(Exception):
    """This file does not belong to the data set; `failed` says whether that is a defect."""

    def __init__(self, reason: Reason, detail: str = "", *, failed: bool = False) -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
        self.failed = failed


class Contradiction(LeftOut):
    """Folders, or folder and file name, disagree, so nobody knows what the image shows."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.CONTRADICTION, detail, failed=True)


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a path says of an image.

    Attributes:
        patient: what must not be split: a patient, or the source image of several.
        x, y: the patch's upper left corner on its slide in pixels, where the name has them.
        part: the split it was published in ("training", "validation", "testing"), if any.
    """

    patient: str
    label: str
    x: int | None = None
    y: int | None = None
    part: str = ""


@dataclasses.dataclass(frozen=True)
class Tables:
    """Tables that hold the labels of a data set.

    Attributes:
        labelled: name of the CSV file with `filename,label[,patient]`.
        folder: folder of its files under the source folder; or empty.
        unlabelled: name of the CSV file with `filename` of the images to be predicted.
        read: for a table of another form: reads its text and returns the class of each image
            by the table's own name for it; raises ValueError where it cannot. The entry's
            `identify` then gives this name for the label.
    """

    labelled: str
    folder: str = ""
    unlabelled: str = ""
    read: Callable[[str], dict[str, str]] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """One published data set.

    Attributes:
        classes: folder names of the classes, in the order of the network's outputs.
        words: what each class means to a reader, in the same order.
        positive: classes that count as positive; sensitivity is their recall.
        identify: reads a path relative to the source folder; raises LeftOut.
        key: the part of a path that names the image; of files with one key only the first
            is used, the others are second copies.
        kaggle: `owner/name` of the data set on Kaggle, or empty.
        layout: the published layout, for a person to compare with theirs.
        origin: who published it, when and where; `not stated` where nobody says.
        defects: what is known to be wrong with it; empty where nothing is known.
        unit: what must not be split, in a word: `patient`, `source`, `group`.
        by_content: names do not tell which images belong together: those that look alike
            are one unit, together with what `identify` names.
        grouping: how reliable the units are, in a sentence for every build; or empty.
        identify_with_masks: like `identify`, but takes segmentation masks for images, to
            repeat the fault of a published system; or None.
        tables: where the labels are, when not in the folders.
        recipe: the entry of `cancernet.recipes` to train it with first; or empty.
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
    defects: tuple[str, ...]
    kaggle: str = ""
    unit: str = "patient"
    by_content: bool = False
    grouping: str = ""
    identify_with_masks: Callable[[PurePosixPath], Identity] | None = None
    tables: Tables | None = None
    recipe: str = ""

    @property
    def address(self) -> str:
        """Its page on Kaggle, or empty."""
        return f"https://www.kaggle.com/datasets/{self.kaggle}" if self.kaggle else ""

    def called(self, index: int) -> str:
        """Returns a class as a reader knows it: `0 (no IDC)`, `benign`."""
        return with_word(self.classes[index], self.words[index])


@dataclasses.dataclass(frozen=True)
class OwnClasses:
    """Classes that a person names with flags, for data without an entry in the catalogue.

    Attributes:
        classes: in the order of the network's outputs.
        positive: in the same order.
        words: what each class means to a reader; the classes themselves where nothing is given.

    Raises:
        CancerNetError: the names do not tell classes apart, or do not go together.
    """

    classes: tuple[str, ...]
    positive: tuple[str, ...]
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_names()
        self._check_meaning()
        positive = tuple(name for name in self.classes if name in self.positive)
        object.__setattr__(self, "positive", positive)
        object.__setattr__(self, "words", self.words or self.classes)

    def _check_names(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise CancerNetError(
                "name at least two different classes with --classes, in the order of the network's "
                "outputs"
            )
        if len(self.classes) > MOST_CLASSES:
            raise CancerNetError(
                f"--classes has {len(self.classes)} names, more than the limit of {MOST_CLASSES}; "
                "join some"
            )
        for name in self.classes:
            if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
                raise CancerNetError(
                    f"--classes has {name!r}, which cannot be the name of a folder"
                )
        if len({name.casefold() for name in self.classes}) < len(self.classes):
            raise CancerNetError("--classes has two names that differ only in upper and lower case")

    def _check_meaning(self) -> None:
        strangers = [name for name in self.positive if name not in self.classes]
        if strangers:
            raise CancerNetError(
                f"--positive has {', '.join(strangers)}, not among --classes "
                f"{' '.join(self.classes)}"
            )
        if not 0 < len(set(self.positive)) < len(self.classes):
            raise CancerNetError(
                "--positive must name some of the --classes, but not all: those whose recall is "
                "the sensitivity"
            )
        if self.words and len(self.words) != len(self.classes):
            raise CancerNetError(
                f"--words has {len(self.words)} names for {len(self.classes)} --classes"
            )
        if len(set(self.words)) < len(self.words):
            raise CancerNetError("--words has the same word for two classes; give each its own")


DATASETS: dict[str, Dataset] = {}
DEFAULT = "idc"


def register(entry: Dataset) -> None:
    """Enters a data set into the catalogue; raises ValueError if its name is taken."""
    if entry.name in DATASETS:
        raise ValueError(f"there are two data sets {entry.name!r}")
    DATASETS[entry.name] = entry


def dataset(name: str) -> Dataset:
    """Looks a data set up by name; raises CancerNetError if there is none."""
    if name not in DATASETS:
        raise CancerNetError(unknown("data set", name, DATASETS))
    return DATASETS[name]
