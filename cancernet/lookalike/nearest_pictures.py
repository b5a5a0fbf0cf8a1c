"""Finds pictures whose descriptions are alike, without comparing each with each.

The descriptions fall into cells around some of their number. A picture is compared only
with the pictures in the cells nearest to it: with about four times the square root of n
cells the work grows like n times the square root of n, not like n squared. Cells are
told apart by what the eight symmetries leave alone, so a turned or flipped picture lies
in the same cell; within a cell all eight are compared, by one matrix product.
"""

import dataclasses
import math

import numpy as np

from cancernet.lookalike.descriptors import (
    BOXES,
    LENGTH,
    SYMMETRIES,
    in_all_symmetries,
    symmetric_part,
)

PICTURES_A_BLOCK = 256
CELLS_PER_ROOT = 4.0
# So few are compared each with each: nothing is missed, and their order does not matter.
FEW = 4000
# Of a box inside a picture; the whole of a turned copy lies hardly anywhere but in its own.
NEAREST_CELLS, NEAREST_OF_WHOLE = 20, 4
CELLS_A_STRIP = 8
# Of a row with more hits than this in one cell, only the best is kept: hundreds of
# variants of one picture would otherwise give the square of their number.
CROWDED = 4


@dataclasses.dataclass(frozen=True)
class Index:
    """Descriptions of whole pictures, in cells.

    Attributes:
        descriptions: float16 (all, boxes, LENGTH).
        places: int64 (n,), of the pictures that take part in `descriptions`.
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


@dataclasses.dataclass(frozen=True)
class Hits:
    """Pairs that are alike; arrays have one entry a pair.

    Attributes:
        first, second: places of the two pictures.
        box, symmetry: the box of the first, turned so, is like the whole second.
        score: correlation of the two descriptions.
    """

    first: np.ndarray
    second: np.ndarray
    box: np.ndarray
    symmetry: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def take(self, chosen: np.ndarray) -> "Hits":
        """Returns the pairs at these places."""
        return Hits(*(getattr(self, field.name)[chosen] for field in dataclasses.fields(self)))


def make_index(
    descriptions: np.ndarray, places: np.ndarray, apart: np.ndarray, *, seed: int = 0
) -> Index:
    """Sorts the descriptions of whole pictures into cells.

    Args:
        descriptions: float16 (all, boxes, LENGTH).
        places: int64 (n,), of the pictures that take part, at least one.
        apart: int64 (all,), group numbers; a number for each compares all.
        seed: of the choice of centres.
    """
    count = len(places)
    cells = 1 if count <= FEW else round(CELLS_PER_ROOT * math.sqrt(count))
    chosen = np.sort(np.random.default_rng(seed).choice(count, cells, replace=False))
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


def search(index: Index, begin: int, end: int, *, least: float, most: int) -> Hits:
    """Finds the pictures that are like the `begin`-th to `end`-th of those that take part.

    Args:
        index: of all pictures.
        begin, end: the pictures that ask.
        least: correlation of descriptions from which on two are alike.
        most: pairs kept for each picture that asks, the best.
    """
    boxes = len(BOXES)
    asked = index.places[begin:end]
    rows = index.descriptions[asked].astype(np.float32).reshape(-1, LENGTH)
    turned = in_all_symmetries(rows)
    asking = np.repeat(asked, boxes)
    near = _nearness(symmetric_part(rows), index.centres)
    row_of, cell_of = _nearest_cells(near, boxes)
    limits = np.searchsorted(cell_of, np.arange(len(index.centres) + 1))
    found: list[np.ndarray] = []
    for cell in np.flatnonzero(np.diff(limits) * np.diff(index.begins)).tolist():
        chosen = row_of[limits[cell] : limits[cell + 1]]
        inside = slice(index.begins[cell], index.begins[cell + 1])
        members = index.members[inside]
        table = _compare(
            turned[:, chosen],
            index.wholes[inside],
            index.apart[asking[chosen]],
            index.apart[members],
            least,
        )
        table[0], table[1] = chosen[table[0].astype(int)], members[table[1].astype(int)]
        found.append(table)
    table = np.concatenate(found, axis=1) if found else np.zeros((4, 0))
    row = table[0].astype(np.int64)
    hits = Hits(
        asking[row], table[1].astype(np.int64), row % boxes, table[2].astype(np.int64), table[3]
    )
    return _best(hits, most)


def _nearest_cells(near: np.ndarray, boxes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns which row looks into which cell, as two columns in the order of the cells."""
    rows, cells = near.shape
    wanted = min(NEAREST_CELLS, cells)
    # The nearest cells lie in the strips whose best cell is among the best: far fewer
    # numbers are sorted than there are.
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
    """Returns float64 (4, hits): row, whole, symmetry, score; none within one group."""
    rows = turned.shape[1]
    scores = turned.reshape(-1, LENGTH) @ wholes.T
    at = np.flatnonzero(scores > least)
    if len(at) > CROWDED * len(scores):
        scores[np.tile(group, len(SYMMETRIES))[:, None] == other[None, :]] = -1
        at = np.arange(len(scores)) * scores.shape[1] + scores.argmax(1)
        at = at[scores.reshape(-1)[at] > least]
    place, column = np.divmod(at, scores.shape[1])
    symmetry, row = np.divmod(place, rows)
    table = np.stack([row, column, symmetry, scores.reshape(-1)[at]])
    return table[:, group[row] != other[column]]


def _best(hits: Hits, most: int) -> Hits:
    """Keeps for each pair its best box and symmetry, and of each picture its best pairs."""
    order = np.lexsort((hits.box, -hits.score, hits.second, hits.first))
    hits = hits.take(order)
    new = np.ones(len(hits), bool)
    new[1:] = (hits.first[1:] != hits.first[:-1]) | (hits.second[1:] != hits.second[:-1])
    hits = hits.take(np.flatnonzero(new))
    hits = hits.take(np.lexsort((-hits.score, hits.first)))
    begins = np.searchsorted(hits.first, hits.first)
    return hits.take(np.flatnonzero(np.arange(len(hits)) - begins < most))


def _nearness(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(points, centres), larger where nearer."""
    return points @ centres.T - 0.5 * (centres**2).sum(axis=1)
