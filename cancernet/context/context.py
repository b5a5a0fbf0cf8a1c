"""The score of a patch in context: its own log odds and those around it, made one number.

A mean over neighbours is closer to the truth than one score, but lies nearer the middle:
read as log odds it is too unsure, and the more so the more neighbours there are. So

    in context = (1 + gain * weight) * mean - offset * weight

with the weighted mean and the weight of the neighbours from `surroundings`. A patch
without neighbours keeps its score. Then a score means the same with two neighbours as
with eight, and one operating point fits both.
"""

import dataclasses
import math

import numpy as np

from cancernet.base.records import Record
from cancernet.context.surroundings import Places, surroundings

# A probability of 0 or 1 has no finite log odds; float32 softmax ends near here.
_SMALLEST = 1e-7


@dataclasses.dataclass(frozen=True, eq=False)
class JudgedPatches:
    """Patches in context.

    Attributes:
        probability: (n,) of the positive class; a patch without neighbours keeps its own.
        neighbours: (n,) int64, how many of the eight patches around each are there.
        alone: (n,) whether no patch within reach is there, so that the operating point of
            patches alone holds.
    """

    probability: np.ndarray
    neighbours: np.ndarray
    alone: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context(Record):
    """How a run makes scores in context of scores alone.

    Attributes:
        gain: how much surer a whole neighbourhood makes, at least 0.
        offset: log odds that a whole neighbourhood takes off.
        slides: whole slides that gain and offset were fitted on.
        trained_on: those of them that the network was trained on; None where not known.

    Raises:
        ValueError: a number that no fit gives.
    """

    gain: float
    offset: float
    slides: int
    trained_on: int | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.gain < math.inf and math.isfinite(self.offset)):
            raise ValueError("`gain` must be at least 0 and `offset` finite")

    def judge(self, probability: np.ndarray, places: Places) -> JudgedPatches:
        """Returns the patches in context.

        Args:
            probability: (n,) of the positive class, each patch alone, calibrated.
            places: (n,) where the patches lie.
        """
        around = surroundings(log_odds(probability), places)
        found = 1 / (1 + np.exp(-self.stretched(around.mean, around.weight)))
        alone = around.weight == 0
        # A lone patch keeps its number to the last digit.
        return JudgedPatches(np.where(alone, probability, found), around.touching, alone)

    def stretched(self, mean: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Returns the log odds in context of means over neighbourhoods of these weights."""
        return (1 + self.gain * weight) * mean - self.offset * weight


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Returns ln(p / (1 - p)), finite for 0 and 1 too."""
    inside = np.clip(np.asarray(probability, np.float64), _SMALLEST, 1 - _SMALLEST)
    return np.log(inside) - np.log1p(-inside)


def both_classes(probability: np.ndarray, positive: int) -> np.ndarray:
    """Returns the probabilities of two classes, shape (..., 2), from those of the positive one.

    `positive` is its column.
    """
    columns = (1 - probability, probability) if positive == 1 else (probability, 1 - probability)
    return np.stack(columns, axis=-1)
