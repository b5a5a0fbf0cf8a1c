"""Data sets of tissue under the microscope."""

import re
from pathlib import PurePosixPath
from typing import NamedTuple

from cancernet.catalog.entry import (
    Contradiction,
    Dataset,
    Identity,
    LeftOut,
    Reason,
    register,
)
from cancernet.catalog.paths import refuse_mask
from cancernet.catalog.patient_id import patient_key

_PLACE = re.compile(
    r"(?P<patient>.+?)_idx\d+_x(?P<x>\d{1,9})_y(?P<y>\d{1,9})(?:_class(?P<label>[^_]+))?",
    re.IGNORECASE,
)


class Place(NamedTuple):
    """What the name of an IDC patch says.

    `x` and `y` are the patch's upper left corner on its slide in pixels; `label` is None
    in the name of a patch without a label.
    """

    patient: str
    x: int
    y: int
    label: str | None


def read_place(name: str) -> Place | None:
    """Reads `<patient>_idx5_x<X>_y<Y>[_class<C>].png`; None for another name."""
    found = _PLACE.fullmatch(PurePosixPath(name).stem)
    if found is None:
        return None
    return Place(found["patient"], int(found["x"]), int(found["y"]), found["label"])


def identify_idc(path: PurePosixPath) -> Identity:
    """Reads `…/<patient>/<0|1>/<patient>_idx5_x<X>_y<Y>_class<0|1>.png`.

    The folders decide; a name in the published form must agree with them. With a name in
    another form only the folders count, and the position is unknown.

    Raises:
        LeftOut: not in such folders, or a mask.
        Contradiction: folder and name do not agree.
    """
    if len(path.parts) < 3 or path.parts[-2] not in ("0", "1"):
        raise LeftOut(Reason.NO_CLASS, "expected <patient>/0 or <patient>/1")
    refuse_mask(path)
    patient, label = path.parts[-3], path.parts[-2]
    place = read_place(path.name)
    if place is None:
        return Identity(patient, label)
    if place.label not in (label, None):
        raise Contradiction(f"the folder says class {label}, the file name class {place.label}")
    if patient_key(place.patient) != patient_key(patient):
        raise Contradiction(f"the folder says patient {patient}, the file name {place.patient}")
    return Identity(patient, label, place.x, place.y)


def key_idc(path: PurePosixPath) -> str:
    """Names the image: the download may hold everything again in `IDC_regular_ps50_idx5/`.

    No other folder is skipped: `siteA/8863/0/1.png` and `siteB/8863/0/1.png` are two images.
    """
    return "/".join(part for part in path.parts if part != "IDC_regular_ps50_idx5")


register(
    Dataset(
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
        recipe="idc-cancernet",
        kaggle="paultimothymooney/breast-histopathology-images",
        defects=(
            "the Kaggle archive holds every image twice, again under IDC_regular_ps50_idx5/",
            "patches at the edge of a slide are smaller than 50x50",
            "the official patient lists name 162 of the 279 patients in the archive",
            "many patients have patches of one class only",
        ),
    )
)
