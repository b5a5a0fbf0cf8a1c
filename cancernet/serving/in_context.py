"""Uploads of one request judged together: patches of one patient whose names hold places."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cancernet.catalog.patient_id import patient_key
from cancernet.context.surroundings import Places
from cancernet.runs.run_folder import Run
from cancernet.scoring.predictor import Failure, Prediction, Score
from cancernet.scoring.slide_scores import interpret_in_context
from cancernet.slides.scoring import read_place


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
    slides = ["" if place is None else patient_key(place.patient) for place in places]
    alone = np.array([outcome.positive_probability for _, outcome in scored])
    judged = context.judge(alone, Places.at(places, slides, context.side))
    found = zip(judged.probability.tolist(), judged.neighbours.tolist(), judged.alone, strict=True)
    for (row, outcome), place, (probability, neighbours, is_alone) in zip(
        scored, places, found, strict=True
    ):
        answers[row] = interpret_in_context(
            run,
            outcome.path,
            Score(np.array(list(outcome.probabilities.values())), outcome.unlike_training),
            probability=probability,
            neighbours=None if place is None else neighbours,
            is_alone=bool(is_alone),
        )
    return answers
