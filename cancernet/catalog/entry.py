"""What an entry of the catalogue says; the entries are in the files beside this one."""

import dataclasses
from collections.abc import Callable
from pathlib import PurePosixPath

from cancernet.base.errors import CancerNetError


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
    """CSV files that hold the labels of a data set.

    Attributes:
        labelled: name of the CSV file with `filename,label[,patient]`.
        folder: folder of its files under the source folder; or empty.
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
        by_content: no name says which images belong together, so they are compared:
            images that show the same are one unit, together with what `identify` names.
        grouping: how reliable the units are, in a sentence for every build; or empty.
        identify_with_masks: like `identify`, but takes segmentation masks for images, to
            repeat the fault of a published system; or None.
        tables: where the labels are, when not in the folders.
        recipe: the entry of `cancernet.recipes` to train it with first; or empty.
        two_labels_known: the published set holds the same image under two labels; both
            are left out and named, and the build does not count them as failed.
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

    @property
    def address(self) -> str:
        """Where to get it."""
        return f"https://www.kaggle.com/datasets/{self.kaggle}" if self.kaggle else self.origin

    def called(self, index: int) -> str:
        """Returns a class as a reader knows it: `0 (no IDC)`, `benign`."""
        name, word = self.classes[index], self.words[index]
        return name if name == word else f"{name} ({word})"


DATASETS: dict[str, Dataset] = {}
DEFAULT = "idc"


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
