"""Decides which split each image goes to.

By patient: whole patients, every class in every split, and within that the shares of
all images and of each class as near the ratios as can be found (`nearest_split`).
By image: the tutorial's shuffle of patches, for comparison only; it leaks.
As shipped: the authors' own split, for comparison with what others published.
"""

from collections.abc import Callable, Sequence

import numpy as np

from cancernet.base.errors import SplitError
from cancernet.base.words import counted
from cancernet.catalog import Dataset, LeftOutFile, Reason
from cancernet.config import SPLITS
from cancernet.dataset.build_record import SetFacts
from cancernet.dataset.images import Images
from cancernet.dataset.nearest_split import nearest_split
from cancernet.dataset.notices import Notice, NoticeKind

# Attempts to place the patients of scarce classes before it is called impossible.
PLACINGS = 8
NOBODYS = -2  # the part of a patient who is in none
WAYS_OUT = "add patients, or assign them yourself with --split lists"
TRAINING, VALIDATION, TESTING = range(len(SPLITS))


def split_by_patient(
    images: Images, dataset: Dataset, ratios: dict[str, float], *, seed: int
) -> np.ndarray:
    """Returns the split of every image, int8 places in `SPLITS`; no patient is divided.

    With more than two classes, one with too few patients for every split does not stop the
    others: the only patient of a class trains; of two, one trains and one tests
    (see `notice_scarce`). These are placed first, and count for the other classes that they
    have too.

    Raises:
        SplitError: the patients cannot give every split every class.
    """
    counts = images.counts(len(dataset.classes))
    refuse_missing_classes(counts, dataset)
    scarce = scarce_classes(counts, dataset).tolist()
    if not scarce:
        refuse_too_few(counts, images, dataset)
    shares = np.array([ratios[name] for name in SPLITS])
    try:
        place = place_patients(counts, scarce, shares, _place_scarce, seed=seed)
    except ValueError:
        raise SplitError(
            "each class has enough patients, but they cannot be divided so that every split has "
            f"every class, because too many patients have several; {WAYS_OUT}"
        ) from None
    return place[images.patient].astype(np.int8)


def place_patients(
    counts: np.ndarray,
    scarce: Sequence[int],
    shares: np.ndarray,
    place_scarce: Callable[[np.ndarray, np.random.Generator], np.ndarray],
    *,
    seed: int,
) -> np.ndarray:
    """Returns the part of every patient, int64 (patients,), or `NOBODYS`.

    Args:
        counts: images of each patient in each class, (patients, classes).
        scarce: classes that need not be in every part, as places.
        shares: wanted share of each part, adding up to 1.
        place_scarce: of bool (patients, scarce classes), who has them, returns the part of these
            patients, by chance, and -1 for the others.
        seed: the same seed gives the same division.

    Raises:
        ValueError: not every part can have every other class that somebody has.
    """
    rng = np.random.default_rng(seed)
    ample = np.delete(counts, scarce, axis=1)
    ample = ample[:, ample.any(axis=0)]
    for _ in range(PLACINGS if len(scarce) else 1):
        place = place_scarce(counts[:, list(scarce)] > 0, rng)
        # Patients with scarce classes only are not divided with the others.
        divided = np.flatnonzero(ample.any(axis=1) & (place != NOBODYS))
        try:
            place[divided] = nearest_split(ample[divided], shares, seed=seed, fixed=place[divided])
        except ValueError:
            continue
        return place
    raise ValueError("not every part can have every class")


def scarce_classes(
    counts: np.ndarray, dataset: Dataset | SetFacts, *, needed: int = len(SPLITS)
) -> np.ndarray:
    """Returns the classes that must do without a split, as places; none when all must have all.

    Of two classes none may, because without one of them nothing can be measured. Of more, those
    may that have fewer patients than are needed, as long as positives and the rest each keep a
    class that is not scarce.

    Args:
        counts: images of each patient in each class, (patients, classes).
        needed: patients of a class, one for each split or fold.
    """
    few = (counts > 0).sum(axis=0) < needed
    positive = np.isin(dataset.classes, dataset.positive)
    if len(dataset.classes) == 2 or few[positive].all() or few[~positive].all():
        few[:] = False
    return np.flatnonzero(few)


