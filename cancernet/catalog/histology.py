"""Data sets of tissue under the microscope."""

import re
from pathlib import PurePosixPath

from cancernet.base.patch_name import patient_key, read_place
from cancernet.catalog.entry import (
    Contradiction,
    Dataset,
    Identity,
    LeftOut,
    Reason,
    register,
)
from cancernet.catalog.paths import refuse_mask, shipped_split

# What a folder of one class may be called. `IDC` alone may be the folder of them all.
_CLASS_OF = {
    **dict.fromkeys(("0", "class0", "no-cancer", "non-cancer", "noncancer", "no-idc", "non-idc",
                     "idc-negative", "negative", "benign", "normal", "healthy"), "0"),
    **dict.fromkeys(("1", "class1", "cancer", "idc-positive", "positive", "malignant"), "1"),
}  # fmt: skip


def identify_idc(path: PurePosixPath) -> Identity:
    """Reads `<patient>_idx5_x<X>_y<Y>_class<0|1>.png` in any folder, or `…/<patient>/<0|1>/…`.

    A name in the published form says everything, and folders that name a class or a patient
    must agree with it. With a name in another form only the folders count, and the position is
    unknown. The folders of a split count for nothing: whoever divided patches did not say how.

    Raises:
        LeftOut: neither the name nor the folders say patient and class, or a mask.
        Contradiction: folder and name do not agree.
    """
    refuse_mask(path)
    folders = list(path.parts[:-1])
    label = _CLASS_OF.get(re.sub(r"[\s_]", "-", folders[-1].casefold())) if folders else None
    above = folders[-2:-1] if label is not None else folders[-1:]
    place = read_place(path.name)
    if place is None:
        if label is None or not above or folders[-1] not in ("0", "1"):
            raise LeftOut(Reason.NO_CLASS, "expected <patient>/0 or <patient>/1")
        if shipped_split(PurePosixPath(*above, path.name))[0]:
            raise LeftOut(Reason.BAD_NAME, f"it names no patient, and nor does {above[0]}")
        return Identity(above[0], label)
    if place.label is not None and label not in (place.label, None):
        raise Contradiction(f"the folder says class {label}, the file name class {place.label}")
    label = place.label or label
    if label not in ("0", "1"):
        raise LeftOut(Reason.NO_CLASS, "neither the name nor the folder says class 0 or 1")
    # Other folders than those of a number may have any name.
    folder = patient_key(above[0]) if above else ""
    if folder.isdecimal() and folder != patient_key(place.patient):
        raise Contradiction(f"the folder says patient {above[0]}, the file name {place.patient}")
    return Identity(place.patient, label, place.x, place.y)


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
