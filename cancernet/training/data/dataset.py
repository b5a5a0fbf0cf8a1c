"""The data set that a training learns from: whole, fitting the settings, limited."""

import dataclasses
from pathlib import Path

import numpy as np

from cancernet.base.errors import CancerNetError, RunError
from cancernet.config import TrainConfig
from cancernet.dataset.folds import choose_rows
from cancernet.dataset.manifest import BuiltDataset, Part, count_part, read_dataset
from cancernet.dataset.notices import Notice, NoticeKind
from cancernet.recipes import flags_for


def open_dataset(data: Path | BuiltDataset, config: TrainConfig) -> BuiltDataset:
    """Opens the data set that a training learns from: whole, fitting the settings, limited.

    Raises:
        CancerNetError: it cannot be read, an image or a split is missing, or the settings
            are for another data set.
    """
    dataset = data if isinstance(data, BuiltDataset) else read_whole(data)
    check_fit(dataset, config)
    return limited(dataset, config.limit, seed=config.seed)


def read_whole(folder: Path) -> BuiltDataset:
    """Reads a built data set that has images in every split, all of them on the disk.

    Raises:
        CancerNetError: not so; the message says what to do.
    """
    dataset = read_dataset(folder)
    for name in ("training", "validation", "testing"):
        if not len(dataset.split(name).paths):
            raise RunError(f"{dataset.folder} has no {name} images; build it again")
    dataset.check_files()
    return dataset


def check_fit(dataset: BuiltDataset, config: TrainConfig) -> None:
    """Raises CancerNetError when the settings are made for another data set."""
    if dataset.name != config.dataset:
        raise CancerNetError(
            f"{dataset.folder} holds the data set {dataset.name!r}, but these settings are for "
            f"{config.dataset!r}; name a fitting --data folder, or give "
            f"{flags_for(dataset.name) or f'--dataset {dataset.name}'}"
        )
    if config.calibration == "isotonic" and len(dataset.classes) != 2:
        raise CancerNetError(
            f"--calibration isotonic is for two classes, but {dataset.name} has "
            f"{len(dataset.classes)}; choose temperature or none"
        )


def limited(dataset: BuiltDataset, limit: int, *, seed: int) -> BuiltDataset:
    """Keeps at most `limit` images a split (0: all), each class in about its share, none lost.

    The order and the fingerprint stay; the way of splitting and a notice say what was done.

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
