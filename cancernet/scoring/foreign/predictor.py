"""Scores images with a bare Keras file, through the same steps as a run's model."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.errors import RunError, first_line
from cancernet.base.files import sha256_of
from cancernet.base.quiet import import_tensorflow_quietly
from cancernet.runs.run_folder import Run
from cancernet.runs.run_record import FINISHED, DatasetFacts, Input, RunRecord
from cancernet.scoring.foreign.sizes import refuse_larger_than_its_weights
from cancernet.scoring.foreign.vetting import vet
from cancernet.scoring.predictor import BATCH_SIZE, Predictor

PREPROCESSINGS = ("inside", "unit", "tf", "torch", "caffe")
_LARGEST_ERROR = 1e-3  # by which a row of probabilities may miss 1


class BarePredictor(Predictor):
    """A Keras file with classes and preprocessing that somebody stated."""

    def __init__(self, run: Run, model: Any, preprocessing: str) -> None:
        """Takes a model loaded by `load_bare` and the facts about it."""
        self.run = run
        self._model = model
        self._preprocessing = preprocessing
        self._threads = 1  # one batch after the other: Keras shares each out by itself
        self._positive = [run.classes.index(name) for name in run.positive]

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Scores prepared images; as `Predictor.probabilities`, without any calibration.

        Raises:
            RunError: the outputs are no probabilities.
        """
        rows = [
            self._score(pixels[start : start + BATCH_SIZE].astype(np.float32))
            for start in range(0, len(pixels), BATCH_SIZE)
        ]
        return np.concatenate(rows) if rows else np.empty((0, len(self.run.classes)))

    def _score(self, pixels: np.ndarray) -> np.ndarray:
        found = np.asarray(
            self._model.predict_on_batch(prepared(pixels, self._preprocessing)), np.float64
        )
        if found.shape[1] == 1:
            # One sigmoid unit gives the probability of the second class.
            found = np.concatenate([1 - found, found], axis=1)
        sums = np.abs(found.sum(axis=1) - 1).max()
        if not (found.min() >= 0 and found.max() <= 1 and sums <= _LARGEST_ERROR):
            raise RunError(
                f"what {self.run.folder} answers are no probabilities (from {found.min():.3g} to "
                f"{found.max():.3g}); it needs a softmax or sigmoid at its end"
            )
        return found / found.sum(axis=1, keepdims=True)


def prepared(pixels: np.ndarray, preprocessing: str) -> np.ndarray:
    """Brings RGB 0-255 to what a model was trained on.

    Args:
        pixels: float32 (n, height, width, 3).
        preprocessing: "inside" (as they are: the model does it), or a rule of
            `cancernet.models.preprocessing`.
    """
    if preprocessing == "inside":
        return pixels
    from cancernet.models.preprocessing import SCALINGS

    scale, offset = SCALINGS[preprocessing]
    if preprocessing == "caffe":
        pixels = pixels[..., ::-1]
    return (pixels * np.asarray(scale, np.float32) + np.asarray(offset, np.float32)).astype(
        np.float32
    )


def open_bare(
    path: Path,
    *,
    shown: Path,
    classes: tuple[str, ...],
    words: tuple[str, ...],
    positive: tuple[str, ...],
    image_size: int | None,
    interpolation: str,
    preprocessing: str,
) -> BarePredictor:
    """Loads a file and holds it to what was stated of it.

    Args:
        path: of the whole file.
        shown: the name a person knows it by.
        classes: in the order of its outputs.
        words: what each class means.
        positive: the positive ones.
        image_size: height and width of its input; None reads them off the model.
        interpolation: how images are brought to that size.
        preprocessing: one of `PREPROCESSINGS`.

    Raises:
        RunError: it is not opened for safety, cannot be loaded, or does not fit.
    """
    model = load_bare(path, shown)
    height, width = _input_size(model, shown, image_size)
    _check_outputs(model, shown, len(classes))
    record = RunRecord(
        status=FINISHED,
        classes=classes,
        words=words,
        positive=positive,
        input=Input(width=width, height=height, interpolation=interpolation),
        dataset=DatasetFacts(drawn=False, leak="", leaks=()),
        checksum=f"{sha256_of(path)} {classes} {height}x{width} {interpolation} {preprocessing}",
    )
    return BarePredictor(Run(folder=shown, record=record), model, preprocessing)


def load_bare(path: Path, shown: Path) -> Any:
    """Loads a vetted file in safe mode, without custom objects and without its optimizer.

    Raises:
        RunError: it is not opened for safety, or Keras cannot load it.
    """
    config = vet(path)
    import_tensorflow_quietly()
    refuse_larger_than_its_weights(path, shown, config)
    import keras

    try:
        with contextlib.redirect_stdout(None):
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its parts raise
        raise RunError(
            f"{shown} cannot be loaded by Keras {keras.__version__} ({first_line(error)}); save it "
            "again as .keras with the version that wrote it"
        ) from None


def _input_size(model: Any, shown: Path, image_size: int | None) -> tuple[int, int]:
    shape = model.input_shape
    if isinstance(shape, list) or len(shape) != 4 or shape[-1] not in (3, None):
        raise RunError(
            f"{shown} does not take RGB images: its input has the shape {shape}, not "
            "(any, height, width, 3)"
        )
    height, width = shape[1] or image_size, shape[2] or image_size
    if height is None or width is None:
        raise RunError(f"{shown} takes images of any size; say which with --image-size")
    if image_size is not None and (height, width) != (image_size, image_size):
        raise RunError(
            f"{shown} takes images of {width}x{height} pixels, not {image_size}x{image_size}; "
            "leave --image-size out"
        )
    return int(height), int(width)


def _check_outputs(model: Any, shown: Path, classes: int) -> None:
    shape = model.output_shape
    outputs = shape[-1] if not isinstance(shape, list) and len(shape) == 2 else None
    if outputs != classes and not (outputs == 1 and classes == 2):
        raise RunError(
            f"{shown} answers with the shape {shape}, which does not fit {classes} classes; name "
            "the data set it was trained on with --dataset"
        )
