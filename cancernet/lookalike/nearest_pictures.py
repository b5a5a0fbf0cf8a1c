"""Finds pictures whose descriptions are alike, without comparing each with each.

The descriptions fall into cells around randomly chosen ones. A picture is compared only
with those in the cells nearest to it: with about four times the square root of n cells
the work grows like n times the square root of n, not like n squared. Cells use the part of
a description that the eight symmetries do not change, so a turned or flipped picture lies in
the same cell; within a cell all eight are compared, by one matrix product.
"""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from cancernet.base.parallel import spread
from cancernet.lookalike.pictures import (
    BOXES,
    LENGTH,
    SYMMETRIES,
    in_all_symmetries,
    symmetric_part,
)

PICTURES_A_BLOCK = 256
CELLS_PER_ROOT = 4.0
# Up to this many are compared each with each, and nothing is missed.
FEW = 4000
# Cells searched for a box inside a picture, and for the whole, whose copy is nearer.
NEAREST_CELLS, NEAREST_OF_WHOLE = 20, 4
CELLS_A_STRIP = 8
# In a cell with more hits a row than this, only the best of each row is kept: hundreds of
# variants of one picture would otherwise give the square of their number.
CROWDED = 4


@dataclasses.dataclass(frozen=True)
class Index:
    """Descriptions of whole pictures, in cells.

    Attributes:
        descriptions: float16 (all, boxes, LENGTH).
        places: int64 (n,), of the pictures to compare.
        centres: float32 (cells, LENGTH), symmetric parts.
        members: int64 (n,), `places` cell after cell.
        begins: int64 (cells + 1,), where in `members` each cell begins.
        wholes: float32 (n, LENGTH), the whole pictures in the order of `members`.
        apart: int64 (all,), group numbers; pictures of one group are not compared.
    """

    descriptions: np.ndarray
    places: np.ndarray
    centres: np.ndarray
    members: np.ndarray
    begins: np.ndarray
    wholes: np.ndarray
    apart: np.ndarray


# A pair: the box of the first, turned by the symmetry, is like the whole second; the score is
# the correlation of the two descriptions. Numbers are places, in BOXES and SYMMETRIES too.
HIT = np.dtype([
    ("first", np.int64), ("second", np.int64), ("box", np.int64), ("symmetry", np.int64),
    ("score", np.float64),
])  # fmt: skip


def find_alike(
    descriptions: np.ndarray,
    places: np.ndarray,
    apart: np.ndarray,
    *,
    least: float,
    most: int,
    processes: int | None = None,
    progress: Callable[[int], Any] = lambda done: None,
) -> np.ndarray:
    """Finds the pairs of pictures that are described alike.

    Args:
        descriptions: float16 (all, boxes, LENGTH).
        places: int64 (n,), of the pictures to compare, at least one.
        apart: int64 (all,), group numbers; pictures of one group are not compared.
        least: correlation of descriptions above which two are alike.
        most: pairs kept for each picture, the best.
        processes: how many; one for each processor if None.
        progress: told how many more pictures are done.

    Returns:
        Of dtype HIT, each pair once.
    """
    total = len(places)
    work = functools.partial(_search, _make_index(descriptions, places, apart), least, most)
    begins = range(0, total, PICTURES_A_BLOCK)
    blocks = ((begin, min(begin + PICTURES_A_BLOCK, total)) for begin in begins)
    found = [np.zeros(0, HIT)]
    with contextlib.closing(spread(work, blocks, total, processes)) as results:
        for place, hits in results:
            found.append(hits)
            progress(min(PICTURES_A_BLOCK, total - place * PICTURES_A_BLOCK))
    hits = np.concatenate(found)
    # A pair may have been found from both sides; the better one is looked at.
    first, second = hits["first"], hits["second"]
    return _best_of_each_pair(hits, np.minimum(first, second), np.maximum(first, second))


def _make_index(descriptions: np.ndarray, places: np.ndarray, apart: np.ndarray) -> Index:
    """Sorts the descriptions of whole pictures into cells."""
    count = len(places)
    cells = 1 if count <= FEW else round(CELLS_PER_ROOT * math.sqrt(count))
    chosen = np.sort(np.random.default_rng(0).choice(count, cells, replace=False))
    centres = symmetric_part(descriptions[places[chosen], 0].astype(np.float32))
    cell = np.empty(count, np.int64)
    for begin in range(0, count, 4096):
        block = descriptions[places[begin : begin + 4096], 0].astype(np.float32)
        cell[begin : begin + 4096] = _nearness(symmetric_part(block), centres).argmax(1)
    order = np.argsort(cell, kind="stable")
    begins = np.searchsorted(cell[order], np.arange(cells + 1))
    members = places[order]
    wholes = descriptions[members, 0].astype(np.float32)
    return Index(descriptions, places, centres, members, begins, wholes, apart)


