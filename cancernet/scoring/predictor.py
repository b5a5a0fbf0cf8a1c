"""Scores images with a finished run through ONNX Runtime.

The same class scores validation and testing at the end of a training, so that a
prediction is exactly the number that evaluation gave the same image.
"""

import contextlib
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
from cancernet.base.processor import processors
from cancernet.images.formats import GUESSED, NOTHING_ODD, ODDITY, Oddity
from cancernet.images.plain_png import PNG_SIGNATURE, SMALL, scale_together
from cancernet.images.reading import INTERPOLATIONS, read_file, read_rgb, to_array
from cancernet.runs.run_folder import Run
from cancernet.runs.run_record import Input
from cancernet.scoring.prediction import (
    Failure,
    Prediction,
    Score,
    Scored,
    interpret,
    interpreted,
)

# So small that the activations stay in a core's own cache, and that a first answer with its
# neighbours waits for little memory; the answers do not depend on it.
BATCH_SIZE = 4
GROUP = 16 * BATCH_SIZE  # images that are decoded together
LARGE_INPUT = 1 << 18  # bytes of a scaled image, above which a group is one batch to save memory
EXTERNAL_DATA = b"location"  # ONNX's key for the file that holds a weight (onnx.proto3)


class Prepared(NamedTuple):
    """An image that is ready to be scored: uint8 RGB (height, width, 3), 0-255."""

    pixels: np.ndarray
    size: tuple[int, int]  # width and height before it was scaled
    guessed_depth: int = 0  # bits that were taken for values whose depth nothing tells; 0: told
    oddity: Oddity = NOTHING_ODD


