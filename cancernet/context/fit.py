"""Fits, on nearly complete slides, how much weight neighbours deserve.

Few data sets have many whole slides, and where patches were sampled by class (all of one,
few of the other) having neighbours gives the class away. So only patients count whose
patches of both classes have neighbours. Their patches are also thinned at random, so that
the fit sees few neighbours as well as many. With few such patients the fit is drawn
towards what was measured on other patients (benchmarks/README.md, "In context").
"""

import numpy as np

from cancernet.context.context import RAISE, Context
from cancernet.context.neighbours import LEAST_WEIGHT, SPREAD, Places, surroundings
from cancernet.measures.decisions import log_odds

GAIN, OFFSET = 1.0, 0.0  # what is expected
PRIOR_SLIDES = 4  # whole slides that this expectation counts for
PRIOR_CURVATURE = 0.05  # of one slide's loss around its best gain and offset, about
KEPT = (1.0, 0.5, 0.2)  # shares of the patches that a slide is thinned to
LEAST_PATCHES = 10  # of each class with LEAST_WEIGHT of neighbours, in a whole slide


def fit_context(
    probability: np.ndarray,
    positive: np.ndarray,
    places: Places,
    *,
    seed: int,
    spread: float = SPREAD,
    even: float = 0.0,
) -> Context:
    """Fits gain and offset by the least cross entropy; every slide and class weighs the same.

    Args:
        probability: (n,) of the positive class, each patch alone, calibrated.
        positive: (n,) whether the patch is of the positive class.
        places: (n,) where the patches lie.
        seed: of the thinning.
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
