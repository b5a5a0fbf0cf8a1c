"""Scores patches with their neighbours, for runs that judge patches in context.

A patch that lies in a folder has neighbours there whether or not they were named, so that
it gets the same number alone on the command line, within its folder and from many workers.
Only scores of patches alone come from the model or the workers; they are put in context here.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from cancernet.scoring.predictor import Failure, PredictionInContext, Predictor
from cancernet.scoring.slide_files import SlideFiles, SlideFolders, SlideKey
from cancernet.scoring.slide_scores import SlideScores, context_of

if TYPE_CHECKING:
    from cancernet.scoring.distributed import SpreadPredictor

ROUND = 4096  # images that are planned together
ROUNDS = 16  # that may wait for their scores: enough to keep many workers busy
KEPT_PATCHES = 500_000  # whose scores are kept for neighbours that are named later


class PredictorInContext:
    """Like `Predictor.predict_many`, with the neighbours that lie beside each image."""

    def __init__(self, alone: "Predictor | SpreadPredictor") -> None:
        """Takes what scores patches alone, of a run that judges in context."""
        self.run = alone.run
        self._alone = alone
        self._folders = SlideFolders(self.run.classes, context_of(self.run).side)
        self._slides: OrderedDict[SlideKey, SlideScores] = OrderedDict()
        self._kept = 0

    def predict_many(self, paths: Iterable[Path]) -> Iterator[PredictionInContext | Failure]:
        """Predicts any number of images in order, with flat memory.

        Every patch is scored once, also when it is the neighbour of many, as long as there
        is room for the scores of its slide.
        """
        left = iter(paths)
        while first := next(left, None):
            waiting: deque[_Round] = deque()
            asked: deque[tuple[SlideScores, int]] = deque()
            named = chain([first], left)
            for _, found in self._alone.score_many(self._to_score(named, waiting, asked)):
                slide, number = asked.popleft()
                slide.take(number, found)
                yield from self._answers(waiting)
            yield from self._answers(waiting)

    def _to_score(
        self,
        named: Iterator[Path],
        waiting: "deque[_Round]",
        asked: "deque[tuple[SlideScores, int]]",
    ) -> Iterator[Path]:
        """Yields the images that must be scored; ends early where too many answers wait."""
        while len(waiting) < ROUNDS and (paths := list(islice(named, ROUND))):
            planned = _Round([(path, *self._place(path)) for path in paths])
            waiting.append(planned)
            for slide, number in planned.unscored:
                asked.append((slide, number))
                yield slide.path(number)

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

    def _place(self, path: Path) -> tuple[SlideScores, int]:
        """Returns the slide of an image and its number there; another image is alone."""
        key = self._folders.slide_of(path)
        if key is not None:
            slide = self._slides.get(key) or self._keep(key, self._folders.files_of(path))
            number = self._folders.number_of(path, slide.files)
            if number is not None:
                return slide, number
        return SlideScores(self.run, None, self._folders.only(path)), 0

    def _keep(self, key: SlideKey, files: SlideFiles) -> SlideScores:
        while self._slides and self._kept + len(files) > KEPT_PATCHES:
            self._forget(next(iter(self._slides)))
        self._kept += len(files)
        self._slides[key] = slide = SlideScores(self.run, key, files)
        return slide

    def _forget(self, key: SlideKey | None) -> None:
        if key is not None and (slide := self._slides.pop(key, None)):
            self._kept -= len(slide.files)


class _Round:
    """Images that are planned together and answered in order."""

    def __init__(self, entries: list[tuple[Path, SlideScores, int]]) -> None:
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

    def ready(self) -> Iterator[tuple[Path, SlideScores, int]]:
        """Yields the next images whose slides are scored, judged."""
        while not self.is_done:
            path, slide, number = self._entries[self._next]
            if slide.pending:
                return
            if numbers := self._unjudged.pop(slide, None):
                slide.judge(numbers)
            self._next += 1
            yield path, slide, number
