"""Data sets of tissue under the microscope."""

import re
from pathlib import PurePosixPath

from cancernet.catalog.entry import Contradiction, Dataset, Identity, LeftOut, is_mask, register

_IDC_NAME = re.compile(
    r"^(?P<patient>\d+)_idx\d+_x(?P<x>\d{1,9})_y(?P<y>\d{1,9})_class(?P<label>\d+)$"
)


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
    """The download may hold everything twice, again under `IDC_regular_ps50_idx5/`.

    No other folder is passed over: `siteA/8863/0/1.png` and `siteB/8863/0/1.png` are two images.
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
