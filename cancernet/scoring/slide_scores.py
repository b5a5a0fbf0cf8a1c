"""The scores of one slide's patches, alone and in context, while a command needs them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cancernet.catalog.histology import read_place
from cancernet.catalog.patient_id import patient_key
from cancernet.context.context import both_classes
from cancernet.context.surroundings import Places, within_reach
from cancernet.runs.run_folder import Run
from cancernet.runs.run_record import ContextRecord
from cancernet.scoring.predictor import (
    Failure,
    Prediction,
    PredictionInContext,
    Score,
    interpret,
)
from cancernet.scoring.slide_files import SlideFiles, SlideKey


class SlideScores:
    """The scores found so far of one slide's patches, alone and in context.

    Attributes:
        key: what it is kept by; None for an image that belongs to no slide.
        files: its patches on the disk.
        pending: patches that were asked for and are not scored yet.
        left: patches that were not answered yet.
    """

    def __init__(self, run: Run, key: SlideKey | None, files: SlideFiles) -> None:
        self.key = key
        self.files = files
        self.pending = 0
        self.left = len(files)
        self._run = run
        self._asked = np.zeros(len(files), bool)
        self._scored = np.zeros(len(files), bool)
        self._alone = np.zeros((len(files), len(run.classes)))
        self._unlike: list[bool | None] = [None] * len(files)
        self._failed: dict[int, Failure] = {}
        self._probability = np.zeros(len(files))
        self._neighbours = np.zeros(len(files), np.int8)
        self._is_alone = np.ones(len(files), bool)

    def path(self, number: int) -> Path:
        """Returns where a patch lies."""
        return self.files.path(number)

    def ask(self, numbers: list[int]) -> list[int]:
        """Returns which patches must be scored before these can be judged."""
        wanted = self._reach(numbers) & ~self._asked
        self._asked |= wanted
        new = np.flatnonzero(wanted).tolist()
        self.pending += len(new)
        return new

    def take(self, number: int, found: Score | Failure) -> None:
        """Notes the score of a patch that was asked for."""
        self.pending -= 1
        if isinstance(found, Failure):
            self._failed[number] = found
        else:
            self._alone[number] = found.probabilities
            self._unlike[number] = found.unlike_training
            self._scored[number] = True

    def judge(self, numbers: list[int]) -> None:
        """Puts patches in context whose neighbours are all scored."""
        if not self.files.places.known:
            return
        rows = np.flatnonzero(self._reach(numbers) & self._scored)
        positive = self._run.classes.index(self._run.positive[0])
        found = context_of(self._run).judge(self._alone[rows, positive], self.files.places.of(rows))
        # Others may lack neighbours that nobody asked for.
        wanted = np.isin(rows, numbers)
        self._probability[rows[wanted]] = found.probability[wanted]
        self._neighbours[rows[wanted]] = found.neighbours[wanted]
        self._is_alone[rows[wanted]] = found.alone[wanted]

    def answer(self, path: Path, number: int) -> PredictionInContext | Failure:
        """Returns the prediction for a patch that was judged."""
        self.left -= 1
        if number in self._failed:
            return Failure(str(path), self._failed[number].error)
        return interpret_in_context(
            self._run,
            str(path),
            Score(self._alone[number], self._unlike[number]),
            probability=float(self._probability[number]),
            neighbours=int(self._neighbours[number]) if self.files.has_place(number) else None,
            is_alone=bool(self._is_alone[number]),
        )

    def _reach(self, numbers: list[int]) -> np.ndarray:
        chosen = np.zeros(len(self.files), bool)
        chosen[numbers] = True
        return chosen if chosen.all() else within_reach(self.files.places, chosen)


def judge_together(
    run: Run, names: Sequence[str], outcomes: Sequence[Prediction | Failure]
) -> list[Prediction | Failure]:
    """Judges files with those of the same patient among them, if the run does so.

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
    places = [read_place(Path(names[row]).name) for row, _ in scored]
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


def interpret_in_context(
    run: Run,
    path: str,
    alone: Score,
    *,
    probability: float,
    neighbours: int | None,
    is_alone: bool,
) -> PredictionInContext:
    """Makes the prediction for a patch that was put in context.

    Args:
        run: one that judges in context.
        path: of the image, as it was given.
        alone: of the patch alone.
        probability: of the positive class in context.
        neighbours: how many of the eight around it are there; None where it has no place.
        is_alone: nothing is within reach, so that the run's own operating point holds.
    """
    positive = run.classes.index(run.positive[0])
    row = alone.probabilities if is_alone else both_classes(np.array(probability), positive)
    threshold = run.threshold if is_alone else context_of(run).operating_point.threshold
    return PredictionInContext(
        **vars(interpret(run, path, Score(row, alone.unlike_training), threshold)),
        neighbours=neighbours,
        alone_probabilities=dict(zip(run.classes, alone.probabilities.tolist(), strict=True)),
    )


def context_of(run: Run) -> ContextRecord:
    """Returns how a run judges in context; only for a run that does."""
    if run.record.context is None:
        raise ValueError(f"{run.folder} does not judge in context")
    return run.record.context
