"""What every image is called in its class folder."""

import hashlib
from pathlib import Path

import numpy as np

from cancernet.building.columns import Images
from cancernet.catalog import Dataset
from cancernet.config import SPLITS

LONGEST = 255  # bytes of a file name that every common file system takes


def make_folders(folder: Path, dataset: Dataset) -> None:
    """Makes the folder of every class in every split, also of those that stay empty.

    Loaders number the classes by the folders they see.
    """
    for split in SPLITS:
        for label in dataset.classes:
            (folder / split / label).mkdir(parents=True, exist_ok=True)


def place_names(images: Images, splits: np.ndarray, dataset: Dataset) -> list[str]:
    """Returns `<split>/<class>/<name>` for every image.

    A name keeps the form it was published in. Only where two images of a class have
    the same (`1.png` of every patient) it gets a few digits made from the source path
    and the patient in front.
    """
    common = images.common_name.tolist()
    labels, places = images.label.tolist(), splits.tolist()
    return [
        f"{SPLITS[places[i]]}/{dataset.classes[labels[i]]}/"
        + (_prefixed(source, _patient(images, i)) if common[i] else source.rpartition("/")[2])
        for i, source in enumerate(images.sources)
    ]


def _patient(images: Images, place: int) -> str:
    return images.patients[int(images.patient[place])]


def _prefixed(source: str, patient: str) -> str:
    digits = hashlib.sha256(source.encode()).hexdigest()[:8]
    name = f"{digits}-{patient}-{source.rpartition('/')[2]}"
    if len(name.encode()) <= LONGEST:
        return name
    suffix = Path(source).suffix
    kept = name.encode()[: LONGEST - len(suffix.encode())].decode(errors="ignore")
    return kept + suffix
