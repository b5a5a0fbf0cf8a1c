"""Who lies beside whom on a slide, and the mean over a patch and its neighbours.

Memory is that of a few numbers a patch, whatever the reach.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

# Standard deviation of the weights, in sides of a patch (benchmarks/QUALITY.md, "In context").
SPREAD = 2.0
LOOKED_AT = 1 << 16  # places around patches that are looked at together
LEAST_WEIGHT = 0.5  # of neighbours that are there, from which a patch lies amid a slide


class Corner(Protocol):
    """Upper left corner of a patch, pixels of the slide."""

    @property
    def x(self) -> int:
        """Pixels from the left."""

    @property
    def y(self) -> int:
        """Pixels from the top."""


@dataclasses.dataclass(frozen=True, eq=False)
class Places:
    """Where patches lie.

    Attributes:
        slides: (n,) name of each patch's slide; patches of different slides are never
            neighbours.
        columns, rows: (n,) int64, place on the slide in sides of a patch; -1 where it is
            not known: such a patch has no neighbours.
    """

    slides: Sequence[str] | np.ndarray
    columns: np.ndarray
    rows: np.ndarray

    @classmethod
    def at(cls, corners: Sequence[Corner | None], slides: Sequence[str], side: int) -> "Places":
        """Returns the places of patches by their upper left corners.

        Args:
            corners: what the name of each patch tells; None where it tells nothing.
            side: of a patch, pixels of the slide.
        """
        columns = [-1 if corner is None else corner.x // side for corner in corners]
        rows = [-1 if corner is None else corner.y // side for corner in corners]
        return cls(slides, np.array(columns, np.int64), np.array(rows, np.int64))

    def of(self, rows: np.ndarray) -> "Places":
        """Returns the places of some patches."""
        return Places(np.asarray(self.slides)[rows], self.columns[rows], self.rows[rows])

    @property
    def known(self) -> bool:
        """Whether any patch has a place."""
        return bool((self.columns >= 0).any())


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Who counts as a neighbour: a Gaussian of the distance, cut off at twice its spread.

    Attributes:
        reach: how many places away the farthest are, along either side.
        kernel: (k, 3) columns across, rows down and weight of every place within reach but
            one's own.
        full_weight: of all of them together.
    """

    reach: int
    kernel: np.ndarray
    full_weight: float

    @property
    def shares(self) -> np.ndarray:
        """The weights, (k, 1)."""
        return self.kernel[:, 2:]

    @property
    def touching(self) -> np.ndarray:
        """Which of the places touch one's own, (k,) bool."""
        return np.abs(self.kernel[:, :2]).max(axis=1) == 1

    def around(self, keys: np.ndarray, stride: int) -> Iterator[tuple[slice, np.ndarray]]:
        """Yields which of (n,) places, as `_keys` numbers them, and all around each, (k, some)."""
        across, down = self.kernel[:, :2].T.astype(np.int64)
        some = max(1, LOOKED_AT // len(self.kernel))
        for start in range(0, len(keys), some):
            block = slice(start, start + some)
            yield block, keys[block] + (down * stride + across)[:, None]


@functools.cache
def neighbourhood(spread: float) -> Neighbourhood:
    """Returns who counts as a neighbour; `spread` is in sides of a patch."""
    reach = round(2 * spread)
    steps = range(-reach, reach + 1)
    kernel = [
        (across, down, float(np.exp(-(across**2 + down**2) / (2 * spread**2))))
        for down in steps
        for across in steps
        if across or down
    ]
    return Neighbourhood(reach, np.array(kernel), sum(share for *_, share in kernel))


@dataclasses.dataclass(frozen=True, eq=False)
class Surroundings:
    """What lies around every patch of a set.

    Attributes:
        mean: (n,) weighted mean of the values of the patch and its neighbours.
        weight: (n,) weight of the neighbours that are there, as a share of all that there
            could be: 0 for a lone patch, 1 in the middle of a whole slide.
        touching: (n,) int64, how many of the eight patches around it are there.
    """

    mean: np.ndarray
    weight: np.ndarray
    touching: np.ndarray


def surroundings(values: np.ndarray, places: Places, spread: float = SPREAD) -> Surroundings:
    """Averages values over neighbouring patches, weighted by a Gaussian of the distance.

    Args:
        values: (n,) one number a patch, such as the log odds of being positive.
        places: (n,) where the patches lie. Of several patches in one place the first is
            the neighbour of others.
        spread: standard deviation of the weights, sides of a patch.
    """
    area = neighbourhood(spread)
    values = np.asarray(values, dtype=np.float64)
    placed = np.flatnonzero(places.columns >= 0)
    total, weight = values.copy(), np.zeros(len(values))
    touching = np.zeros(len(values), np.int64)
    keys, stride = _keys(places, placed, area.reach)
    known, first = _distinct(keys)
    for block, wanted in area.around(keys, stride):
        found, there = _look_up(known, wanted)
        patches, shares = placed[block], np.where(there, area.shares, 0.0)
        parts = np.vstack([values[patches], shares * values[placed[first[found]]]])
        # Added one after the other, whatever the number of patches: to the same last digit.
        total[patches] = np.add.accumulate(parts)[-1]
        weight[patches] = np.add.accumulate(shares)[-1]
        touching[patches] = there[area.touching].sum(axis=0)
    return Surroundings(total / (1 + weight), weight / area.full_weight, touching)


def within_reach(places: Places, chosen: np.ndarray, spread: float) -> np.ndarray:
    """Tells which patches are chosen or may be neighbours of the chosen ones, (n,) bool.

    Args:
        places: (n,) where the patches lie.
        chosen: (n,) bool.
        spread: standard deviation of the weights, sides of a patch.
    """
    area = neighbourhood(spread)
    placed = np.flatnonzero(places.columns >= 0)
    keys, stride = _keys(places, placed, area.reach)
    known, _ = _distinct(keys)
    wanted, _ = _distinct(keys[chosen[placed]])
    near = np.zeros(len(known), bool)
    for _, around in area.around(wanted, stride):
        found, there = _look_up(known, around)
        near[found[there]] = True
    reached = chosen.copy()
    reached[placed] |= near[np.searchsorted(known, keys)]
    return reached


def _keys(places: Places, placed: np.ndarray, reach: int) -> tuple[np.ndarray, int]:
    """Numbers every placed patch's place, so that a step across or down is a difference.

    A margin around every slide keeps a step over its edge from reaching another place.
    """
    numbers: dict[str, int] = {}
    names = np.asarray(places.slides)[placed].tolist()
    slides = np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)
    columns, rows = places.columns[placed] + reach, places.rows[placed] + reach
    stride = int(columns.max(initial=0)) + reach + 1
    height = int(rows.max(initial=0)) + reach + 1
    return (slides * height + rows) * stride + columns, stride


def _look_up(known: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns where in the rising numbers known each wanted one is, and whether it is there."""
    found = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return found, known[found] == wanted


def _distinct(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the different keys, rising, and where each comes first.

    As `np.unique` does, which would load NumPy's masked arrays for a single prediction.
    """
    order = np.argsort(keys, kind="stable")
    rising = keys[order]
    new = np.ones(len(keys), bool)
    new[1:] = rising[1:] != rising[:-1]
    return rising[new], order[new]
