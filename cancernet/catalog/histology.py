"""Data sets of tissue under the microscope."""

import dataclasses
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
from cancernet.catalog.paths import (
    class_folder,
    key_name,
    key_path,
    patient_above_class,
    refuse_mask,
)

# What a folder of one class may be called. `IDC` alone may be the folder of them all.
_CLASS_OF = {
    **dict.fromkeys(("0", "class0", "no-cancer", "non-cancer", "noncancer", "no-idc", "non-idc",
                     "idc-negative", "negative", "benign", "normal", "healthy"), "0"),
    **dict.fromkeys(("1", "class1", "cancer", "idc-positive", "positive", "malignant"), "1"),
}  # fmt: skip


def class_of_folder(name: str) -> str | None:
    """Returns the class that a folder's name means, such as `Non-Cancer`; None for another name."""
    return _CLASS_OF.get(re.sub(r"[\s_]", "-", name.casefold()))


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
    label = class_of_folder(folders[-1]) if folders else None
    above = folders[-2:-1] if label is not None else folders[-1:]
    place = read_place(path.name)
    if place is None:
        return dataclasses.replace(patient_above_class(path, ("0", "1")), part="")
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


_BREAKHIS = re.compile(
    r"[A-Z]+_(?P<kind>[BM])_[A-Z]+-(?P<year>\d+)-(?P<specimen>\d+)[A-Z]*-(?:40|100|200|400)-\d+"
)
_BREAKHIS_CLASSES = {"B": "benign", "M": "malignant"}


def identify_breakhis(path: PurePosixPath) -> Identity:
    """Reads `SOB_<B|M>_<type>-<year>-<specimen>-<magnification>-<number>.png` in any folder.

    A patient is a specimen without the letters of its blocks, at all magnifications.
    """
    found = _BREAKHIS.fullmatch(path.stem)
    if found is None:
        raise LeftOut(
            Reason.BAD_NAME, "expected SOB_<B|M>_<type>-<year>-<patient>-<magnification>-<number>"
        )
    label = _BREAKHIS_CLASSES[found["kind"]]
    for folder in path.parts[:-1]:
        if folder in _BREAKHIS_CLASSES.values() and folder != label:
            raise Contradiction(f"the folder says class {folder}, the file name class {label}")
    return Identity(f"{found['year']}-{found['specimen']}", label)


register(
    Dataset(
        name="breakhis",
        title="Breast tumours in histology (BreakHis), 40x to 400x, benign or malignant",
        classes=("benign", "malignant"),
        words=("benign", "malignant"),
        positive=("malignant",),
        identify=identify_breakhis,
        key=key_name,
        layout="SOB_<B|M>_<type>-<year>-<patient>-<magnification>-<number>.png in any folder",
        origin=(
            "Spanhol et al. 2016, IEEE Trans. Biomed. Eng. 63(7):1455-1462, "
            "doi:10.1109/TBME.2015.2496264; Kaggle: ambarish/breakhis"
        ),
        licence="free for research with citation of the paper; check the terms where you get it",
        kaggle="ambarish/breakhis",
        defects=(
            "7,909 images of 82 patients, each at four magnifications: images must not be split",
            "the 82 count blocks of one specimen, such as 22549AB and 22549CD, as patients",
            "specimen 13412 is there as ductal and as lobular carcinoma",
        ),
    )
)

BACH_CLASSES = ("Normal", "Benign", "InSitu", "Invasive")
_BACH_NAME = re.compile(r"(n|b|is|iv)\d+")
_BACH_LETTERS = dict(zip(("n", "b", "is", "iv"), BACH_CLASSES, strict=True))


def identify_bach(path: PurePosixPath) -> Identity:
    """Reads `…/<class>/<n|b|is|iv><number>.tif`; each image names itself."""
    label = class_folder(path, BACH_CLASSES)
    refuse_mask(path)
    found = _BACH_NAME.fullmatch(path.stem)
    if found is not None and _BACH_LETTERS[found[1]] != label:
        raise Contradiction(
            f"the folder says class {label}, the file name class {_BACH_LETTERS[found[1]]}"
        )
    return Identity(f"{label}/{path.stem}", label)


register(
    Dataset(
        name="bach",
        title="Breast histology of the BACH challenge (ICIAR 2018), four classes",
        classes=BACH_CLASSES,
        words=("normal", "benign", "in situ carcinoma", "invasive carcinoma"),
        positive=("InSitu", "Invasive"),
        identify=identify_bach,
        key=key_path,
        layout="[Photos/]<class>/<n|b|is|iv><number>.tif, class Normal, Benign, InSitu or Invasive",
        origin="Aresta et al. 2019, Med. Image Anal. 56:122-139; doi:10.5281/zenodo.3632035",
        licence="CC BY-NC-ND 4.0",
        unit="group",
        by_content=True,
        grouping=(
            "The patients of BACH are known for a part of the images only, in a list beside the "
            "set: images that look alike are one group, but two different images of one patient "
            "are not recognised and may be in two splits."
        ),
        defects=(
            "400 images without patients in their names",
            "the 100 images of the challenge's test set have no label",
            "images on which the two experts disagreed were discarded, so hard cases are missing",
        ),
    )
)
