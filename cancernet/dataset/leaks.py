"""What a split lets through: groups, or variants of one image, in more than one of its parts."""

from collections.abc import Sequence

import numpy as np

from cancernet.base.errors import SplitError
from cancernet.base.words import some
from cancernet.config import SPLITS
from cancernet.dataset.families import families
from cancernet.dataset.images import Images

NAMED = 8
# Units that no name or table gave: groups found by looking, or each image by itself.
NOT_NAMED = ("group", "image")
# By the split in use, since nobody is helped by what was done already.
WAYS_OUT = {
    "patient": "say with --group-by content, a pattern or a table's column `patient` what belongs "
    "together",
    "lists": "put what belongs together on one list",
}


def find_leaks(images: Images, splits: np.ndarray, unit: str) -> list[str]:
    """Says in a sentence each what is in more than one split, naming the first few.

    Args:
        images: all of them.
        splits: int8, one an image, places in `config.SPLITS`.
        unit: what `images.patients` are, in a word.
    """
    groups = len(images.patients)
    found = _straddling(images.patient.astype(np.int64), images.patients, splits)
    leaks = []
    if found:
        leaks.append(
            f"{len(found):,} of {groups:,} {unit}s {'are' if len(found) > 1 else 'is'} in more "
            f"than one split: {some(found, NAMED)}."
        )
    if groups < len(images) and unit not in NOT_NAMED:
        return leaks
    # Where nothing says which images are of one patient, names are all there is to go by.
    family, names = families(images.sources, images.label)
    found = _straddling(family, names, splits)
    if found:
        leaks.append(
            f"{len(found):,} of {len(names):,} families of copies, by their names, "
            f"{'are' if len(found) > 1 else 'is'} in more than one split: {some(found, NAMED)}."
        )
    return leaks


def refuse_leaks(leaks: Sequence[str], *, split: str, allowed: bool) -> None:
    """Lets nothing leak unless the user insists.

    Args:
        leaks: what leaks, a sentence each.
        split: how the images were divided, one of `settings.SPLIT_KINDS`.
        allowed: whether the user insists.

    Raises:
        SplitError: something leaks; the message names it.
    """
    if leaks and not allowed:
        named = " ".join(leaks).removesuffix(".")
        raise SplitError(
            f"this split leaks: {named}; {WAYS_OUT.get(split, 'use --split patient')}, or insist "
            "with --allow-leaks, and every report made from it will say so"
        )


def _straddling(group: np.ndarray, names: list[str], splits: np.ndarray) -> list[str]:
    known = group >= 0
    present = np.zeros((len(names), len(SPLITS)), bool)
    present[group[known], splits[known]] = True
    return [names[place] for place in np.flatnonzero(present.sum(axis=1) > 1).tolist()]
