"""Decides which split each image goes to.

By patient: whole patients, every class in every split, and within that the shares of
all images and of each class as near the ratios as can be found (`nearest_split`).
By image: the tutorial's shuffle of patches, for comparison only; it leaks.
"""

import numpy as np

from cancernet.building.columns import Images
from cancernet.building.nearest_split import cover_every_class, nearest_split
from cancernet.catalog import Dataset
from cancernet.config import SPLITS
from cancernet.errors import SplitError

WAYS_OUT = "add patients, or say yourself who goes where with --split lists"


def split_by_patient(
    images: Images, dataset: Dataset, ratios: dict[str, float], *, seed: int
) -> np.ndarray:
    """Returns the split of every image, int8 places in `SPLITS`; no patient is divided.

    Raises:
        SplitError: the patients cannot give every split every class.
    """
    counts = images.counts(len(dataset.classes))
    _refuse_missing_classes(counts, dataset)
    _refuse_too_few_patients(counts, images, dataset)
    shares = np.array([ratios[name] for name in SPLITS])
    cover = cover_every_class(counts > 0, len(SPLITS), rng=np.random.default_rng(seed))
    if cover is None:
        raise SplitError(
            "each class has patients enough, but they cannot be divided so that every split "
            f"has every class, because too many patients have several; {WAYS_OUT}"
        )
    return nearest_split(counts, shares, seed=seed)[images.patient].astype(np.int8)


def split_by_image(
    images: Images, dataset: Dataset, ratios: dict[str, float], *, seed: int
) -> np.ndarray:
    """Returns the split of every image, shuffled within each class without regard to patients.

    Raises:
        SplitError: a class has fewer images than there are splits.
    """
    _refuse_missing_classes(images.counts(len(dataset.classes)), dataset)
    rng = np.random.default_rng(seed)
    splits = np.empty(len(images), np.int8)
    for label, name in enumerate(dataset.classes):
        members = np.flatnonzero(images.label == label)
        if len(members) < len(SPLITS):
            raise SplitError(
                f"class {name} ({dataset.word(name)}) has only {len(members)} images, fewer than "
                f"the {len(SPLITS)} splits; add images"
            )
        quotas = _quotas(len(members), [ratios[split] for split in SPLITS])
        splits[rng.permutation(members)] = np.repeat(np.arange(len(SPLITS), dtype=np.int8), quotas)
    return splits


def straddling_patients(images: Images, splits: np.ndarray) -> int:
    """Returns how many patients have images in more than one split."""
    present = np.zeros((len(images.patients), len(SPLITS)), bool)
    present[images.patient, splits] = True
    return int((present.sum(axis=1) > 1).sum())


def _quotas(total: int, ratios: list[float]) -> np.ndarray:
    """Whole numbers nearest to the ratios (largest remainder), none of them zero."""
    exact = np.array(ratios) * total
    quotas = np.maximum(np.floor(exact).astype(int), 1)
    while quotas.sum() != total:
        step = 1 if quotas.sum() < total else -1
        need = (exact - quotas) * step
        need[(quotas + step) < 1] = -np.inf
        quotas[np.argmax(need)] += step
    return quotas


def _refuse_missing_classes(counts: np.ndarray, dataset: Dataset) -> None:
    per_class = counts.sum(axis=0)
    missing = [_called(dataset, i) for i in np.flatnonzero(per_class == 0).tolist()]
    if missing:
        there = [_called(dataset, i) for i in np.flatnonzero(per_class).tolist()]
        raise SplitError(
            f"all {per_class.sum():,} images are of {' and '.join(there)}, none of "
            f"{' or '.join(missing)}; a network needs images of every class: add some"
        )


def _refuse_too_few_patients(counts: np.ndarray, images: Images, dataset: Dataset) -> None:
    needed = len(SPLITS)
    if len(images.patients) == 1:
        raise SplitError(
            f"all images are of one patient ({images.patients[0]}), who cannot be in training "
            f"and in testing; at least {needed} patients are needed: add patients"
        )
    having = (counts > 0).sum(axis=0)
    for index in np.flatnonzero(having < needed).tolist():
        patients = "1 patient has" if having[index] == 1 else f"{having[index]} patients have"
        raise SplitError(
            f"only {patients} images of {_called(dataset, index)}, but {needed} are needed, one "
            f"each for {', '.join(SPLITS)}; {WAYS_OUT}"
        )


def _called(dataset: Dataset, index: int) -> str:
    return f"class {dataset.classes[index]} ({dataset.words[index]})"
