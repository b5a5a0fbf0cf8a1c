"""Uploads of one request judged together: patches of one patient whose names hold places."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cancernet.catalog.patient_id import patient_key
from cancernet.context.surroundings import Places
from cancernet.runs.run_folder import Run
from cancernet.runs.run_record import ContextRecord
from cancernet.scoring.predictor import Failure, Prediction, PredictionInContext, interpret
from cancernet.slides.scoring import Place, read_place


def judge_together(
    run: Run, names: Sequence[str], outcomes: Sequence[Prediction | Failure]
) -> list[Prediction | Failure]:
    """Judges patches with those of the same patient among them, if the run does so.

    What has no place in its name, or no patch within reach, keeps its own answer.

    Args:
        run: whose predictions these are.
        names: of the files.
        outcomes: of each file alone.
    """
    answers, context = list(outcomes), run.record.context
    if context is None:
        return answers
    scored = [
        (row, outcome) for row, outcome in enumerate(outcomes) if isinstance(outcome, Prediction)
    ]
    places = [read_place(Path(names[row])) for row, _ in scored]
    alone = np.array([outcome.positive_probability for _, outcome in scored])
    judged = context.judge(alone, _grid(places, context.side))
    found = zip(judged.probability.tolist(), judged.neighbours.tolist(), judged.alone, strict=True)
    for (row, outcome), place, (probability, neighbours, is_alone) in zip(
        scored, places, found, strict=True
    ):
        told = outcome if is_alone else _in_context(run, context, outcome, probability)
        answers[row] = PredictionInContext(
            **vars(told),
            neighbours=None if place is None else neighbours,
            probability_alone=outcome.positive_probability,
        )
    return answers


def _grid(places: list[Place | None], side: int) -> Places:
    return Places(
        ["" if place is None else patient_key(place.patient) for place in places],
        np.array([-1 if place is None else place.x // side for place in places], np.int64),
        np.array([-1 if place is None else place.y // side for place in places], np.int64),
    )


def _in_context(
    run: Run, context: ContextRecord, alone: Prediction, probability: float
) -> Prediction:
    row = [probability if name in run.positive else 1 - probability for name in run.classes]
    return interpret(run, alone.path, np.array(row), context.operating_point.threshold)
