"""Polygons around the true cells of a grid, holes included."""

import dataclasses
import itertools

import numpy as np
from numpy.typing import NDArray

Ring = list[tuple[int, int]]
Polygon = list[Ring]  # the outer ring first, then its holes; every ring is closed


def outlines(
    inside: NDArray[np.bool_], columns: NDArray[np.int64], rows: NDArray[np.int64]
) -> list[Polygon]:
    """Traces the edges between true and false cells.

    Args:
        inside: bool (rows - 1, columns - 1).
        columns, rows: where the grid's lines lie, ascending.

    Returns:
        Polygons whose cells hang together by sides. Rings are closed (first point
        again at the end), outer ones clockwise on the screen, holes the other way.
    """
    rings = _rings(inside)
    outer = [ring for ring in rings if _area(ring) > 0]
    polygons: list[Polygon] = [[ring] for ring in outer]
    homes = [_Home(_box(ring), _area(ring), _uprights(ring)) for ring in outer]
    for hole in (ring for ring in rings if _area(ring) < 0):
        polygons[_home(hole, homes)].append(hole)
    return [[_placed(ring, columns, rows) for ring in polygon] for polygon in polygons]


def _rings(inside: NDArray[np.bool_]) -> list[Ring]:
    padded = np.pad(inside, 1)
    leaving: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def edges(mask: NDArray[np.bool_], direction: tuple[int, int], dy: int, dx: int) -> None:
        for y, x in np.argwhere(mask).tolist():
            leaving.setdefault((x + dx, y + dy), []).append(direction)

    middle = padded[1:-1, 1:-1]
    edges(middle & ~padded[:-2, 1:-1], (1, 0), 0, 0)  # upper side, to the right
    edges(middle & ~padded[1:-1, 2:], (0, 1), 0, 1)  # right side, down
    edges(middle & ~padded[2:, 1:-1], (-1, 0), 1, 1)  # lower side, to the left
    edges(middle & ~padded[1:-1, :-2], (0, -1), 1, 0)  # left side, up
    rings = []
    while leaving:
        start, ways = next(iter(leaving.items()))
        rings += _simple(_follow(leaving, start, ways[0]))
    return [_straightened(ring) for ring in rings]


def _follow(
    leaving: dict[tuple[int, int], list[tuple[int, int]]],
    start: tuple[int, int],
    way: tuple[int, int],
) -> Ring:
    ring, point = [start], start
    while True:
        leaving[point].remove(way)
        if not leaving[point]:
            del leaving[point]
        point = (point[0] + way[0], point[1] + way[1])
        ring.append(point)
        if point == start:
            return ring
        # Where two cells touch by a corner only, keep to the one on the right: a ring that
        # went over to the other would leave a polygon whose interior hangs by that corner.
        right = (-way[1], way[0])
        way = right if right in leaving[point] else leaving[point][0]


def _simple(ring: Ring) -> list[Ring]:
    """Cuts a ring where it touches itself, so that no point comes twice."""
    found: list[Ring] = []
    path: Ring = []
    place: dict[tuple[int, int], int] = {}
    for point in ring:
        if point in place:
            loop = path[place[point] :]
            found.append([*loop, point])
            for gone in loop[1:]:
                del place[gone]
            del path[place[point] + 1 :]
        else:
            place[point] = len(path)
            path.append(point)
    return found


def _straightened(ring: Ring) -> Ring:
    """Leaves out points in the middle of a straight side."""
    points = ring[:-1]
    kept = [
        point
        for before, point, after in zip(
            [points[-1], *points[:-1]], points, [*points[1:], points[0]], strict=True
        )
        if not (before[0] == point[0] == after[0] or before[1] == point[1] == after[1])
    ]
    return [*kept, kept[0]]


def _area(ring: Ring) -> float:
    """Twice the signed area; above 0 for clockwise on the screen, where y points down."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring))


def _box(ring: Ring) -> tuple[int, int, int, int]:
    xs, ys = [x for x, _ in ring], [y for _, y in ring]
    return min(xs), min(ys), max(xs), max(ys)


@dataclasses.dataclass(frozen=True)
class _Home:
    """What of an outer ring is asked for every hole: so it is found out once."""

    box: tuple[int, int, int, int]
    area: float
    uprights: NDArray[np.int64]


def _uprights(ring: Ring) -> NDArray[np.int64]:
    """The upright sides of a ring: x, upper end, lower end of each."""
    points = np.array(ring)
    begin, end = points[:-1], points[1:]
    upright = begin[:, 0] == end[:, 0]
    y = np.sort(np.stack([begin[upright, 1], end[upright, 1]], axis=1), axis=1)
    return np.column_stack([begin[upright, 0], y])


def _home(hole: Ring, homes: list[_Home]) -> int:
    left, top, right, bottom = _box(hole)
    x, y = min(hole)[0] + 0.5, min(hole)[1] + 0.5  # in the hole's upper left cell
    candidates = [
        index
        for index, home in enumerate(homes)
        if home.box[0] <= left
        and home.box[1] <= top
        and home.box[2] >= right
        and home.box[3] >= bottom
        and _contains(home.uprights, x, y)
    ]
    return min(candidates, key=lambda index: homes[index].area)


def _contains(uprights: NDArray[np.int64], x: float, y: float) -> bool:
    crossed = (uprights[:, 0] > x) & (uprights[:, 1] < y) & (y < uprights[:, 2])
    return bool(crossed.sum() % 2)


def _placed(ring: Ring, columns: NDArray[np.int64], rows: NDArray[np.int64]) -> Ring:
    return [(int(columns[x]), int(rows[y])) for x, y in ring]
