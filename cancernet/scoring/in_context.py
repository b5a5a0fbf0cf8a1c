"""Scores patches with their neighbours, for runs that judge patches in context.

A patch that lies in a folder has neighbours there whether or not they were named, so that
it gets the same number alone on the command line, within its folder and from many workers.
Only scores of patches alone come from the model or the workers; they are put in context here.
"""

import functools
import os
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cancernet.base.patch_name import patient_key, read_place
from cancernet.context.context import LEAST_PATCHES, is_whole, operating_points
from cancernet.context.neighbours import Places, surroundings, within_reach
from cancernet.measures.decisions import both_classes
from cancernet.runs.run_folder import Run
from cancernet.scoring.prediction import (
    Failure,
    Judged,
    Prediction,
    PredictionInContext,
    Score,
    interpret_in_context,
)
from cancernet.scoring.predictor import Predictor
from cancernet.scoring.slide_files import SlideFiles, SlideFolders, SlideKey, patient_of

if TYPE_CHECKING:
    from cancernet.scoring.distributed import SpreadPredictor

ROUND = 4096  # images that are planned together
ROUNDS = 16  # that may wait for their scores: enough to keep many workers busy
FEW = 10  # patches named of a slide, for which not all of it is scored
KEPT_PATCHES = 500_000  # whose scores are kept for neighbours that are named later


