"""Folds of whole patients: groups as alike as can be, and data sets made of them.

    for fold in patient_folds(dataset, 3, seed=7):
        model, state = fit(fold, config, folder)

A fold is a data set like any other, except that it has no testing images: asking for them
is a KeyError.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from functools import partial

import numpy as np

from cancernet.base.errors import SplitError
from cancernet.base.words import counted
from cancernet.dataset.manifest import BuiltDataset, Part
from cancernet.dataset.splitting import NOBODYS, place_patients, scarce_classes

JOINED = ("training", "validation")


def patient_folds(dataset: BuiltDataset, folds: int, *, seed: int) -> list[BuiltDataset]:
    """Divides the patients of training and validation so that each validates once.

    The same seed gives the same folds. With more than two classes, one with fewer patients than
    folds is missing from some; the only patient of a class always trains.

    Raises:
        SplitError: fewer patients than folds, or not every fold can have every class.
    """
    both = join_parts([dataset.split(name) for name in JOINED])
    names, counts = patient_counts(both, len(dataset.classes))
    if len(names) < folds:
        raise SplitError(
            f"{dataset.folder} has {len(names)} patients for training and validation, too few for "
            f"{folds} folds; choose fewer --folds"
        )
    found = []
    scarce = scarce_classes(counts, dataset, needed=folds).tolist()
    for group in equal_groups(counts, folds, seed=seed, scarce=scarce):
        validating = [names[place] for place in group]
        validates = np.isin(both.patients, validating)
        rows = {"training": np.flatnonzero(~validates), "validation": np.flatnonzero(validates)}
        found.append(
            dataclasses.replace(
                dataset,
                parts={split: both.at(chosen) for split, chosen in rows.items()},
                fingerprint=fold_fingerprint(dataset, validating),
                whole=dataset,
            )
        )
    return found


def fold_fingerprint(dataset: BuiltDataset, *patients: Sequence[str]) -> str:
    """Returns the SHA-256 of a data set's fingerprint and of who is in which part of a fold."""
    key = " ".join([dataset.fingerprint, *(str(tuple(names)) for names in patients)])
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def patient_counts(part: Part, classes: int) -> tuple[list[str], np.ndarray]:
    """Returns the patients, sorted, and the images of each in each class, (patients, classes)."""
    names, place = np.unique(np.array(part.patients), return_inverse=True)
    counts = np.zeros((len(names), classes), np.int64)
    np.add.at(counts, (place, part.labels), 1)
    return [str(name) for name in names], counts


def equal_groups(
    counts: np.ndarray, groups: int, *, seed: int, scarce: Sequence[int] = ()
) -> list[np.ndarray]:
    """Divides patients into groups as alike in classes and size as whole patients permit.

    Args:
        counts: images of each patient in each class, (patients, classes).
        groups: how many; each gets every class that somebody has, but for `scarce`.
        seed: of the search.
        scarce: classes with fewer patients than groups, as places. Their patients are dealt out
            one to a group; the only patient of a class is in no group, or nobody would be left
            to train on.

    Returns:
        The places of each group's patients, rising.

    Raises:
        SplitError: not every group can have every class.
    """
    try:
        group_of = place_patients(
            counts, scarce, np.full(groups, 1 / groups), partial(_deal, groups), seed=seed
        )
    except RecursionError:  # hundreds of folds: it goes one level deeper for each cell
        raise SplitError(f"{groups} folds are too many; choose fewer --folds") from None
    except ValueError:
        having = (np.delete(counts, scarce, axis=1) > 0).sum(axis=0)
        fewest = int(having[having > 0].min())
        raise SplitError(
            f"{groups} folds cannot each have every class (one class has "
            f"{counted(fewest, 'patient')}); choose fewer --folds"
        ) from None
    return [np.flatnonzero(group_of == number) for number in range(groups)]


def _deal(groups: int, has: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the group of the patients with scarce classes, as `place_patients` takes it."""
    group_of = np.full(len(has), -1)
    group_of[has[:, has.sum(axis=0) == 1].any(axis=1)] = NOBODYS
    for holds in has.T[np.argsort(has.sum(axis=0), kind="stable")]:
        open_to = np.setdiff1d(np.arange(groups), group_of[holds])
        undealt = np.flatnonzero(holds & (group_of == -1))
        group_of[undealt] = rng.permutation(open_to)[: len(undealt)]
    return group_of


def join_parts(parts: Sequence[Part]) -> Part:
    """Returns the images of several parts as one, in the order given."""
    return Part(
        [path for part in parts for path in part.paths],
        np.concatenate([part.labels for part in parts]),
        [patient for part in parts for patient in part.patients],
        np.concatenate([part.x for part in parts]),
        np.concatenate([part.y for part in parts]),
    )