def _search(index: Index, least: float, most: int, block: tuple[int, int]) -> np.ndarray:
    """Finds the pictures that are like those of a block of `index.places`."""
    from threadpoolctl import threadpool_limits

    # The processes share the processors already; threads within each would only wait.
    with threadpool_limits(1):
        boxes = len(BOXES)
        asked = index.places[slice(*block)]
        rows = index.descriptions[asked].astype(np.float32).reshape(-1, LENGTH)
        turned = in_all_symmetries(rows)
        asking = np.repeat(asked, boxes)
        near = _nearness(symmetric_part(rows), index.centres)
        row_of, cell_of = _nearest_cells(near, boxes)
        limits = np.searchsorted(cell_of, np.arange(len(index.centres) + 1))
        found = [np.zeros(0, HIT)]
        for cell in np.flatnonzero(np.diff(limits) * np.diff(index.begins)).tolist():
            chosen = row_of[limits[cell] : limits[cell + 1]]
            inside = slice(index.begins[cell], index.begins[cell + 1])
            members = index.members[inside]
            hits = _compare(
                turned[:, chosen],
                index.wholes[inside],
                index.apart[asking[chosen]],
                index.apart[members],
                least,
            )
            row = chosen[hits["first"]]
            hits["first"], hits["box"] = asking[row], row % boxes
            hits["second"] = members[hits["second"]]
            found.append(hits)
        hits = np.concatenate(found)
        hits = _best_of_each_pair(hits, hits["first"], hits["second"])
        hits = hits[np.lexsort((-hits["score"], hits["first"]))]
        begins = np.searchsorted(hits["first"], hits["first"])
        return hits[np.arange(len(hits)) - begins < most]


def _nearest_cells(near: np.ndarray, boxes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns which row looks into which cell, as two columns in the order of the cells."""
    rows, cells = near.shape
    wanted = min(NEAREST_CELLS, cells)
    # The nearest cells lie in the strips whose best cell is among the best: this sorts far
    # fewer numbers than there are.
    strips = -(-cells // CELLS_A_STRIP)
    padded = np.full((rows, strips * CELLS_A_STRIP), -np.inf, np.float32)
    padded[:, :cells] = near
    best = padded.reshape(rows, CELLS_A_STRIP, strips).max(axis=1)
    few = min(wanted, strips)
    strip = np.argpartition(best, strips - few, axis=1)[:, -few:]
    column = (strip[:, :, None] + strips * np.arange(CELLS_A_STRIP)).reshape(rows, -1)
    values = np.take_along_axis(padded, column, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :wanted]
    nearest = np.take_along_axis(column, order, axis=1)
    looks = np.ones((rows, wanted), bool)
    looks[::boxes, NEAREST_OF_WHOLE:] = False
    looks &= nearest < cells
    row, place = np.nonzero(looks)
    cell = nearest[row, place]
    by_cell = np.argsort(cell, kind="stable")
    return row[by_cell], cell[by_cell]


def _compare(
    turned: np.ndarray, wholes: np.ndarray, group: np.ndarray, other: np.ndarray, least: float
) -> np.ndarray:
    """Returns hits of dtype HIT; `first` is a row, `second` a whole, the box is left open."""
    rows = turned.shape[1]
    scores = turned.reshape(-1, LENGTH) @ wholes.T
    at = np.flatnonzero(scores > least)
    if len(at) > CROWDED * len(scores):
        scores[np.tile(group, len(SYMMETRIES))[:, None] == other[None, :]] = -1
        at = np.arange(len(scores)) * scores.shape[1] + scores.argmax(1)
        at = at[scores.reshape(-1)[at] > least]
    place, column = np.divmod(at, scores.shape[1])
    symmetry, row = np.divmod(place, rows)
    differ = group[row] != other[column]
    hits = np.zeros(np.count_nonzero(differ), HIT)
    hits["first"], hits["second"], hits["symmetry"] = row[differ], column[differ], symmetry[differ]
    hits["score"] = scores.reshape(-1)[at[differ]]
    return hits


def _best_of_each_pair(hits: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Keeps the best hit of each pair (one, other), sorted by them."""
    order = np.lexsort((hits["box"], hits["first"], -hits["score"], other, one))
    one, other = one[order], other[order]
    new = np.ones(len(hits), bool)
    new[1:] = (one[1:] != one[:-1]) | (other[1:] != other[:-1])
    return hits[order[new]]


def _nearness(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(points, centres), larger where nearer."""
    return points @ centres.T - 0.5 * (centres**2).sum(axis=1)