class SlideScores:
    """The scores found so far of one slide's patches, alone and in context.

    Attributes:
        key: patient and folder; None for an image that belongs to no slide.
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
        self._judged = Judged(
            np.zeros_like(self._alone),
            np.zeros(len(files), np.int8),
            np.full(len(files), run.threshold),
            np.zeros(len(files), bool),
        )

    def ask(self, numbers: list[int]) -> list[int]:
        """Returns which patches must be scored before these can be judged.

        For a whole slide these are all its patches, unless only a few were named, because its
        operating point depends on all.
        """
        chosen = np.zeros(len(self.files), bool)
        chosen[numbers] = True
        if len(numbers) >= FEW and self._is_whole:
            chosen[:] = True
        wanted = self._reach(chosen) & ~self._asked
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
            self._alone[number] = self._judged.probabilities[number] = found.probabilities
            self._unlike[number] = found.unlike_training
            self._scored[number] = True

    def judge(self, numbers: list[int]) -> None:
        """Puts patches in context whose neighbours are all scored."""
        if not self.files.places.known:
            return
        wanted = np.zeros(len(self.files), bool)
        wanted[numbers] = True  # others may lack neighbours that nobody asked for
        near = self._asked if self._asked.all() else self._reach(wanted)
        rows = np.flatnonzero(near & self._scored)
        found = judge(self._run, self._alone[rows], self.files.places.of(rows))
        for kept, new in zip(self._judged, found, strict=True):
            kept[rows[wanted[rows]]] = new[wanted[rows]]

    def answer(self, path: str | Path, number: int) -> PredictionInContext | Failure:
        """Returns the prediction for a patch that was judged."""
        self.left -= 1
        if number in self._failed:
            return Failure(str(path), self._failed[number].error)
        alone = Score(self._alone[number], self._unlike[number])
        judged = Judged(*(column[number] for column in self._judged))
        placed = self.files.has_place(number)
        return interpret_in_context(self._run, str(path), alone, judged, placed=placed)

    @functools.cached_property
    def _is_whole(self) -> bool:
        places, context = self.files.places, self._run.context
        if not context.slide_points or not places.known or len(self.files) < LEAST_PATCHES:
            return False
        return is_whole(surroundings(np.zeros(len(self.files)), places, context.spread).weight)

    def _reach(self, chosen: np.ndarray) -> np.ndarray:
        if chosen.all():
            return chosen
        return within_reach(self.files.places, chosen, self._run.context.spread)


class PredictorInContext:
    """Like `Predictor.predict_many`, with the neighbours that lie beside each image."""

    def __init__(self, alone: "Predictor | SpreadPredictor") -> None:
        """Takes a predictor of patches alone, of a run that judges in context."""
        self.run = alone.run
        self._alone = alone
        self._folders = SlideFolders(self.run.classes, self.run.context.side)
        self._slides: OrderedDict[SlideKey, SlideScores] = OrderedDict()
        self._kept = 0

    def predict_many(self, paths: Iterable[str | Path]) -> Iterator[PredictionInContext | Failure]:
        """Predicts any number of images in order, with flat memory.

        Every patch is scored once, even if it is a neighbour of many, as long as there is room
        for the scores of its slide.
        """
        left = iter(paths)
        while first := next(left, None):
            waiting: deque[_Round] = deque()
            asked: deque[tuple[SlideScores, int]] = deque()
            named = chain([first], left)
            for _, found in self._alone.score_many(self._to_score(named, waiting, asked)):
                slide, number = asked.popleft()
                slide.take(number, found)
                if not slide.pending:
                    yield from self._answers(waiting)
            yield from self._answers(waiting)

    def _to_score(
        self,
        named: Iterator[str | Path],
        waiting: "deque[_Round]",
        asked: "deque[tuple[SlideScores, int]]",
    ) -> Iterator[str]:
        """Yields the images that must be scored; ends early where too many answers wait."""
        while len(waiting) < ROUNDS and (paths := list(islice(named, ROUND))):
            planned = _Round([(path, *self._place(path)) for path in paths])
            waiting.append(planned)
            for slide, number in planned.unscored:
                asked.append((slide, number))
                yield slide.files.path(number)

    def _answers(self, waiting: "deque[_Round]") -> Iterator[PredictionInContext | Failure]:
        """Yields what can be answered by now, in order."""
        while waiting:
            for path, slide, number in waiting[0].ready():
                yield slide.answer(path, number)
                if not slide.left:
                    self._forget(slide.key)
            if not waiting[0].is_done:
                return
            waiting.popleft()

    def _place(self, path: str | Path) -> tuple[SlideScores, int]:
        """Returns the slide of an image and its number there; other images form a slide alone."""
        folder, name = os.path.split(path)
        if (patient := patient_of(name)) is not None:
            around = self._folders.around(folder)
            key = around.above, patient
            slide = self._slides.get(key) or self._keep(key, self._folders.files(around, patient))
            number = slide.files.find(around.own, name)
            if number is not None:
                return slide, number
        return SlideScores(self.run, None, self._folders.only(folder, name)), 0

    def _keep(self, key: SlideKey, files: SlideFiles) -> SlideScores:
        while self._slides and self._kept + len(files) > KEPT_PATCHES:
            self._forget(next(iter(self._slides)))
        self._kept += len(files)
        self._slides[key] = slide = SlideScores(self.run, key, files)
        return slide

    def _forget(self, key: SlideKey | None) -> None:
        if key is not None and (slide := self._slides.pop(key, None)):
            self._kept -= len(slide.files)


def as_the_run_judges(
    alone: "Predictor | SpreadPredictor",
) -> "Predictor | SpreadPredictor | PredictorInContext":
    """Returns a predictor that judges as the run does: each image alone, or with neighbours."""
    return alone if alone.run.record.context is None else PredictorInContext(alone)


class _Round:
    """Images that are planned together and answered in order."""

    def __init__(self, entries: list[tuple[str | Path, SlideScores, int]]) -> None:
        self._entries = entries
        self._next = 0
        self._unjudged: dict[SlideScores, list[int]] = {}
        for _, slide, number in entries:
            self._unjudged.setdefault(slide, []).append(number)
        # All are asked for before the first score is there: who has nothing pending is done.
        self.unscored = [
            (slide, number)
            for slide, numbers in self._unjudged.items()
            for number in slide.ask(numbers)
        ]

    @property
    def is_done(self) -> bool:
        return self._next == len(self._entries)

    def ready(self) -> Iterator[tuple[str | Path, SlideScores, int]]:
        """Yields the next images whose slides are scored, judged."""
        while not self.is_done:
            path, slide, number = self._entries[self._next]
            if slide.pending:
                return
            if numbers := self._unjudged.pop(slide, None):
                slide.judge(numbers)
            self._next += 1
            yield path, slide, number


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
    alone = np.array([list(outcome.probabilities.values()) for _, outcome in scored])
    alone = alone.reshape(-1, len(run.classes))
    judged = judge(run, alone, Places.at(places, slides, context.side))
    for (row, outcome), place, own, *found in zip(scored, places, alone, *judged, strict=True):
        score = Score(own, outcome.unlike_training)
        answers[row] = interpret_in_context(
            run, outcome.path, score, Judged(*found), placed=place is not None
        )
    return answers


def judge(run: Run, alone: np.ndarray, places: Places) -> Judged:
    """Puts patches in context: their probabilities alone, (n, classes), and their places."""
    [positive], context = run.positive_columns, run.context
    found = context.judge(alone[:, positive], places)
    chosen = context.operating_point.threshold
    points, own = operating_points(context, found, places, alone=run.threshold, chosen=chosen)
    judged = both_classes(found.probability, positive)
    judged = np.where(found.alone[:, None], alone, judged)  # to the last digit
    return Judged(judged, found.neighbours, points, own)
