"""Finds what is in more than one split: patients, or variants of one image."""

from collections.abc import Sequence

import numpy as np

from cancernet.config import SPLITS
from cancernet.dataset.families import families
from cancernet.dataset.images import Images
from cancernet.dataset.leaks import Leak, LeakKind

EXAMPLES = 8
# Units that no name or table gave: groups found by looking, or each image by itself.
NOT_NAMED = ("group", "image")


def find_leaks(images: Images, splits: np.ndarray, unit: str) -> list[Leak]:
    """Returns what is in more than one split.

    Args:
        images: all of them.
        splits: int8, one an image, places in `config.SPLITS`.
        unit: what `images.patients` are, in a word.
    """
    groups = len(images.patients)
    leaks = []
    found = _straddling(images.patient.astype(np.int64), images.patients, splits)
    if found:
        leaks.append(_leak(LeakKind.UNITS, unit, found, groups))
    if groups < len(images) and unit not in NOT_NAMED:
        return leaks
    # Where nothing says which images are of one patient, names are all there is to go by.
    family, names = families(images.sources, images.label)
    found = _straddling(family, names, splits)
    if found:
        leaks.append(_leak(LeakKind.COPIES, unit, found, len(names)))
    return leaks


def _leak(kind: LeakKind, unit: str, found: Sequence[str], total: int) -> Leak:
    examples = tuple(found[:EXAMPLES])
    return Leak(kind=kind, unit=unit, count=len(found), total=total, examples=examples)


def _straddling(group: np.ndarray, names: list[str], splits: np.ndarray) -> list[str]:
    known = group >= 0
    present = np.zeros((len(names), len(SPLITS)), bool)
    present[group[known], splits[known]] = True
    return [names[place] for place in np.flatnonzero(present.sum(axis=1) > 1).tolist()]
