"""Data sets of breast ultrasound."""

import re
from pathlib import PurePosixPath

from cancernet.catalog.entry import Dataset, Identity, register
from cancernet.catalog.paths import (
    class_folder,
    key_path,
    refuse_mask,
    shipped_split,
    without_mask,
)

BUSI_CLASSES = ("benign", "malignant", "normal")


def identify_busi(path: PurePosixPath) -> Identity:
    """Reads `<class>/<class> (N).png`; no patient is known, so each scan names itself.

    Raises:
        LeftOut: not in a class folder, or a mask.
    """
    refuse_mask(path)
    return identify_busi_with_masks(path)


def identify_busi_with_masks(path: PurePosixPath) -> Identity:
    """Does the same, but takes a mask for an image of its scan, as a published system did.

    Raises:
        LeftOut: not in a class folder.
    """
    label = class_folder(path, BUSI_CLASSES)
    return Identity(f"{label}/{without_mask(path.stem)}", label)


register(
    Dataset(
        name="busi",
        title="Breast ultrasound images (BUSI): benign, malignant, normal",
        classes=BUSI_CLASSES,
        words=BUSI_CLASSES,
        positive=("malignant",),
        identify=identify_busi,
        key=key_path,
        layout="<class>/<class> (N).png, masks beside them as <class> (N)_mask.png",
        origin=(
            "Al-Dhabyani et al. 2020, Data in Brief 28:104863, doi:10.1016/j.dib.2019.104863; "
            "Kaggle: aryashah2k/breast-ultrasound-images-dataset"
        ),
        licence="free for research with citation of the paper; check the terms where you get it",
        recipe="busi-densenet121",
        kaggle="aryashah2k/breast-ultrasound-images-dataset",
        unit="group",
        by_content=True,
        two_labels_known=True,
        identify_with_masks=identify_busi_with_masks,
        grouping=(
            "BUSI has no patient ids: scans that look alike are one group, but two different "
            "scans of one patient are not recognised and may be in two splits."
        ),
        defects=(
            "798 of its 1,578 files are segmentation masks, not scans",
            "no patient ids, though 780 scans are of 600 patients",
            "benign (433) and malignant (145) are the same file under two labels",
            "dozens of near duplicates, some under two labels (Pawlowska et al. 2023)",
        ),
    )
)


_SOURCE_SCAN = re.compile(r"^(?P<source>.*?\(\d+\)|[^-]+)")


def identify_ultrasound(path: PurePosixPath) -> Identity:
    """Reads `{train,val}/{benign,malignant}/<class> (N)[-rotated1][-sharpened]….png`.

    The source is the stem up to the number in brackets, or else up to the first hyphen.

    Raises:
        LeftOut: not in a class folder, or a mask.
    """
    label = class_folder(path, ("benign", "malignant"))
    refuse_mask(path)
    found = _SOURCE_SCAN.match(path.stem)
    source = found["source"].strip() if found else path.stem
    return Identity(f"{label}/{source}", label, part=shipped_split(path)[0])


register(
    Dataset(
        name="ultrasound",
        title="Breast ultrasound, benign or malignant, augmented before it was published",
        classes=("benign", "malignant"),
        words=("benign", "malignant"),
        positive=("malignant",),
        identify=identify_ultrasound,
        key=key_path,
        layout="{train,val}/{benign,malignant}/<class> (N)[-rotated1][-sharpened].png",
        origin="Kaggle: vuppalaadithyasairam/ultrasound-breast-images-for-breast-cancer",
        licence="see the page on Kaggle",
        recipe="ultrasound-vgg16",
        kaggle="vuppalaadithyasairam/ultrasound-breast-images-for-breast-cancer",
        unit="source",
        grouping=(
            "A source is one scan, known by the stem of the file name; several scans of one "
            "patient are not recognised and may be in two splits."
        ),
        defects=(
            "9,016 files are rotated and sharpened variants of 496 scans",
            "variants of one scan are in both train and val, so the shipped split leaks",
            "no test set and no patient ids",
        ),
    )
)
