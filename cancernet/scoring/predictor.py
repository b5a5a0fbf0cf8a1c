"""Scores images with a finished run through ONNX Runtime, and words the answers.

The same class scores validation and testing at the end of a training, so that a
prediction is exactly the number that evaluation gave the same image.
"""

import dataclasses
import enum
import functools
import math
import mmap
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from PIL import Image

from cancernet.base.errors import ImageError, RunError, first_line
from cancernet.base.oddities import NOTHING_ODD
from cancernet.runs.run_folder import Run
from cancernet.scoring.prepared import Prepared, prepare, unlike_training

# So small that the activations stay in a core's own cache; the answers do not depend on it.
BATCH_SIZE = 16
EXTERNAL_DATA = b"location"  # ONNX's key for the file that holds a weight (onnx.proto3)


class Side(enum.StrEnum):
    """A side of the operating point, where there are more than two classes."""

    NEGATIVE = "negative"
    POSITIVE = "positive"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """The prediction for one image.

    `label` is the predicted class: for two classes by the operating point, for more the
    most probable one.
    """

    path: str  # as it was given
    label: str
    word: str  # what that class means to a reader
    probability: float  # of that class, 0-1
    probabilities: dict[str, float]  # class -> probability; they add up to 1
    positive_probability: float  # sum over the positive classes
    positive: bool | None  # whether that reaches the operating point; None without one
    operating_point: float | None  # None if not chosen on data
    call: str | None  # what that says: one of two classes, or a `Side` of more; None without one
    # Whether it is of another kind than the training images; None if the run cannot tell.
    unlike_training: bool | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictionInContext(Prediction):
    """The prediction for one image by a run that judges patches with their neighbours.

    All other fields are those of the case that answered: in context where the patch has
    neighbours, else alone.
    """

    neighbours: int | None  # how many of the eight patches around it are there; None: no place
    alone_probabilities: dict[str, float]  # class -> probability, the patch alone

    @property
    def in_context(self) -> bool:
        """Whether neighbours changed the answer."""
        return bool(self.neighbours) or self.probabilities != self.alone_probabilities


@dataclasses.dataclass(frozen=True)
class Failure:
    """An image that could not be scored, and why in a sentence."""

    path: str
    error: str


class Score(NamedTuple):
    """What is found of one image; see `Prediction`."""

    probabilities: np.ndarray  # (classes,)
    unlike_training: bool | None = None


Scored = tuple[Path, Score | Failure]


class Predictor:
    """A loaded model with the preprocessing and operating point of its run."""

    def __init__(self, run: Run, *, threads: int = 0) -> None:
        """Loads the model.

        Args:
            run: a run opened with `cancernet.runs.run_folder.open_run`.
            threads: batches that are computed at once, each by one thread, which is faster than
                dividing every batch over the cores; 0 takes one per core.

        Raises:
            RunError: the model cannot be loaded or does not fit run.json.
        """
        self.run = run
        self._threads = threads
        self._session = open_session(run.onnx)
        self._input = self._check_ends()

    def _check_ends(self) -> str:
        """Returns the input's name if the run's images and classes fit the model."""
        run, inputs, found = self.run, self._session.get_inputs(), self._session.get_outputs()
        sides = inputs[0].shape if len(inputs) == 1 and inputs[0].type == "tensor(float)" else []
        # A side that takes any size has a name or None instead of a number.
        fits = len(sides) == 4 and all(
            not isinstance(side, int) or side == size
            for side, size in zip(sides[1:], (run.height, run.width, 3), strict=True)
        )
        if not (fits and found and found[0].shape):
            raise RunError(
                f"{run.onnx} does not take RGB images of {run.width}x{run.height} pixels, as "
                "run.json says; restore it from a copy"
            )
        if found[0].shape[-1] != len(run.classes):
            raise RunError(
                f"{run.onnx} has {found[0].shape[-1]} outputs, but run.json names "
                f"{len(run.classes)} classes"
            )
        return inputs[0].name

    @functools.cached_property
    def positive(self) -> list[int]:
        """Columns of the positive classes."""
        return [self.run.classes.index(name) for name in self.run.positive]

    def prepare(self, source: Path | bytes | Image.Image) -> Prepared:
        """Decodes one image, unless it is, and scales it to the network's input.

        Raises:
            ImageError: it cannot be read as an image.
        """
        found = prepare(source, self.run.record.input)
        if found.guessed_depth:
            self.guessed_depths.add(found.guessed_depth)
        self.oddities |= found.oddity
        return found

    oddities = NOTHING_ODD  # of some of the images

    @functools.cached_property
    def guessed_depths(self) -> set[int]:
        """Depths that were taken for images which, like the run's data, do not tell theirs."""
        return set()

    def score(self, images: Sequence[Prepared]) -> list[Score]:
        """Scores prepared images, and tells which are unlike the training images."""
        if not images:
            return []
        rows = self.probabilities(np.stack([image.pixels for image in images]))
        return [Score(*each) for each in zip(rows, unlike_training(images, self.run), strict=True)]

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Scores prepared images, RGB 0-255 of shape (n, height, width, 3).

        Returns:
            probabilities corrected by the run's calibration, shape (n, classes); each row
            adds up to 1.
        """
        pieces = [pixels[i : i + BATCH_SIZE] for i in range(0, len(pixels), BATCH_SIZE)]
        if not pieces:
            return np.empty((0, len(self.run.classes)))
        batches = list(_in_threads(self._run_model, pieces, threads=self._threads))
        return self.run.calibration.apply(np.concatenate(batches))

    def _run_model(self, pixels: np.ndarray) -> np.ndarray:
        try:
            found = self._session.run(None, {self._input: pixels.astype(np.float32)})[0]
        except Exception as error:  # anything may fail in somebody else's model
            raise RunError(f"{self.run.onnx} cannot score images: {first_line(error)}") from None
        if np.shape(found) != (len(pixels), len(self.run.classes)):
            raise RunError(
                f"{self.run.onnx} gives outputs of shape {np.shape(found)} for {len(pixels)} images"
            )
        return found

    def predict(self, source: Path | bytes, *, name: str | None = None) -> Prediction:
        """Predicts one image.

        Raises:
            ImageError: it cannot be read as an image.
        """
        path = name if name is not None else str(source) if isinstance(source, Path) else "image"
        return self.interpret(path, *self.score([self.prepare(source)])[0])

    def interpret(
        self, path: str, probabilities: np.ndarray, unlike_training: bool | None = None
    ) -> Prediction:
        """Turns a score into a prediction by the run's operating point."""
        return interpret(self.run, path, Score(probabilities, unlike_training), self.run.threshold)

    def predict_many(self, paths: Iterable[Path]) -> Iterator[Prediction | Failure]:
        """Predicts any number of images in order, with flat memory.

        An image that cannot be read gives a `Failure` in its place.
        """
        return interpreted(self.run, self.score_many(paths))

    def score_many(self, paths: Iterable[Path]) -> Iterator[Scored]:
        """Scores any number of images in order, with flat memory.

        Every core decodes and scores batches of its own; ONNX Runtime and the decoders
        release Python's lock.
        """
        left = iter(paths)
        batches = iter(lambda: list(islice(left, BATCH_SIZE)), [])
        for results in _in_threads(self._score_batch, batches, threads=self._threads):
            yield from results

    def _score_batch(self, paths: list[Path]) -> list[Scored]:
        images: list[Prepared | Failure] = []
        for path in paths:
            try:
                images.append(self.prepare(path))
            except ImageError as error:
                images.append(Failure(str(path), str(error)))
        scores = iter(self.score([image for image in images if isinstance(image, Prepared)]))
        return [
            (path, image if isinstance(image, Failure) else next(scores))
            for path, image in zip(paths, images, strict=True)
        ]


