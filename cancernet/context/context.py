"""The score of a patch in context: its own log odds and those around it, made one number.

A mean over neighbours is closer to the truth than one score, but lies nearer the middle:
read as log odds it is too unsure, and the more so the more neighbours there are. So

    in context = even + (1 + gain * weight) * (mean - even) - offset * weight

with the weighted mean and the weight of the neighbours from `surroundings`, and `even` what the
log odds are where the network finds both classes alike: stretching begins there. A patch
without neighbours keeps its score. Then a score means the same with two neighbours as
with eight, and one operating point fits both.

Stains and scanners still shift the scores of a slide as a whole. The scores of a nearly complete
slide tell by themselves where its two kinds of patches part, so it has an operating point of its
own (`cancernet.context.slide_point`).
"""

import dataclasses
import math

import numpy as np

from cancernet.base.records import Record
from cancernet.context.neighbours import LEAST_WEIGHT, SPREAD, Places, surroundings
from cancernet.measures.decisions import log_odds

FORMER_SPREAD = 1.5  # sides of a patch: of runs which do not say theirs
GAIN, OFFSET = 1.0, 0.0  # what is expected
PRIOR_SLIDES = 4  # whole slides that this expectation counts for
PRIOR_CURVATURE = 0.05  # of one slide's loss around its best gain and offset, about
KEPT = (1.0, 0.5, 0.2)  # shares of the patches that a slide is thinned to
LEAST_PATCHES = 10  # of each class with LEAST_WEIGHT of neighbours, in a whole slide
RAISE = 0.5  # log odds that the operating point of a whole slide lies above Otsu's threshold


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


def fit_context(
    probability: np.ndarray,
    positive: np.ndarray,
    places: Places,
    *,
    seed: int,
    spread: float = SPREAD,
    even: float = 0.0,
) -> Context:
    """Fits, on nearly complete slides, how much weight neighbours deserve.

    The fit is by the least cross entropy; every slide and class weighs the same.
    Few data sets have many whole slides, and where patches were sampled by class (all of one,
    few of the other) having neighbours gives the class away. So only patients count whose
    patches of both classes have neighbours. Their patches are also thinned at random, so that
    the fit sees few neighbours as well as many. With few such patients the fit is drawn
    towards what was measured on other patients (benchmarks/README.md, "In context").

    Args:
        probability: (n,) of the positive class, each patch alone, calibrated.
        positive: (n,) whether the patch is of the positive class.
        places: (n,) where the patches lie.
        spread: standard deviation of the neighbours' weights, sides of a patch.
        even: log odds where the network finds both classes alike. Since every class weighs the
            same in the fit, it is taken off the scores for it.
    """
    from scipy.optimize import minimize

    scores, positive = log_odds(probability) - even, np.asarray(positive, bool)
    slides = np.asarray(places.slides)
    whole = whole_slides(positive, places)
    random = np.random.default_rng(seed)
    samples = []
    for slide in whole:
        rows = np.flatnonzero(slides == slide)
        for share in KEPT:
            kept = rows[random.random(len(rows)) < share]
            samples.append(_neighbourhoods(scores[kept], positive[kept], places.of(kept), spread))

    def loss(values: np.ndarray) -> float:
        fitted = Context(gain=float(values[0]), offset=float(values[1]), slides=0)
        losses = [
            np.logaddexp(0, -sign * fitted.stretched(mean, weight)) @ share
            for mean, weight, sign, share in samples
        ]
        away = np.sum((values - (GAIN, OFFSET)) ** 2)
        return float(sum(losses) / len(KEPT) + PRIOR_SLIDES * PRIOR_CURVATURE * away)

    gain, offset = minimize(loss, (GAIN, OFFSET), bounds=[(0, None), (None, None)]).x.tolist()
    return Context(
        gain=gain, offset=offset, slides=len(whole), spread=spread, raised=RAISE, even=even
    )


def whole_slides(positive: np.ndarray, places: Places) -> list[str]:
    """Returns the slides of which patches of both classes have neighbours on most sides."""
    amid = surroundings(np.zeros(len(positive)), places).weight >= LEAST_WEIGHT
    names, slide = np.unique(np.asarray(places.slides), return_inverse=True)
    counts = [
        np.bincount(slide[amid & (positive == kind)], minlength=len(names))
        for kind in (False, True)
    ]
    return [str(name) for name in names[np.minimum(*counts) >= LEAST_PATCHES]]


def _neighbourhoods(
    scores: np.ndarray, positive: np.ndarray, places: Places, spread: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns means and weights of one slide's patches, signs of their classes, shares of loss."""
    around = surroundings(scores, places, spread)
    kind = positive.astype(int)
    shares = 0.5 / np.bincount(kind, minlength=2)[kind]
    return around.mean, around.weight, np.where(kind == 1, 1.0, -1.0), shares
