"""A slide cut along the edges of all its patches: mean, area and outline of the cells."""

import numpy as np
from numpy.typing import NDArray

from cancernet.base.errors import CancerNetError

Ring = list[tuple[int, int]]
Threshold = float | NDArray[np.float64]  # one for all cells, or of their shape
Polygon = list[Ring]  # the outer ring first, then its holes; every ring is closed

# Patches on a grid make one cell each, and one for every place between them that is empty;
# n patches in arbitrary places make up to (2n)^2.
MOST_CELLS = 4_000_000
CELLS_A_PATCH = 16  # where neighbours overlap by up to three quarters
# Cells that all patches cover together, each counted as often as it is covered.
MOST_COVERED = 10 * MOST_CELLS


def check_grid(boxes: NDArray[np.int64]) -> None:
    """Refuses patches whose map would take gigabytes.

    Args:
        boxes: left, top, width, height of each, shape (patches, 4).

    Raises:
        CancerNetError: their edges cut the slide into too many cells.
    """
    columns, left, right = _cut(boxes, 0)
    rows, top, bottom = _cut(boxes, 1)
    cells = len(columns) * len(rows)
    covered = int(((right - left) * (bottom - top)).sum())
    more = CELLS_A_PATCH * len(boxes)
    if cells > MOST_CELLS + more or covered > MOST_COVERED + more:
        raise CancerNetError(
            f"the patches do not lie on one grid: {len(boxes):,} of them cut the slide into "
            f"{cells:,} cells; check the places in their names, or map fewer at once"
        )


def _cut(boxes: NDArray[np.int64], axis: int) -> tuple[NDArray[np.int64], ...]:
    """Returns where boxes cut an axis, ascending, and the first and last cut of each box."""
    start, end = boxes[:, axis], boxes[:, axis] + boxes[:, axis + 2]
    cuts = np.unique(np.concatenate([start, end]))
    return cuts, np.searchsorted(cuts, start), np.searchsorted(cuts, end)


class Cells:
    """The cells between the edges of all boxes, each with the mean of the boxes over it.

    Attributes:
        columns, rows: int64, where the cuts are, ascending.
        values: float64 (rows - 1, columns - 1); NaN where no box is.
        covered: where one is.
        areas: of every cell, pixels squared.
    """

    def __init__(self, boxes: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Averages the values of boxes (left, top, width, height) in every cell."""
        self.columns, left, right = _cut(boxes, 0)
        self.rows, top, bottom = _cut(boxes, 1)
        shape = (max(len(self.rows) - 1, 0), max(len(self.columns) - 1, 0))
        total, count = np.zeros(shape), np.zeros(shape, np.int32)
        for value, x, x_end, y, y_end in zip(values, left, right, top, bottom, strict=True):
            total[y:y_end, x:x_end] += value
            count[y:y_end, x:x_end] += 1
        self.covered = count > 0
        self.values = np.divide(total, count, out=np.full(shape, np.nan), where=self.covered)
        self.areas = np.outer(np.diff(self.rows), np.diff(self.columns))

    def reaching(self, threshold: Threshold) -> NDArray[np.bool_]:
        """Returns which cells have a mean of at least the threshold."""
        return np.nan_to_num(self.values, nan=-np.inf) >= threshold

    def share(self, threshold: Threshold) -> float:
        """Returns the share of the covered area that reaches the threshold; NaN without any."""
        covered = self.areas[self.covered].sum()
        return float(self.areas[self.reaching(threshold)].sum() / covered) if covered else np.nan

    def outline(self, threshold: Threshold) -> list[Polygon]:
        """Returns polygons around the cells that reach the threshold; see `outlines`."""
        return outlines(self.reaching(threshold), self.columns, self.rows)


def outlines(
    inside: NDArray[np.bool_], columns: NDArray[np.int64], rows: NDArray[np.int64]
) -> list[Polygon]:
    """Finds the polygons around the true cells of a grid.

    Args:
        inside: bool (rows - 1, columns - 1).
        columns, rows: where the lines of the grid are, ascending.

    Returns:
        Polygons whose cells are connected by sides, from top to bottom. Rings are closed
        and start at their upper left corner, outer ones clockwise on the screen, holes the
        other way.
    """
    import shapely
    from shapely.geometry.polygon import orient

    padded = np.pad(inside, 1)
    y, x = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    across = np.stack([columns[x], rows[y], columns[x + 1], rows[y]], axis=1)
    y, x = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    down = np.stack([columns[x], rows[y], columns[x], rows[y + 1]], axis=1)
    edges = shapely.linestrings(np.concatenate([across, down]).reshape(-1, 2, 2))
    polygons = []
    # The edges enclose the holes as well as the polygons around them.
    for face in map(orient, shapely.get_parts(shapely.polygonize(edges)).tolist()):
        outer, *holes = [
            _corners(shapely.get_coordinates(r)) for r in (face.exterior, *face.interiors)
        ]
        left, top = outer[0]
        if inside[np.searchsorted(rows, top), np.searchsorted(columns, left)]:
            polygons.append([outer, *sorted(holes, key=_from_the_top)])
    return sorted(polygons, key=lambda polygon: _from_the_top(polygon[0]))


def _corners(closed: NDArray[np.float64]) -> Ring:
    """Leaves out points in the middle of a side and starts at the upper left corner."""
    points = closed[:-1].astype(np.int64)
    straight = (np.roll(points, 1, axis=0) == points) & (points == np.roll(points, -1, axis=0))
    points = points[~straight.any(axis=1)]
    points = np.roll(points, -int(np.lexsort(points.T)[0]), axis=0)
    ring = [(x, y) for x, y in points.tolist()]
    return [*ring, ring[0]]


def _from_the_top(ring: Ring) -> tuple[int, int]:
    x, y = ring[0]
    return y, x
