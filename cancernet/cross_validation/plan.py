"""Which patients test, validate and train in every fold: whole patients, never patches."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cancernet.base.errors import SplitError
from cancernet.base.words import counted
from cancernet.config import SPLITS, TrainConfig
from cancernet.dataset.folds import (
    equal_groups,
    fold_fingerprint,
    join_parts,
    patient_counts,
)
from cancernet.dataset.manifest import BuiltDataset, Part
from cancernet.dataset.nearest_split import nearest_split
from cancernet.dataset.splitting import TRAINING, notice_scarce, scarce_classes
from cancernet.runs.run_record import CrossValidationRecord, Fold

PATIENTS = "patients"
# Of the patients that a fold does not test. More than in a single split, because the
# operating point of a fold rests on them alone.
VALIDATION_SHARE = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrossValidation:
    """What is divided into folds, with which settings, and the folder of the results."""

    folder: Path
    dataset: BuiltDataset
    config: TrainConfig
    record: CrossValidationRecord


def plan_folds(
    dataset: BuiltDataset, folds: str, *, only: Sequence[str] = (), seed: int
) -> list[Fold]:
    """Divides all patients of a built data set, whatever its own splits were.

    With more than two classes, one with fewer patients than folds is missing from some of them,
    and the only patient of a class is never tested.

    Args:
        dataset: the data set.
        folds: a number from 2 to that of the patients, for folds as alike in classes and size
            as whole patients permit; or "patients" to leave out one patient at a time.
        only: leave out only these patients, one in each fold.
        seed: of the division.

    Raises:
        SplitError: the patients cannot be divided so; the message says what to do.
    """
    patients, counts = patient_counts(joined(dataset), len(dataset.classes))
    found = []
    groups = _groups(dataset, patients, counts, folds, only, seed)
    for number, testing in enumerate(groups, start=1):
        rest = np.setdiff1d(np.arange(len(patients)), testing)
        validation = rest[_validates(dataset, counts[rest], seed, number)]
        found.append(
            Fold(
                number=number,
                testing=tuple(patients[place] for place in testing),
                validation=tuple(patients[place] for place in validation),
            )
        )
    return found


def fold_dataset(dataset: BuiltDataset, fold: Fold) -> BuiltDataset:
    """Returns the data set divided as the fold says; the images stay where they are."""
    whole = joined(dataset)
    patients = np.array(whole.patients)
    testing = np.isin(patients, fold.testing)
    validation = np.isin(patients, fold.validation)
    chosen = (~testing & ~validation, validation, testing)
    parts = {
        name: whole.at(np.flatnonzero(rows)) for name, rows in zip(SPLITS, chosen, strict=True)
    }
    place = np.select(chosen, range(len(SPLITS)))
    counts = patient_counts(whole, len(dataset.classes))[1]
    return dataset.divided(
        parts,
        # Between folds of whole patients, copies among patients and masks still leak.
        leaks=tuple(leak for leak in dataset.leaks if not leak.kind.of_units),
        notices=(
            *(notice for notice in dataset.notices if not notice.kind.of_splits),
            *notice_scarce(counts, whole.labels, place, dataset),
        ),
        split_kind=(
            f"in folds of whole patients; this fold tests {len(fold.testing)} and validates on "
            f"{len(fold.validation)} of {len(set(whole.patients))} patients"
        ),
        fingerprint=fold_fingerprint(dataset, fold.testing, fold.validation),
        whole=dataset,
    )


def joined(dataset: BuiltDataset) -> Part:
    """Returns all images, training first, then validation and testing."""
    return join_parts([dataset.split(name) for name in SPLITS])


def _groups(
    dataset: BuiltDataset,
    patients: list[str],
    counts: np.ndarray,
    folds: str,
    only: Sequence[str],
    seed: int,
) -> list[np.ndarray]:
    one_by_one = folds == PATIENTS or folds == str(len(patients))
    if only:
        if not one_by_one:
            raise SplitError("--fold-patients needs --folds patients")
        unknown = sorted(set(only) - set(patients))
        if unknown:
            raise SplitError(
                f"the data set has no patient {unknown[0]} (--fold-patients); it has "
                f"{', '.join(patients[:10])}{' ...' if len(patients) > 10 else ''}"
            )
        return [np.array([patients.index(name)]) for name in dict.fromkeys(only)]
    if one_by_one:
        lone = counts[:, scarce_classes(counts, dataset, needed=2)].any(axis=1)
        return [np.array([place]) for place in np.flatnonzero(~lone)]
    if not folds.isdecimal() or not 2 <= int(folds) <= len(patients):
        raise SplitError(
            f"--folds is {folds}, but must be `patients`, or a number from 2 to the "
            f"{len(patients)} patients of the data set"
        )
    scarce = scarce_classes(counts, dataset, needed=int(folds)).tolist()
    try:
        return equal_groups(counts, int(folds), seed=seed, scarce=scarce)
    except SplitError as error:
        # Three patients with every class are enough: one tests, one validates, one trains.
        instead = ", or --folds patients" if (counts > 0).sum(axis=0).min() >= 3 else ""
        raise SplitError(f"{error}{instead}") from None


def _validates(dataset: BuiltDataset, counts: np.ndarray, seed: int, number: int) -> np.ndarray:
    """Chooses who validates, so that training and validation both have every class.

    Of more than two classes, one that a single patient is left with only trains.

    Args:
        dataset: the data set.
        counts: images of each patient whom the fold does not test, in each class.
        seed: of the division.
        number: of the fold.

    Returns:
        bool (patients,).
    """
    having = (counts > 0).sum(axis=0)
    lone = scarce_classes(counts, dataset, needed=2)
    if (np.delete(having, lone) < 2).any() or not having.all():
        raise SplitError(
            f"without the patients that fold {number} tests, a class has "
            f"{counted(int(having.min()), 'patient')}, and training and validation need one each; "
            "choose other --folds, or add patients"
        )
    trains = np.where(counts[:, lone].any(axis=1), TRAINING, -1)
    divided = np.delete(counts, lone, axis=1)
    shares = np.array([1 - VALIDATION_SHARE, VALIDATION_SHARE])
    try:
        return nearest_split(divided, shares, seed=seed, fixed=trains) == 1
    except ValueError:
        raise SplitError(
            f"the patients that fold {number} does not test cannot be divided so that training "
            "and validation both have every class; choose other --folds, or add patients"
        ) from None
