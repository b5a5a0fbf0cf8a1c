"""Judges a trained run with its neighbours: fits on whole slides, chooses on validation."""

import dataclasses
from collections.abc import Callable

import numpy as np

from cancernet.context.context import Context, fit_context, whole_slides
from cancernet.context.judge import (
    InContext,
    places_in,
    places_of,
    put_in_context,
    slides_of,
)
from cancernet.context.neighbours import Places
from cancernet.measures.assess import TESTING, VALIDATION, ScoreSet
from cancernet.measures.decisions import log_odds, rule_of
from cancernet.measures.scored import Scored
from cancernet.planning.plan import Training
from cancernet.runs.run_record import ContextRecord

# Whole slides of training that are scored for the fit; each costs as much as its patches.
MOST_SLIDES = 12


def judge_in_context(
    training: Training, alone: ScoreSet, score: Callable[[np.ndarray], Scored]
) -> tuple[ContextRecord, InContext] | None:
    """Fits the context and chooses its operating point on validation.

    Validation often has no whole slide, so those of training count as well. The network has seen
    them, but only two numbers are fitted, which hold for all slides, and unseen patients gained
    by it (benchmarks/README.md, "In context").

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
