"""Data sets of mammograms."""

import re
from pathlib import PurePosixPath

from cancernet.catalog.entry import Dataset, Identity, Tables, register
from cancernet.catalog.paths import class_folder, key_path, refuse_mask

MAMMOGRAPHY_CLASSES = tuple(
    f"Density{density}{kind}" for density in (1, 2, 3, 4) for kind in ("Benign", "Malignant")
)
_WORDS = tuple(
    f"density {density} {kind}" for density in (1, 2, 3, 4) for kind in ("benign", "malignant")
)
_POSITIVE = tuple(name for name in MAMMOGRAPHY_CLASSES if name.endswith("Malignant"))
_COUNTER = re.compile(r"\s*\(\d+\)$")


def identify_mammography(path: PurePosixPath) -> Identity:
    """Reads `…/<class>/<source>[ (n)].png`: the variants of one mammogram share its number.

    Raises:
        LeftOut: not in a class folder, or a mask.
    """
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
