"""Data sets of breast ultrasound and of mammograms."""

import re
from pathlib import PurePosixPath

from cancernet.catalog.entry import Contradiction, Dataset, Identity, Tables, register
from cancernet.catalog.paths import (
    class_folder,
    key_path,
    refuse_mask,
    shipped_split,
    without_mask,
)

BUSI_CLASSES = ("benign", "malignant", "normal")
_NUMBERED_SCAN = re.compile(r"(benign|malignant|normal) \(\d+\)")


def scan_label(path: PurePosixPath, classes: tuple[str, ...]) -> str:
    """Returns the class of a scan by its folder, with which `<class> (N)…` must agree.

    Raises:
        LeftOut: not in a class folder.
        Contradiction: the file name has another class.
    """
    label = class_folder(path, classes)
    named = _NUMBERED_SCAN.match(path.name)
    if named is not None and named[1] != label:
        raise Contradiction(f"the folder says class {label}, the file name class {named[1]}")
    return label


def identify_busi(path: PurePosixPath) -> Identity:
    """Reads `<class>/<class> (N).png`; no patient is known, so each scan names itself."""
    refuse_mask(path)
    return identify_busi_with_masks(path)


def identify_busi_with_masks(path: PurePosixPath) -> Identity:
    """Does the same, but takes a mask for an image of its scan, as a published system did."""
    label = scan_label(path, BUSI_CLASSES)
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
    """
    label = scan_label(path, ("benign", "malignant"))
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


MAMMOGRAPHY_CLASSES = tuple(
    f"Density{density}{kind}" for density in (1, 2, 3, 4) for kind in ("Benign", "Malignant")
)
_WORDS = tuple(
    f"density {density} {kind}" for density in (1, 2, 3, 4) for kind in ("benign", "malignant")
)
_POSITIVE = tuple(name for name in MAMMOGRAPHY_CLASSES if name.endswith("Malignant"))
_COUNTER = re.compile(r"\s*\(\d+\)$")


def identify_mammography(path: PurePosixPath) -> Identity:
    """Reads `…/<class>/<source>[ (n)].png`: the variants of one mammogram share its number."""
    label = class_folder(path, MAMMOGRAPHY_CLASSES)
    refuse_mask(path)
    return Identity(_COUNTER.sub("", path.stem), label)


def key_mammography(path: PurePosixPath) -> str:
    """Names the image: both sizes hold the same, `Before…` and `After…` have names of their own."""
    before = any("before" in part.lower() for part in path.parts[:-2])
    return "/".join(("before" if before else "after", *path.parts[-2:]))


register(
    Dataset(
        name="mammography",
        title="Mammograms with masses, density 1-4, benign or malignant (INbreast, augmented)",
        classes=MAMMOGRAPHY_CLASSES,
        words=_WORDS,
        positive=_POSITIVE,
        identify=identify_mammography,
        key=key_mammography,
        layout="[Image After Data Augmentation, Image Size 224x224/]<class>/<source>[ (n)].png",
        origin=(
            "Lin & Huang 2020, Mendeley Data, doi:10.17632/x7bvzv6cvr.1, "
            "made from INbreast (Moreira et al. 2012)"
        ),
        licence="CC BY 4.0 as stated on Mendeley Data; cite INbreast too",
        recipe="mammography-simple",
        unit="source",
        grouping=(
            "A source is one mammogram, not one patient: two views of one breast, or both "
            "breasts of a patient, have two numbers and may be in two splits."
        ),
        defects=(
            "7,632 files are 72 variants of each of only 106 mammograms",
            "Density4Malignant has one mammogram only",
            "the folders Before... hold files of After... over again",
        ),
    )
)

register(
    Dataset(
        name="mammography-csv",
        title="The same mammograms without their numbers: Training_set.csv, Testing_set.csv",
        classes=MAMMOGRAPHY_CLASSES,
        words=_WORDS,
        positive=_POSITIVE,
        identify=identify_mammography,
        key=key_path,
        layout="Training_set.csv (filename,label), Testing_set.csv (filename), train/, test/",
        origin="a redistribution of doi:10.17632/x7bvzv6cvr.1 with new file names",
        licence="CC BY 4.0 as stated for the original on Mendeley Data; cite INbreast too",
        unit="group",
        by_content=True,
        tables=Tables("Training_set.csv", folder="train", unlabelled="Testing_set.csv"),
        grouping=(
            "The numbers of the mammograms are lost: variants of one are found by comparing "
            "images, which was reliable on 79 of the 106 whose numbers are known "
            "(docs/DATASETS.md); two mammograms of one patient are not recognised and may be in "
            "two splits."
        ),
        defects=(
            "the numbers of the 106 mammograms are lost, so variants of one can straddle splits",
            "the 1,908 images of Testing_set.csv have no label",
            "Density4Malignant has one mammogram only",
        ),
    )
)
