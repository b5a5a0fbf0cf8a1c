"""The split that a data set was shipped with, for comparison with what others published."""

import numpy as np

from cancernet.base.errors import SplitError
from cancernet.catalog import Dataset
from cancernet.config import SPLITS
from cancernet.dataset import patient_split
from cancernet.dataset.images import Images
from cancernet.dataset.nearest_split import nearest_split

TRAINING, VALIDATION, TESTING = range(3)


def split_as_shipped(
    images: Images, dataset: Dataset, validation_split: float, *, seed: int
) -> np.ndarray:
    """Returns the split of every image, int8 places in `SPLITS`.

    Published sets often ship `train` and `val` only, and report on `val`: that part
    becomes testing, and a share of `train`, by whole patients, validates. What leaks
    between the shipped parts stays as it is.

    Raises:
        SplitError: the images were not shipped in parts, or a part lacks a class.
    """
    splits = images.part.astype(np.int8).copy()
    if (splits < 0).any():
        example = images.sources[int(np.flatnonzero(splits < 0)[0])]
        raise SplitError(
            f"{dataset.name} was not shipped in parts here ({example} is in no folder train, val "
            "or test); use --split patient"
        )
    if not (splits == TESTING).any():
        splits[splits == VALIDATION] = TESTING
    if not (splits == VALIDATION).any():
        inside = np.flatnonzero(splits == TRAINING)
        splits[inside[_validates(images.take(inside), dataset, validation_split, seed)]] = (
            VALIDATION
        )
    for place, split in enumerate(SPLITS):
        present = set(images.label[splits == place].tolist())
        missing = [n for i, n in enumerate(dataset.classes) if i not in present]
        if missing:
            raise SplitError(
                f"the part shipped for {split} has no image of {', '.join(missing)}; use "
                "--split patient"
            )
    return splits


def _validates(images: Images, dataset: Dataset, validation_split: float, seed: int) -> np.ndarray:
    """Tells which of the training images validate, by whole patients."""
    counts = images.counts(len(dataset.classes))
    patient_split.refuse_too_few(counts, images, dataset, needed=2)
    shares = np.array([1 - validation_split, validation_split])
    try:
        place = nearest_split(counts, shares, seed=seed)
    except ValueError:
        raise SplitError(
            "the shipped training part cannot be divided so that training and validation both "
            "have every class; use --split patient"
        ) from None
    return np.asarray(place[images.patient] == 1)