def notice_scarce(
    counts: np.ndarray, labels: np.ndarray, place: np.ndarray, dataset: Dataset | SetFacts
) -> list[Notice]:
    """Returns which classes have too few patients to be in every split.

    Args:
        counts: images of each patient in each class, (patients, classes).
        labels: (images,), places in the classes.
        place: (images,), places in `SPLITS`.
        dataset: the catalogue's entry, or a built set of it.
    """
    there = np.zeros((len(SPLITS), counts.shape[1]), bool)
    there[place, labels] = True
    return [
        Notice(
            kind=NoticeKind.FEW_UNITS,
            classes=(dataset.called(index),),
            count=int((counts[:, index] > 0).sum()),
            unit=dataset.unit,
            splits=tuple(np.array(SPLITS)[there[:, index]].tolist()),
        )
        for index in scarce_classes(counts, dataset).tolist()
    ]


def _place_scarce(has: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the split of the patients with scarce classes, as `place_patients` takes it."""
    place = np.full(len(has), -1)
    for holds in has.T:
        having = rng.permutation(np.flatnonzero(holds & (place < 0)))
        place[having] = np.resize([TRAINING, TESTING], len(having))
    return place


def split_by_image(
    images: Images, dataset: Dataset, ratios: dict[str, float], *, seed: int
) -> np.ndarray:
    """Returns the split of every image, shuffled within each class without regard to patients.

    Raises:
        SplitError: a class has fewer images than there are splits.
    """
    refuse_missing_classes(images.counts(len(dataset.classes)), dataset)
    rng = np.random.default_rng(seed)
    splits = np.empty(len(images), np.int8)
    for label in range(len(dataset.classes)):
        members = np.flatnonzero(images.label == label)
        if len(members) < len(SPLITS):
            raise SplitError(
                f"class {dataset.called(label)} has only {len(members)} images, fewer than "
                f"the {len(SPLITS)} splits; add images"
            )
        quotas = _quotas(len(members), [ratios[split] for split in SPLITS])
        splits[rng.permutation(members)] = np.repeat(np.arange(len(SPLITS), dtype=np.int8), quotas)
    return splits


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
    refuse_too_few(counts, images, dataset, needed=2)
    shares = np.array([1 - validation_split, validation_split])
    try:
        place = nearest_split(counts, shares, seed=seed)
    except ValueError:
        raise SplitError(
            "the shipped training part cannot be divided so that training and validation both "
            "have every class; use --split patient"
        ) from None
    return np.asarray(place[images.patient] == 1)


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


def refuse_missing_classes(
    counts: np.ndarray, dataset: Dataset, left_out: Sequence[LeftOutFile] = ()
) -> None:
    """Raises SplitError where a class has no image.

    Args:
        counts: images, (patients, classes).
        left_out: some may be in the folder of no class because of its spelling.
    """
    per_class = counts.sum(axis=0)
    missing = [f"class {dataset.called(i)}" for i in np.flatnonzero(per_class == 0).tolist()]
    if missing:
        there = [f"class {dataset.called(i)}" for i in np.flatnonzero(per_class).tolist()]
        strays = [file.source for file in left_out if file.reason is Reason.NO_CLASS]
        renaming = ""
        if strays:
            files = counted(len(strays), "file is", "files are")
            what = f"{files} {Reason.NO_CLASS.value}, first {min(strays)}"
            renaming = f", or rename folders: {what}"
        raise SplitError(
            f"all {per_class.sum():,} images are of {' and '.join(there)}, none of "
            f"{' or '.join(missing)}; a network needs images of every class: add some"
            f"{renaming}"
        )


def refuse_too_few(
    counts: np.ndarray, images: Images, dataset: Dataset, *, needed: int = len(SPLITS)
) -> None:
    """Refuses images that cannot be divided into `needed` splits.

    Raises:
        SplitError: all images are of one patient, or a class has fewer patients.
    """
    unit = dataset.unit
    if len(images.patients) == 1:
        raise SplitError(
            f"all images are of one {unit} ({images.patients[0]}), which cannot be in training "
            f"and in testing; at least {needed} {unit}s are needed: add {unit}s"
        )
    having = (counts > 0).sum(axis=0)
    for index in np.flatnonzero(having < needed).tolist():
        few = counted(int(having[index]), f"{unit} has", f"{unit}s have")
        raise SplitError(
            f"only {few} images of class {dataset.called(index)}, but {needed} are needed, one "
            f"each for {', '.join(SPLITS[:needed])}; {WAYS_OUT}"
        )
