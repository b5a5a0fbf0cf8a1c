"""What the training images look like, kept in run.json; images that do not are told apart.

An image is a point in the space of its `MEASURES`. Each is taken from the training images'
typical value in units of their spread, then all are turned and scaled until the training images
vary by the same in every direction (Mahalanobis). There the distance to the nearest of a few
dozen reference points counts: histology is fat, stroma and tumour, and not one cloud.
"""

import base64
import dataclasses
import functools
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cancernet.appearance.measure import MEASURES
from cancernet.base.records import Record

FURTHEST = 20.0  # spreads; one odd measure must not say all


@dataclasses.dataclass(frozen=True, kw_only=True)
class Appearance(Record):
    """What the training images of a run look like.

    Attributes:
        typical: measure -> median of the training images.
        spread: measure -> by how much they differ in it; never less than its `least`.
        turn: matrix that makes them vary alike in every direction, as `packed` text.
        references: points among them, after the turn, as `packed` text.
        threshold: distance to the nearest reference beyond which an image is unlike them.
        images: training images that this was found from.

    Raises:
        ValueError: numbers that no fit gives.
    """

    typical: Mapping[str, float]
    spread: Mapping[str, float]
    turn: str
    references: str
    threshold: float
    images: int

    def __post_init__(self) -> None:
        values = [*self.typical.values(), *self.spread.values(), self.threshold]
        if list(self.typical) != list(self.spread) or not all(map(math.isfinite, values)):
            raise ValueError("`typical` and `spread` must have a finite number for each measure")
        if min(self.spread.values(), default=0.0) <= 0 or self.threshold <= 0:
            raise ValueError("`spread` and `threshold` must be above 0")
        if len(self._turn) != len(self.typical) or not len(self._references):
            raise ValueError("`turn` must be square and `references` not empty")

    @property
    def is_known(self) -> bool:
        """Whether it was made of the measures that this version takes."""
        return list(self.typical) == [each.name for each in MEASURES]

    def distances(self, measured: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns how far images are from the nearest reference, (n,), of `measure`'s rows."""
        typical, spread = (np.array(list(each.values())) for each in (self.typical, self.spread))
        apart = np.clip((measured - typical) / spread, -FURTHEST, FURTHEST) @ self._turn
        squares = ((apart[:, None] - self._references) ** 2).sum(axis=2)
        return np.sqrt(squares.min(axis=1))

    @functools.cached_property
    def _turn(self) -> NDArray[np.float32]:
        return unpacked(self.turn, columns=len(self.typical))

    @functools.cached_property
    def _references(self) -> NDArray[np.float32]:
        return unpacked(self.references, columns=len(self.typical))


def packed(matrix: NDArray[np.floating]) -> str:
    """Returns a matrix as text: its rows as little-endian float32 in base64."""
    return base64.b64encode(matrix.astype("<f4").tobytes()).decode()


def unpacked(text: str, *, columns: int) -> NDArray[np.float32]:
    """Returns the matrix of a `packed` text.

    Raises:
        ValueError: the text is no such matrix, or holds what is not a finite number.
    """
    values = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    matrix = values.reshape(-1, columns)
    if not np.isfinite(matrix).all():
        raise ValueError("a matrix holds what is not a finite number")
    return matrix
