"""The score of a patch in context: its own log odds and those around it, made one number.

A mean over neighbours is closer to the truth than one score, but lies nearer the middle:
read as log odds it is too unsure, and the more so the more neighbours there are. So

    in context = even + (1 + gain * weight) * (mean - even) - offset * weight

with the weighted mean and the weight of the neighbours from `surroundings`, and `even` what the
log odds are where the network finds both classes alike: stretching begins there. A patch
without neighbours keeps its score. Then a score means the same with two neighbours as
with eight, and one operating point fits both.

Stains and scanners still shift the scores of a slide as a whole, so a nearly complete slide has an
operating point of its own, found from its unlabelled scores. With tumour they fall into two groups.
Otsu's threshold (IEEE Transactions on Systems, Man, and Cybernetics 9, 1979) parts them where the
variance between the groups is greatest. Means over neighbours carry the tumour's scores beyond its
outline, so that most of what lies between the groups is tissue: the slide's operating point lies
`raised` above Otsu's threshold. It is kept within `FURTHEST` of the one that validation chose: it
corrects a slide whose scores lie higher or lower as a whole, while its cost on a slide without
tumour stays limited (benchmarks/QUALITY.md, "In context").
"""

import dataclasses
import math

import numpy as np

from cancernet.base.records import Record
from cancernet.context.neighbours import LEAST_WEIGHT, Places, surroundings
from cancernet.measures.decisions import log_odds

FORMER_SPREAD = 1.5  # sides of a patch: of runs which do not say theirs
# With fewer patches, or with sampled ones, the share of tumour is too odd to find the threshold.
LEAST_PATCHES = 450
LEAST_SHARE = 0.5  # of them that have most of their neighbours
FURTHEST = 1.0  # log odds that a slide's operating point may lie from validation's
_WIDEST = 8.0  # log odds beyond which scores count as the same
_BINS = 256


@dataclasses.dataclass(frozen=True, eq=False)
class JudgedPatches:
    """Patches in context.

    Attributes:
        probability: (n,) of the positive class; a patch without neighbours keeps its own.
        neighbours: (n,) int64, how many of the eight patches around each are there.
        alone: (n,) whether no patch within reach is there, so that the operating point of
            patches alone holds.
        weight: (n,) of the neighbours that are there; see `Surroundings`.
    """

    probability: np.ndarray
    neighbours: np.ndarray
    alone: np.ndarray
    weight: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context(Record):
    """How a run turns scores of patches alone into scores in context.

    Attributes:
        gain: how much a whole neighbourhood raises the confidence, at least 0.
        offset: log odds that a whole neighbourhood subtracts.
        slides: whole slides that gain and offset were fitted on.
        trained_on: those of them that the network was trained on; None where not known.
        spread: standard deviation of the neighbours' weights, sides of a patch, up to 10.
        slide_points: whether whole slides have operating points of their own.
        raised: log odds that these lie above Otsu's threshold; 0 in older runs.
        even: log odds, calibrated, where the network finds both classes alike
            (`Calibration.even`); 0 where their shares are not known.

    Raises:
        ValueError: a number that no fit gives.
    """

    gain: float
    offset: float
    slides: int
    trained_on: int | None = None
    spread: float = FORMER_SPREAD
    slide_points: bool = False
    raised: float = 0.0
    even: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.gain < math.inf and math.isfinite(self.offset + self.even)):
            raise ValueError("`gain` must be at least 0, `offset` and `even` finite")
        if not 0.5 <= self.spread <= 10:
            raise ValueError(f"`spread` must be from 0.5 to 10, but is {self.spread}")

    def judge(self, probability: np.ndarray, places: Places) -> JudgedPatches:
        """Returns the patches in context.

        Args:
            probability: (n,) of the positive class, each patch alone, calibrated.
            places: (n,) where the patches lie.
        """
        around = surroundings(log_odds(probability), places, self.spread)
        found = 1 / (1 + np.exp(-self.stretched(around.mean, around.weight)))
        alone = around.weight == 0
        # A lone patch keeps its number to the last digit.
        judged = np.where(alone, probability, found)
        return JudgedPatches(judged, around.touching, alone, around.weight)

    def stretched(self, mean: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Returns the log odds in context of means over neighbourhoods of these weights."""
        return self.even + (1 + self.gain * weight) * (mean - self.even) - self.offset * weight


def operating_points(
    context: Context, judged: JudgedPatches, places: Places, *, alone: float, chosen: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the operating point of every patch, (n,), and which are a slide's own, (n,) bool.

    Args:
        context: the context that judged the patches.
        places: (n,) where they lie.
        alone: operating point of a patch without neighbours.
        chosen: operating point in context that validation chose.
    """
    points = np.where(judged.alone, alone, chosen)
    own = np.zeros(len(points), bool)
    if not context.slide_points or len(points) < LEAST_PATCHES:
        return points, own
    for rows in _whole(places, judged.weight):
        among = rows[~judged.alone[rows]]
        points[among] = slide_point(judged.probability[among], chosen, context)
        own[among] = True
    return points, own


def slide_point(probability: np.ndarray, chosen: float, context: Context) -> float:
    """Returns the operating point of a whole slide.

    Args:
        probability: (n,) of its patches in context.
        chosen: operating point in context that validation chose.
    """
    even = context.even
    middle = float(log_odds(np.array(chosen))) - even
    scores = (log_odds(probability) - even).clip(-_WIDEST, _WIDEST)
    counts, edges = np.histogram(scores, _BINS, (-_WIDEST, _WIDEST))
    below, sums = np.cumsum(counts), np.cumsum(counts * (edges[:-1] + edges[1:]) / 2)
    pairs = below * (below[-1] - below)
    between = (sums[-1] * below / below[-1] - sums) ** 2 / np.maximum(pairs, 1)
    between[pairs == 0] = 0
    if not between.any():
        return chosen
    parted = float(edges[1:][np.argmax(between)])
    point = even + min(max(parted + context.raised, middle - FURTHEST), middle + FURTHEST)
    return float(1 / (1 + np.exp(-point)))


def is_whole(weight: np.ndarray) -> bool:
    """Tells whether a slide is nearly complete, by the weights (n,) of its patches' neighbours."""
    return len(weight) >= LEAST_PATCHES and bool(np.mean(weight >= LEAST_WEIGHT) >= LEAST_SHARE)


def _whole(places: Places, weight: np.ndarray) -> list[np.ndarray]:
    """Returns the rows of each nearly complete slide."""
    slides: dict[str, list[int]] = {}
    for row, name in enumerate(np.asarray(places.slides).tolist()):
        if places.columns[row] >= 0:
            slides.setdefault(name, []).append(row)
    found = [np.array(rows) for rows in slides.values()]
    return [rows for rows in found if is_whole(weight[rows])]
