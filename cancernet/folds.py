"""Training and validation divided anew into folds of whole patients; testing stays out.

    for fold in patient_folds(dataset, 3, seed=7):
        model, state = fit(fold, config, folder)

A fold is a data set like any other, except that it has no testing images at all: who
asks for them gets a KeyError.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from cancernet.errors import SplitError
from cancernet.manifest import BuiltDataset, Part

JOINED = ("training", "validation")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fold(BuiltDataset):
    """A built data set whose training and validation images are divided otherwise.

    Attributes:
        whole: the data set it was made from.
        places: split -> int64 (n,), places in `whole`'s training images followed by its
            validation images.
    """

    whole: BuiltDataset
    places: dict[str, np.ndarray]


def patient_folds(dataset: BuiltDataset, folds: int, *, seed: int) -> list[Fold]:
    """Divides the patients of training and validation so that each validates once.

    The folds are of whole patients, shuffled by the seed and as alike in classes as
    scikit-learn's StratifiedGroupKFold makes them. The same arguments give the same
    folds.

    Args:
        dataset: a built data set.
        folds: number of folds, at least 2.
        seed: of the shuffling.

    Raises:
        SplitError: fewer patients than folds, or a fold without images of some side.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    both = join_parts([dataset.split(name) for name in JOINED])
    labels, patients = both.labels, np.array(both.patients)
    if len(set(patients)) < folds:
        raise SplitError(
            f"{dataset.folder} has {len(set(patients))} patients for training and validation, too "
            f"few for {folds} folds; choose fewer --folds"
        )
    divided = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(
        np.zeros(len(labels)), labels, patients
    )
    found = []
    for number, (training, validation) in enumerate(divided, start=1):
        places = {"training": np.sort(training), "validation": np.sort(validation)}
        _check_sides(dataset, labels, places, f"fold {number} of {folds}")
        found.append(_fold(dataset, both, places, number))
    return found


def _fold(dataset: BuiltDataset, both: Part, places: dict[str, np.ndarray], number: int) -> Fold:
    values = {
        field.name: getattr(dataset, field.name) for field in dataclasses.fields(BuiltDataset)
    }
    values["parts"] = {split: choose_rows(both, rows) for split, rows in places.items()}
    values["fingerprint"] = f"{dataset.fingerprint}-fold-{number}"
    return Fold(**values, whole=dataset, places=places)


def join_parts(parts: Sequence[Part]) -> Part:
    """Returns the images of several parts as one, in the order given."""
    return Part(
        [path for part in parts for path in part.paths],
        np.concatenate([part.labels for part in parts]),
        [patient for part in parts for patient in part.patients],
        np.concatenate([part.x for part in parts]),
        np.concatenate([part.y for part in parts]),
    )


def choose_rows(part: Part, rows: np.ndarray) -> Part:
    """Returns the images at these places of a part, int64 (n,), in their order."""
    return Part(
        [part.paths[row] for row in rows],
        part.labels[rows],
        [part.patients[row] for row in rows],
        part.x[rows],
        part.y[rows],
    )


def _check_sides(
    dataset: BuiltDataset, labels: np.ndarray, places: dict[str, np.ndarray], where: str
) -> None:
    positive = np.isin(labels, [dataset.classes.index(name) for name in dataset.positive])
    for split, rows in places.items():
        if positive[rows].all() or not positive[rows].any():
            side = "positive" if positive[rows].all() else "negative"
            raise SplitError(
                f"in {where} all images for {split} are {side}, so it cannot be judged; choose "
                "fewer --folds, or another --seed"
            )
