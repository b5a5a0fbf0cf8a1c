"""What every image is called in its class folder."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cancernet.catalog import Dataset
from cancernet.config import SPLITS
from cancernet.dataset.images import Images

LONGEST = 255  # bytes of a file name that every common file system takes


def make_folders(folder: Path, dataset: Dataset) -> None:
    """Makes the folder of every class in every split, also of those that stay empty.

    Loaders number the classes by the folders they see.
    """
    for split in SPLITS:
        for label in dataset.classes:
            (folder / split / label).mkdir(parents=True, exist_ok=True)


def namer(images: Images, splits: np.ndarray, dataset: Dataset) -> Callable[[int], str]:
    """Returns a function from the place of an image to `<split>/<class>/<name>`.

    A name keeps the form it was published in. Only where two images of a class have
    the same (`1.png` of every patient) it gets a few digits made from the source path
    and the patient in front.
    """
    labels, places = images.label.tolist(), splits.tolist()

    def name_of(place: int) -> str:
        source = images.sources[place]
        name = source.rpartition("/")[2]
        if images.common_name[place]:
            name = _prefixed(source, images.patients[int(images.patient[place])])
        return f"{SPLITS[places[place]]}/{dataset.classes[labels[place]]}/{name}"

    # Made when asked for: the list of all names would be as large as that of the sources.
    return name_of


def _prefixed(source: str, patient: str) -> str:
    digits = hashlib.sha256(source.encode()).hexdigest()[:8]
    # A group found by looking is named by a path, and a table may say anything.
    patient = patient.replace("/", "_").replace("\\", "_")
    name = f"{digits}-{patient}-{source.rpartition('/')[2]}"
    if len(name.encode()) <= LONGEST:
        return name
    suffix = Path(source).suffix
    kept = name.encode()[: LONGEST - len(suffix.encode())].decode(errors="ignore")
    return kept + suffix
