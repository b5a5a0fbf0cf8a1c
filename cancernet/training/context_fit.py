"""Judges a trained run with its neighbours: fits on whole slides, chooses on validation."""

import dataclasses
from collections.abc import Callable

import numpy as np

from cancernet.context.context import Context
from cancernet.context.judge import (
    InContext,
    places_in,
    places_of,
    put_in_context,
    slides_of,
)
from cancernet.context.neighbours import LEAST_WEIGHT, SPREAD, Places, surroundings
from cancernet.measures.assess import TESTING, VALIDATION, ScoreSet
from cancernet.measures.decisions import log_odds, rule_of
from cancernet.measures.scored import Scored
from cancernet.planning.plan import Training
from cancernet.runs.run_record import ContextRecord

# Whole slides of training that are scored for the fit; each costs as much as its patches.
MOST_SLIDES = 12
GAIN, OFFSET = 1.0, 0.0  # what is expected
PRIOR_SLIDES = 4  # whole slides that this expectation counts for
PRIOR_CURVATURE = 0.05  # of one slide's loss around its best gain and offset, about
KEPT = (1.0, 0.5, 0.2)  # shares of the patches that a slide is thinned to
LEAST_AMID = 10  # patches of each class with LEAST_WEIGHT of neighbours, in a whole slide
RAISE = 0.75  # log odds that the operating point of a whole slide lies above Otsu's threshold


def judge_in_context(
    training: Training, alone: ScoreSet, score: Callable[[np.ndarray], Scored]
) -> tuple[ContextRecord, InContext] | None:
    """Fits the context and chooses its operating point on validation.

    Validation often has no whole slide, so those of training count as well. The network has seen
    them, but only two numbers are fitted, which hold for all slides, and unseen patients gained
    by it (benchmarks/QUALITY.md, "In context").

    Args:
        alone: the scores of each patch alone.
        score: scores training images by their places in the split, calibrated.

    Returns:
        What prediction needs and both splits in context; None where the settings forbid it, there
        are more than two classes or no patch has a place.
    """
    dataset, config = training.dataset, training.config
    side = dataset.image_size[0]
    known = places_in(alone.scored[TESTING], side).known
    if not config.context or len(dataset.classes) > 2 or not known:
        return None
    validation = alone.scored[VALIDATION]
    rows, trained_on = _whole_training_slides(training, side)
    seen = [score(rows)] if len(rows) else []
    context = _fit([validation, *seen], alone, side, seed=config.seed)
    context = dataclasses.replace(context, trained_on=trained_on, slide_points=config.slide_points)
    judged = put_in_context(alone, context, rule_of(vars(config)), side=side)
    assert judged is not None
    record = ContextRecord(
        **vars(context), side=side, operating_point=judged.scores.operating_point
    )
    return record, judged


def _whole_training_slides(training: Training, side: int) -> tuple[np.ndarray, int]:
    """Returns the rows of training's whole slides, some of them if many, and their number."""
    part = training.dataset.split("training")
    slides = np.array(slides_of(part.paths, part.patients))
    places = places_of(part.paths, slides.tolist(), side)
    whole = whole_slides(np.isin(part.labels, training.positive), places)
    random = np.random.default_rng(training.config.seed)
    chosen = random.permutation(whole)[:MOST_SLIDES]
    return np.flatnonzero(np.isin(slides, chosen)), len(chosen)


def _fit(scored: list[Scored], alone: ScoreSet, side: int, *, seed: int) -> Context:
    (positive,) = alone.positive_indices
    places = [places_in(each, side) for each in scored]
    return fit_context(
        np.concatenate([each.probabilities[:, positive] for each in scored]),
        np.concatenate([each.truth == positive for each in scored]),
        Places(
            np.concatenate([np.asarray(each.slides) for each in places]),
            np.concatenate([each.columns for each in places]),
            np.concatenate([each.rows for each in places]),
        ),
        seed=seed,
        even=float(log_odds(np.array(alone.calibration.even([positive])))),
    )


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
    towards what was measured on other patients (benchmarks/QUALITY.md, "In context").

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
    return [str(name) for name in names[np.minimum(*counts) >= LEAST_AMID]]


def _neighbourhoods(
    scores: np.ndarray, positive: np.ndarray, places: Places, spread: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns means and weights of one slide's patches, signs of their classes, shares of loss."""
    around = surroundings(scores, places, spread)
    kind = positive.astype(int)
    shares = 0.5 / np.bincount(kind, minlength=2)[kind]
    return around.mean, around.weight, np.where(kind == 1, 1.0, -1.0), shares
