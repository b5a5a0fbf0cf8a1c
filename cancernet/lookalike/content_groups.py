"""Groups by looking: images that show the same are one unit, where no name says so."""

import dataclasses
from pathlib import Path, PurePosixPath

import numpy as np

from cancernet.catalog import Dataset
from cancernet.dataset.find_leaks import families
from cancernet.dataset.images import Images
from cancernet.dataset.notices import Notice, NoticeKind
from cancernet.lookalike.near_duplicates import connected, find_near_duplicates, step_bars
from cancernet.lookalike.siblings import group_siblings

# To be raised whenever the same images give other groups: sets are then built again.
VERSION = 3
EXAMPLES = 3


def group_by_content(source: Path, images: Images) -> Images:
    """Joins images that show the same, and whatever the names join already.

    Copies by their names (`scan7_rot90`) are joined too: looking does not know every change.

    A file that cannot be read stays alone; the transfer will say what is wrong with it.

    Args:
        source: folder as downloaded.
        images: of it; `patients` as far as names tell.

    Returns:
        The same images; `patients` are the groups, named by their first image.

    Raises:
        CancerNetError: there are too many to compare each with each.
    """
    paths = [source / path for path in images.sources]
    with step_bars() as progress:
        turned = group_siblings(
            paths, progress=lambda done: progress("looking for turned images", done, len(paths))
        )
    family, _ = families(images.sources, images.label)
    alone = np.arange(len(paths)) - len(paths)  # numbers that no family has
    copies = np.where(family < 0, alone, family)
    links = np.concatenate([_neighbours(known) for known in (turned, images.patient, copies)])
    group = connected(len(paths), links)
    # A search compares each image with its few nearest of other groups. What it finds
    # makes room for the next nearest: only when nothing is new would an audit find nothing.
    while len(links := _alike(paths, group)):
        group = connected(len(paths), np.concatenate([links, _neighbours(group)]))
    _, first = np.unique(group, return_index=True)
    names = [str(PurePosixPath(images.sources[place]).with_suffix("")) for place in first.tolist()]
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int32)
    rank[order] = np.arange(len(names))
    return dataclasses.replace(
        images, patients=[names[place] for place in order], patient=rank[group]
    )


def _alike(paths: list[Path], group: np.ndarray) -> np.ndarray:
    """Returns the near duplicates of different groups, as places (n, 2)."""
    with step_bars("near duplicates: ") as progress:
        found = find_near_duplicates(paths, apart=group, progress=progress)
    pairs = np.array([pair[:2] for pair in found], np.int64).reshape(-1, 2)
    return pairs[group[pairs[:, 0]] != group[pairs[:, 1]]]


def _neighbours(group: np.ndarray) -> np.ndarray:
    """Returns pairs (n, 2) that connect the members of every group."""
    order = np.argsort(group, kind="stable")
    same = group[order[1:]] == group[order[:-1]]
    return np.stack([order[:-1][same], order[1:][same]], axis=1)


def notice_two_labels(images: Images, dataset: Dataset) -> list[Notice]:
    """Returns a notice of the groups of like images that have several labels, if there are any."""
    counts = images.counts(len(dataset.classes)) > 0
    mixed = np.flatnonzero(counts.sum(axis=1) > 1)
    if not len(mixed):
        return []
    examples = []
    for group in mixed[:EXAMPLES].tolist():
        members = np.flatnonzero(images.patient == group)
        _, first = np.unique(images.label[members], return_index=True)
        examples.append(" and ".join(images.sources[members[i]] for i in first[:2].tolist()))
    return [
        Notice(kind=NoticeKind.TWO_LABELS, count=len(mixed), unit="group", examples=tuple(examples))
    ]
