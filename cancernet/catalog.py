"""Facts about the data sets: classes, layout, patients, origin, known defects.

Facts, not choices: what a person may want different stands in `cancernet.config`.
To add a data set, write a function that reads its paths and one entry in `DATASETS`.
"""

import dataclasses
import re
from collections.abc import Callable
from pathlib import PurePosixPath

from cancernet.errors import CancerNetError


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
    """

    patient: str
    label: str
    x: int | None = None
    y: int | None = None


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

    def word(self, label: str) -> str:
        """Returns what a class means to a reader."""
        return self.words[self.classes.index(label)]


_MASK = re.compile(r"[_\-\s]mask([_\-\s]?\d+)?$", re.IGNORECASE)
_IDC_NAME = re.compile(r"^(?P<patient>\d+)_idx\d+_x(?P<x>\d+)_y(?P<y>\d+)_class(?P<label>\d+)$")


def is_mask(path: PurePosixPath) -> bool:
    """Tells whether the name is that of a segmentation mask (`benign (1)_mask.png`)."""
    return _MASK.search(path.stem) is not None


def identify_idc(path: PurePosixPath) -> Identity:
    """Reads `…/<patient>/<0|1>/<patient>_idx5_x<X>_y<Y>_class<0|1>.png`.

    The folders decide; a name in the published form must agree with them. A name
    in another form is taken by its folders alone, without a position.

    Raises:
        LeftOut: not in such folders, or a mask.
        Contradiction: folder and name do not agree.
    """
    if len(path.parts) < 3 or path.parts[-2] not in ("0", "1"):
        raise LeftOut("not in a folder <patient>/0 or <patient>/1")
    if is_mask(path):
        raise LeftOut("a mask, not a scan")
    patient, label = path.parts[-3], path.parts[-2]
    name = _IDC_NAME.match(path.stem)
    if name is None:
        return Identity(patient, label)
    if name["label"] != label:
        raise Contradiction(
            f"the folder says class {label}, the file name says class {name['label']}"
        )
    if name["patient"] != patient:
        raise Contradiction(f"the folder says patient {patient}, the file name {name['patient']}")
    return Identity(patient, label, int(name["x"]), int(name["y"]))


def key_idc(path: PurePosixPath) -> str:
    """The download may hold everything twice, again under `IDC_regular_ps50_idx5/`."""
    return "/".join(path.parts[-3:])


DATASETS: dict[str, Dataset] = {
    "idc": Dataset(
        name="idc",
        title="Invasive ductal carcinoma (IDC) in breast histology, H&E, 40x, 50x50 patches",
        classes=("0", "1"),
        words=("no IDC", "IDC"),
        positive=("1",),
        identify=identify_idc,
        key=key_idc,
        layout="<patient>/<0|1>/<patient>_idx5_x<X>_y<Y>_class<0|1>.png",
        origin=(
            "Cruz-Roa et al. 2014; Janowczyk & Madabhushi 2016; "
            "Kaggle: paultimothymooney/breast-histopathology-images"
        ),
        licence="CC0 on Kaggle; cite the papers",
        kaggle="paultimothymooney/breast-histopathology-images",
        defects=(
            "the Kaggle archive holds every image twice, again under IDC_regular_ps50_idx5/",
            "patches at the edge of a slide are smaller than 50x50",
            "the official patient lists name 162 of the 279 patients in the archive",
            "many patients have patches of one class only",
        ),
    ),
}


def dataset(name: str) -> Dataset:
    """Looks a data set up by name.

    Raises:
        CancerNetError: unknown; the message lists the known ones.
    """
    if name not in DATASETS:
        raise CancerNetError(f"unknown data set {name!r}; known are {', '.join(sorted(DATASETS))}")
    return DATASETS[name]
