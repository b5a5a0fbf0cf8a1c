"""Groups by looking: images that show the same are one unit, where no name says so."""

import dataclasses
from pathlib import Path

import numpy as np

from cancernet.building.columns import Images
from cancernet.building.siblings import find_siblings
from cancernet.catalog import Dataset

NAMED = 3


def group_by_content(source: Path, images: Images) -> Images:
    """Joins images that show the same, and whatever the names join already.

    A file that cannot be read stays alone; the transfer will say what is wrong with it.

    Args:
        source: folder as downloaded.
        images: of it; `patients` as far as names tell.

    Returns:
        The same images; `patients` are the groups, named by their first image.
    """
    pairs = find_siblings(source, images.sources)
    group = join(len(images), [*pairs.tolist(), *_same_patient(images)])
    first = np.unique(group)
    names = [str(Path(images.sources[place]).with_suffix("")) for place in first.tolist()]
    order = np.argsort(np.array(names, dtype=object), kind="stable")
    rank = np.empty(len(first), np.int32)
    rank[order] = np.arange(len(first))
    patient = rank[np.searchsorted(first, group)]
    return dataclasses.replace(
        images, patients=[names[place] for place in order.tolist()], patient=patient
    )


def join(count: int, pairs: list[list[int]]) -> np.ndarray:
    """Returns for each of `count` places the lowest place that pairs connect it with."""
    parent = list(range(count))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return np.array([root(place) for place in range(count)], np.int64)


def _same_patient(images: Images) -> list[list[int]]:
    order = np.argsort(images.patient, kind="stable")
    same = images.patient[order[1:]] == images.patient[order[:-1]]
    return np.stack([order[:-1][same], order[1:][same]], axis=1).tolist()


def warn_of_two_labels(images: Images, dataset: Dataset) -> list[str]:
    """Names groups of like images that have several labels."""
    counts = images.counts(len(dataset.classes)) > 0
    mixed = np.flatnonzero(counts.sum(axis=1) > 1)
    if not len(mixed):
        return []
    examples = []
    for group in mixed[:NAMED].tolist():
        members = np.flatnonzero(images.patient == group)
        _, first = np.unique(images.label[members], return_index=True)
        examples.append(" and ".join(images.sources[members[i]] for i in first[:2].tolist()))
    return [
        f"{len(mixed):,} groups of like images have more than one label (first "
        f"{'; '.join(examples)}): one of the labels is wrong, or the images differ in what "
        "looking does not see."
    ]
