"""A few images of each split, to try a system before it is trained on all of them."""

import dataclasses

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.dataset.folds import choose_rows
from cancernet.dataset.manifest import BuiltDataset, Part, count_part
from cancernet.dataset.notices import Notice, NoticeKind, say_notice


def limited(dataset: BuiltDataset, limit: int, *, seed: int) -> BuiltDataset:
    """Keeps at most `limit` images a split, each class in about its share and none lost.

    Args:
        dataset: a built data set.
        limit: images a split, 0 for all; at least as many as there are classes.
        seed: decides which images.

    Returns:
        The data set with fewer images in the same order; its way of splitting and its
        warnings say so. Its fingerprint stays that of the whole.

    Raises:
        CancerNetError: fewer images than classes.
    """
    if not limit:
        return dataset
    check_limit(dataset, limit)
    parts = {name: _limited_part(part, limit, seed) for name, part in dataset.parts.items()}
    return dataclasses.replace(
        dataset,
        parts=parts,
        counts={
            name: count_part(part, dataset.classes, dataset.positive)
            for name, part in parts.items()
        },
        split_kind=f"{dataset.split_kind}; of each split only {limit} images (--limit {limit})",
        notices=(*dataset.notices, Notice(kind=NoticeKind.TRIAL, count=limit)),
    )


def check_limit(dataset: BuiltDataset, limit: int) -> None:
    """Raises CancerNetError when there would be fewer images than classes."""
    if 0 < limit < len(dataset.classes):
        raise CancerNetError(
            f"--limit {limit} is fewer images than the {len(dataset.classes)} classes of "
            f"{dataset.name}; give at least that many"
        )


def say_limit(limit: int) -> list[str]:
    """Returns what a reader must know of a training with few images."""
    return [say_notice(Notice(kind=NoticeKind.TRIAL, count=limit))] if limit else []


def shares(counts: np.ndarray, limit: int) -> np.ndarray:
    """Divides `limit` images among classes: in proportion, at least one where there is any.

    Args:
        counts: images of each class, shape (classes,).
        limit: at least as many as there are classes.

    Returns:
        How many of each class, int64 (classes,): none above its count, together `limit`
        or all there are.
    """
    kept = np.minimum(counts, 1)
    while kept.sum() < min(limit, counts.sum()):
        wanted = np.where(kept < counts, counts / (kept + 0.5), -1.0)  # Webster's method
        kept[wanted.argmax()] += 1
    return kept


def _limited_part(part: Part, limit: int, seed: int) -> Part:
    if len(part.paths) <= limit:
        return part
    random = np.random.default_rng(seed)
    counts = np.bincount(part.labels)
    chosen = np.sort(
        np.concatenate(
            [
                random.permutation(np.flatnonzero(part.labels == label))[:number]
                for label, number in enumerate(shares(counts, limit))
            ]
        )
    )
    return choose_rows(part, chosen)
