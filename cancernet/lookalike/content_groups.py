"""Groups by looking: images that show the same are one unit, where no name says so."""

import contextlib
import dataclasses
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cancernet.catalog import Dataset
from cancernet.dataset.families import families
from cancernet.dataset.images import Images
from cancernet.dataset.notices import Notice, NoticeKind
from cancernet.lookalike.near_duplicates import connected, find_near_duplicates
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
    with _bar("Looking for turned images", len(paths), "images") as bar:
        turned = group_siblings(paths, progress=bar.update)
    family, _ = families(images.sources, images.label)
    alone = np.arange(len(paths)) - len(paths)  # numbers that no family has
    copies = np.where(family < 0, alone, family)
    links = [pair for known in (turned, images.patient, copies) for pair in _neighbours(known)]
    group = connected(len(paths), links)
    # A search compares each image with its few nearest of other groups. What it finds
    # makes room for the next nearest: only when nothing is new would an audit find nothing.
    while links := _alike(paths, group):
        group = connected(len(paths), [*links, *_neighbours(group)])
    _, first = np.unique(group, return_index=True)
    names = [str(PurePosixPath(images.sources[place]).with_suffix("")) for place in first.tolist()]
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int32)
    rank[order] = np.arange(len(names))
    return dataclasses.replace(
        images, patients=[names[place] for place in order], patient=rank[group]
    )


def _alike(paths: list[Path], group: np.ndarray) -> list[tuple[int, int]]:
    """Returns the near duplicates of different groups, as pairs of places."""
    bars: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:

        def advance(step: str, done: int, total: int) -> None:
            if step not in bars:
                bars[step] = stack.enter_context(_bar(f"Near duplicates: {step}", total, ""))
            bars[step].update(done)

        found = find_near_duplicates(paths, apart=group, progress=advance)
    return [(pair.first, pair.second) for pair in found if group[pair.first] != group[pair.second]]


def _bar(what: str, total: int, unit: str) -> Any:
    from tqdm import tqdm

    wait = 0.2 if sys.stderr.isatty() else 10.0  # seconds between lines; a log needs few
    return tqdm(total=total, desc=what, unit=f" {unit}", mininterval=wait)


def _neighbours(group: np.ndarray) -> list[tuple[int, int]]:
    """Returns pairs that connect the members of every group."""
    order = np.argsort(group, kind="stable")
    same = group[order[1:]] == group[order[:-1]]
    return list(zip(order[:-1][same].tolist(), order[1:][same].tolist(), strict=True))


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