def interpret(run: Run, path: str, score: Score, threshold: float) -> Prediction:
    """Turns a score into a prediction.

    Args:
        run: whose classes these are.
        path: of the image, as it was given.
        score: of the image, its probabilities in the run's order of classes.
        threshold: the operating point; NaN without one.
    """
    row = [float(value) for value in score.probabilities]
    positives = [run.classes.index(name) for name in run.positive]
    positive_probability = sum(row[index] for index in positives)
    chosen = not math.isnan(threshold)
    positive = positive_probability >= threshold
    index = int(np.argmax(score.probabilities))
    call: str = Side.POSITIVE if positive else Side.NEGATIVE
    if len(row) == 2 and chosen:
        index = positives[0] if positive else 1 - positives[0]
        call = run.classes[index]
    return Prediction(
        path=path,
        label=run.classes[index],
        word=run.words[index],
        probability=row[index],
        probabilities=dict(zip(run.classes, row, strict=True)),
        positive_probability=positive_probability,
        positive=positive if chosen else None,
        operating_point=threshold if chosen else None,
        call=call if chosen else None,
        unlike_training=score.unlike_training,
    )


def interpreted(run: Run, scored: Iterable[Scored]) -> Iterator[Prediction | Failure]:
    """Makes predictions of scores, by the run's operating point."""
    for path, found in scored:
        if isinstance(found, Failure):
            yield found
        else:
            yield interpret(run, str(path), found, run.threshold)


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Opens a model for one thread a batch.

    Raises:
        RunError: it cannot be read or loaded.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(
            _model(path), options, providers=["CPUExecutionProvider"]
        )
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror})") from None
    except Exception as error:  # ONNX Runtime has no common base class for its errors
        raise RunError(f"{path} is not a model that can be loaded: {first_line(error)}") from None


def _model(path: Path) -> str | bytes:
    """Returns the path of a model, which takes less memory, or its bytes where that is safer.

    A crafted file could name other files to read. ONNX Runtime allows that only to models
    it opens by path, and such a file holds the word that marks an external location.
    """
    name = str(path)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        whole = content.find(EXTERNAL_DATA) < 0 and name.isprintable()
        return name if whole else bytes(content)


def _in_threads(work: Any, items: Iterable[Any], *, threads: int) -> Iterator:
    """Does the work on threads, in order; takes few items in advance, so that memory stays flat."""
    items = iter(items)
    few = list(islice(items, 2))
    if threads == 1 or len(few) < 2:  # one item is done before a pool has started
        yield from map(work, chain(few, items))
        return
    from concurrent.futures import ThreadPoolExecutor

    from cancernet.base.parallel import processors

    threads = threads or processors()
    waiting: deque[Any] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in chain(few, items):
            waiting.append(pool.submit(work, item))
            if len(waiting) > 3 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
