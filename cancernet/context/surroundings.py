"""Who lies beside whom on a slide, and the mean score around every patch."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np

# Standard deviation of the weights and how far they reach, in sides of a patch
# (benchmarks/README.md, "In context").
SPREAD = 1.5
REACH = 3


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
            not known, which makes a patch one without neighbours.
    """

    slides: Sequence[str] | np.ndarray
    columns: np.ndarray
    rows: np.ndarray

    @classmethod
    def at(cls, corners: Sequence[Corner | None], slides: Sequence[str], side: int) -> "Places":
        """Returns the places of patches by their upper left corners.

        Args:
            corners: what the name of each patch tells; None where it tells nothing.
            slides: the slide of each.
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


def surroundings(values: np.ndarray, places: Places) -> Surroundings:
    """Averages values over neighbouring patches, weighted by a Gaussian of the distance.

    Memory is that of a few numbers a patch, whatever the reach.

    Args:
        values: (n,) one number a patch, such as the log odds of being positive.
        places: (n,) where the patches lie. Of several patches in one place the first is
            the neighbour of others.
    """
    values = np.asarray(values, dtype=np.float64)
    placed = np.flatnonzero(places.columns >= 0)
    total, weight = values.copy(), np.zeros(len(values))
    touching = np.zeros(len(values), np.int64)
    keys, stride = _keys(places, placed)
    known, first = np.unique(keys, return_index=True)
    for across, down, share in KERNEL:
        wanted = keys + down * stride + across
        found = np.searchsorted(known, wanted).clip(max=len(known) - 1)
        there = known[found] == wanted
        patches, neighbours = placed[there], placed[first[found[there]]]
        total[patches] += share * values[neighbours]
        weight[patches] += share
        touching[patches] += max(abs(across), abs(down)) == 1
    return Surroundings(total / (1 + weight), weight / FULL_WEIGHT, touching)


def within_reach(places: Places, chosen: np.ndarray) -> np.ndarray:
    """Tells which patches the chosen ones and all that may be their neighbours are, (n,) bool.

    Args:
        places: (n,) where the patches lie.
        chosen: (n,) bool.
    """
    placed = np.flatnonzero(places.columns >= 0)
    keys, stride = _keys(places, placed)
    known, place_of = np.unique(keys, return_inverse=True)
    near, wanted = np.zeros(len(known), bool), known[np.unique(place_of[chosen[placed]])]
    for across, down, _ in KERNEL:
        step = wanted + down * stride + across
        found = np.searchsorted(known, step).clip(max=len(known) - 1)
        near[found[known[found] == step]] = True
    reached = chosen.copy()
    reached[placed] |= near[place_of]
    return reached


def _kernel() -> list[tuple[int, int, float]]:
    """Returns (columns across, rows down, weight) of every place within reach but one's own."""
    steps = range(-REACH, REACH + 1)
    return [
        (across, down, float(np.exp(-(across**2 + down**2) / (2 * SPREAD**2))))
        for down in steps
        for across in steps
        if across or down
    ]


KERNEL = _kernel()
FULL_WEIGHT = sum(share for _, _, share in KERNEL)


def _keys(places: Places, placed: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers every placed patch's place, so that a step across or down is a difference.

    A margin around every slide keeps a step over its edge from reaching another place.
    """
    _, slides = np.unique(np.asarray(places.slides)[placed], return_inverse=True)
    columns, rows = places.columns[placed] + REACH, places.rows[placed] + REACH
    stride = int(columns.max(initial=0)) + REACH + 1
    height = int(rows.max(initial=0)) + REACH + 1
    return (slides * height + rows) * stride + columns, stride