def prepare(source: str | Path | bytes | Image.Image, scaling: Input) -> Prepared:
    """Decodes an image, if it is not decoded yet, and scales it.

    Raises:
        ImageError: it cannot be read as an image.
    """
    image = source if isinstance(source, Image.Image) else read_rgb(source, bits=scaling.bits)
    pixels = to_array(
        image, width=scaling.width, height=scaling.height, interpolation=scaling.interpolation
    )
    info = image.info
    return Prepared(pixels, image.size, info.get(GUESSED, 0), info.get(ODDITY, NOTHING_ODD))


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
        self._threads = threads or processors()
        self._session = open_session(run.onnx)
        self._input = self._check_ends()

    def _check_ends(self) -> str:
        """Returns the input's name if the run's images and classes fit the model."""
        run, inputs, found = self.run, self._session.get_inputs(), self._session.get_outputs()
        height, width = run.record.input.height, run.record.input.width
        sides = inputs[0].shape if len(inputs) == 1 and inputs[0].type == "tensor(float)" else []
        # A side that takes any size has a name or None instead of a number.
        fits = len(sides) == 4 and all(
            not isinstance(side, int) or side == size
            for side, size in zip(sides[1:], (height, width, 3), strict=True)
        )
        if not (fits and found and found[0].shape):
            raise RunError(
                f"{run.onnx} does not take RGB images of {width}x{height} pixels, as "
                "run.json says; restore it from a copy"
            )
        if found[0].shape[-1] != len(run.classes):
            raise RunError(
                f"{run.onnx} has {found[0].shape[-1]} outputs, but run.json names "
                f"{len(run.classes)} classes"
            )
        return inputs[0].name

    def prepare(self, source: str | Path | bytes | Image.Image) -> Prepared:
        """Decodes one image, if it is not decoded yet, and scales it to the network's input.

        Raises:
            ImageError: it cannot be read as an image.
        """
        found = prepare(source, self.run.record.input)
        if found.guessed_depth:
            self.guessed_depths.add(found.guessed_depth)
        self.oddities |= found.oddity
        return found

    batch_size = BATCH_SIZE
    oddities = NOTHING_ODD  # of some of the images

    @property
    def group(self) -> int:
        """Returns how many images are scored together, to keep the memory small."""
        scaling = self.run.record.input
        return GROUP if 3 * scaling.width * scaling.height <= LARGE_INPUT else BATCH_SIZE

    @functools.cached_property
    def guessed_depths(self) -> set[int]:
        """Returns the depths assumed for images which, like the run's data, do not state theirs."""
        return set()

    def score(self, images: Sequence[Prepared], *, threads: int | None = None) -> list[Score]:
        """Scores prepared images, and tells which are unlike the training images.

        `threads` are those of `Predictor`, unless others are given.
        """
        if not images:
            return []
        pixels = np.stack([image.pixels for image in images])
        rows, appearance = self.probabilities(pixels, threads=threads), self.run.record.appearance
        if appearance is None:
            return list(map(Score, rows))
        unlike = appearance.unlike(pixels, [image.size for image in images])
        return list(map(Score, rows, unlike))

    def probabilities(self, pixels: np.ndarray, *, threads: int | None = None) -> np.ndarray:
        """Scores prepared images, RGB 0-255 of shape (n, height, width, 3); see `score`.

        Returns:
            probabilities corrected by the run's calibration, shape (n, classes); each row
            adds up to 1.
        """
        size = self.batch_size
        pieces = [pixels[i : i + size] for i in range(0, len(pixels), size)]
        if not pieces:
            return np.empty((0, len(self.run.classes)))
        threads = self._threads if threads is None else threads
        batches = list(_in_threads(self._run_model, pieces, threads=threads))
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

    def predict(self, source: Path | bytes, *, name: str = "image") -> Prediction:
        """Predicts one image; `name` stands for the path of an image given as bytes.

        Raises:
            ImageError: it cannot be read as an image.
        """
        path = name if isinstance(source, bytes) else str(source)
        [score] = self.score([self.prepare(source)])
        return interpret(self.run, path, score, self.run.threshold)

    def predict_many(self, paths: Iterable[str | Path]) -> Iterator[Prediction | Failure]:
        """Predicts any number of images in order, with flat memory.

        An image that cannot be read gives a `Failure` in its place.
        """
        return interpreted(self.run, self.score_many(paths))

    def score_many(self, paths: Iterable[str | Path]) -> Iterator[Scored]:
        """Scores any number of images in order, with flat memory.

        Every core decodes and scores groups of its own; ONNX Runtime and the decoders
        release Python's lock.
        """
        groups = _groups(paths, most=self.group, threads=self._threads)
        for results in _in_threads(self._score_group, groups, threads=self._threads):
            yield from results

    def _score_group(self, paths: list[str | Path]) -> list[Scored]:
        sources, scaling = [_png_content(path) for path in paths], self.run.record.input
        together = scale_together(
            sources,
            width=scaling.width,
            height=scaling.height,
            resampling=INTERPOLATIONS[scaling.interpolation],
        )
        images: list[Prepared | Failure] = []
        for place, (path, source) in enumerate(zip(paths, sources, strict=True)):
            try:
                plain = together.get(place)
                images.append(Prepared(*plain) if plain else self.prepare(source))
            except ImageError as error:
                images.append(Failure(str(path), str(error)))
        ready = [image for image in images if isinstance(image, Prepared)]
        scores = iter(self.score(ready, threads=1))  # a group has a thread of its own
        return [
            (path, image if isinstance(image, Failure) else next(scores))
            for path, image in zip(paths, images, strict=True)
        ]


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


def _png_content(path: str | Path) -> bytes | str | Path:
    """Returns the content of a PNG file that is called one and may be small; else the path."""
    if str(path).lower().endswith(".png"):
        with contextlib.suppress(ImageError, OSError, ValueError):  # reading will give the reason
            # A group of large files would fill the memory; 64 kB hold any small image.
            if Path(path).stat().st_size <= 2 * SMALL:
                content = read_file(path)[0]
                return content if content.startswith(PNG_SIGNATURE) else path
    return path


def _groups(paths: Iterable[str | Path], *, most: int, threads: int) -> Iterator[list[str | Path]]:
    """Divides images into groups of at most `most`, so that a few are work for every thread too.

    Groups are whole batches: an image is in the same batch whoever scores it.
    """
    left = iter(paths)
    while together := list(islice(left, most * threads)):
        size = math.ceil(len(together) / threads / BATCH_SIZE) * BATCH_SIZE
        yield from (together[i : i + size] for i in range(0, len(together), size))


def _in_threads(work: Any, items: Iterable[Any], *, threads: int) -> Iterator:
    """Does the work on threads, in order; takes few items in advance, so that memory stays flat.

    A single item is done before any thread would have started.
    """
    items = iter(items)
    first = [] if threads == 1 else list(islice(items, 2))
    if len(first) <= 1:
        yield from map(work, chain(first, items))
        return
    from concurrent.futures import ThreadPoolExecutor

    waiting: deque[Any] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in chain(first, items):
                waiting.append(pool.submit(work, item))
                if len(waiting) > 3 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C waits for nothing that is not begun
