"""Uploads of one request judged together: patches of one patient whose names hold places."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cancernet.catalog.patient_id import patient_key
from cancernet.context.surroundings import Places
from cancernet.runs.run_folder import Run
from cancernet.runs.run_record import ContextRecord
from cancernet.scoring.predictor import Failure, Prediction
from cancernet.slides.scoring import read_place


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatchInContext(Prediction):
    """The prediction for a patch judged with its neighbours; every other field follows them."""

    neighbours: int  # how many of the eight places around it are patches
    probability_alone: float  # of the positive class


def judge_together(
    run: Run, names: Sequence[str], outcomes: Sequence[Prediction | Failure]
) -> list[Prediction | Failure]:
    """Judges patches with those of the same patient among them, as far as the run can.

    What has no place in its name, or no patch within reach, keeps its prediction.

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
    alone = np.array([outcome.positive_probability for _, outcome in scored])
    judged = context.judge(alone, _places([names[row] for row, _ in scored], context.side))
    rows = zip(judged.probability.tolist(), judged.neighbours.tolist(), judged.alone, strict=True)
    for (row, outcome), (probability, neighbours, is_alone) in zip(scored, rows, strict=True):
        if not is_alone:
            answers[row] = _in_context(run, context, outcome, probability, neighbours)
    return answers


def _places(names: list[str], side: int) -> Places:
    found = [read_place(Path(name)) for name in names]
    return Places(
        ["" if place is None else patient_key(place.patient) for place in found],
        np.array([-1 if place is None else place.x // side for place in found], np.int64),
        np.array([-1 if place is None else place.y // side for place in found], np.int64),
    )


def _in_context(
    run: Run, context: ContextRecord, alone: Prediction, probability: float, neighbours: int
) -> PatchInContext:
    threshold = context.operating_point.threshold
    [other] = set(run.classes) - set(run.positive)
    probabilities = {
        name: probability if name in run.positive else 1 - probability for name in run.classes
    }
    positive = probability >= threshold
    label = run.positive[0] if positive else other
    return PatchInContext(
        path=alone.path,
        label=label,
        word=run.word(label),
        probability=probabilities[label],
        probabilities=probabilities,
        positive_probability=probability,
        positive=positive,
        operating_point=threshold,
        neighbours=neighbours,
        probability_alone=alone.positive_probability,
    )
