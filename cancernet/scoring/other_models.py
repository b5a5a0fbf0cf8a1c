"""Scores images with another system's model file, Keras or ONNX.

A model goes through the same steps as that of a run, with the classes and preprocessing of its
description. The channels of an ONNX file may come first, as PyTorch has them.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from cancernet.base.console import import_tensorflow_quietly
from cancernet.base.errors import CancerNetError, RunError, first_line
from cancernet.base.files import sha256_of
from cancernet.base.processor import processors
from cancernet.images.scalings import prepared
from cancernet.runs.run_folder import Run
from cancernet.runs.run_record import FINISHED, LONGEST_SIDE, DatasetFacts, Input, RunRecord
from cancernet.scoring.described import ONNX, WITHOUT_WEIGHTS, ModelDescription
from cancernet.scoring.model_file import (
    NETWORK_ONLY,
    compare_hash,
    refuse_larger_than_its_weights,
    vet,
    whole_file,
)
from cancernet.scoring.predictor import Predictor, open_session

_LARGEST_ERROR = 1e-3  # by which a row of probabilities may miss 1


class ModelAlone(Predictor):
    """A model without a run folder; `run` and `preprocessing` are what was said of it."""

    preprocessing: str


class OnnxPredictor(ModelAlone):
    """An ONNX model with the classes and preprocessing of its description."""

    def __init__(
        self, run: Run, session: onnxruntime.InferenceSession, preprocessing: str, *, first: bool
    ) -> None:
        """Takes an open model; `first` says whether its channels come before the sides."""
        self.run = run
        self._threads = processors()
        self._session = session
        self._input = session.get_inputs()[0].name
        self._single = session.get_inputs()[0].shape[0] == 1
        self.preprocessing, self._first = preprocessing, first

    def _run_model(self, pixels: np.ndarray) -> np.ndarray:
        ready = prepared(pixels.astype(np.float32), self.preprocessing)
        if self._first:
            ready = np.ascontiguousarray(np.moveaxis(ready, -1, 1))
        # PyTorch exports a model for as many images as it was shown: usually one.
        pieces = np.split(ready, len(ready)) if self._single else [ready]
        try:
            runs = [self._session.run(None, {self._input: piece})[0] for piece in pieces]
            found = np.concatenate(runs)
        except Exception as error:  # anything may fail in another system's model
            raise RunError(f"{self.run.folder} cannot score images: {first_line(error)}") from None
        if np.shape(found)[:1] != pixels.shape[:1]:
            raise RunError(
                f"{self.run.folder} gives outputs of shape {np.shape(found)} for {len(pixels)} "
                "images; export it with a free number of images"
            )
        return _probabilities_of(found, self.run.folder)


def open_model(
    named: Path, description: ModelDescription
) -> contextlib.AbstractContextManager[ModelAlone]:
    """Opens a model that `is_model_alone` tells, as `open_onnx_model` or `open_keras_model` do."""
    if named.suffix.lower() == ONNX:
        return contextlib.nullcontext(open_onnx_model(named, description))
    return open_keras_model(named, description)


def open_onnx_model(named: Path, description: ModelDescription) -> OnnxPredictor:
    """Opens an ONNX file and holds it to its description.

    Raises:
        CancerNetError: something is not described, or the file cannot be loaded or does not fit.
    """
    known = description.complete(named)
    checksum = sha256_of(named)
    if known.sha256 is not None:
        compare_hash(named, checksum, known.sha256.lower())
    session = open_session(named)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = inputs[0].shape if len(inputs) == 1 and inputs[0].type == "tensor(float)" else []
    first = len(shape) == 4 and shape[1] == 3 and shape[3] != 3
    if len(shape) != 4 or (shape[1] if first else shape[3]) != 3:
        raise RunError(
            f"{named} does not take RGB images in float32: its input has the shape {shape}, not "
            "(any, height, width, 3) or (any, 3, height, width)"
        )
    height, width = (side if isinstance(side, int) else None
                     for side in (shape[2:] if first else shape[1:3]))  # fmt: skip
    sides = _input_sides(height, width, named, known.image_size)
    check_outputs(tuple(outputs[0].shape or ()), named, len(known.facts.classes))
    run = _run_of(known, named, sides, checksum)
    return OnnxPredictor(run, session, known.preprocessing or "", first=first)


class KerasPredictor(ModelAlone):
    """A Keras model with the classes and preprocessing of its description."""

    batch_size = 16  # Keras takes long between two batches

    def __init__(self, run: Run, model: Any, preprocessing: str) -> None:
        self.run = run
        self._model = model
        self.preprocessing = preprocessing
        self._threads = 1  # one batch after the other: Keras spreads each over the cores

    def _run_model(self, pixels: np.ndarray) -> np.ndarray:
        """Scores one batch; raises RunError where the outputs are not probabilities."""
        ready = prepared(pixels.astype(np.float32), self.preprocessing)
        return _probabilities_of(self._model.predict_on_batch(ready), self.run.folder)


@contextlib.contextmanager
def open_keras_model(named: Path, description: ModelDescription) -> Iterator[KerasPredictor]:
    """Opens a model for the time of the block and holds it to its description.

    `named` is the file, or the name that its parts have when they are joined.

    Raises:
        CancerNetError: something is not described, or the file is refused for safety, cannot
            be loaded or does not fit.
    """
    known = description.complete(named)
    with whole_file(named, sha256=known.sha256) as path:
        model = load_model(path, named, weights=known.weights)
        sides = _input_size(model, named, known.image_size)
        check_outputs(model.output_shape, named, len(known.facts.classes))
        if description.preprocessing is None:
            _refuse_unscaled(model, named)
        own_weights = "" if known.weights is None else f"{sha256_of(known.weights)} "
        run = _run_of(known, named, sides, f"{sha256_of(path)} {own_weights}".rstrip())
        yield KerasPredictor(run, model, known.preprocessing or "")


def load_model(path: Path, shown: Path, *, weights: Path | None = None) -> Any:
    """Loads a vetted file in safe mode, without custom objects and without its optimizer.

    Args:
        shown: the name a person knows it by.
        weights: file of the weights, for a file that holds the network only.

    Raises:
        RunError: it is refused for safety, or Keras cannot load it.
    """
    config = vet(path)
    if (path.suffix == NETWORK_ONLY) != (weights is not None):
        raise RunError(
            f"{shown} {WITHOUT_WEIGHTS}"
            if weights is None
            else f"{shown} holds its weights itself; leave out --weights"
        )
    import_tensorflow_quietly()
    import keras

    from cancernet.models.weights import check_weights_file, load_into
    from cancernet.scoring.keras_2 import modernized, network_of

    try:
        today = modernized(config)
        if weights is not None:
            check_weights_file(weights)
        refuse_larger_than_its_weights(weights or path, shown, today)
        with contextlib.redirect_stdout(None):
            if today == config and weights is None:
                return keras.saving.load_model(path, compile=False, safe_mode=True)
            model = network_of(today)
            load_into(model, weights or path)
            return model
    except CancerNetError as error:
        raise RunError(f"{shown} cannot be opened: {error}") from None
    except Exception as error:  # Keras raises whatever its parts raise
        raise RunError(
            f"{shown} cannot be loaded by Keras {keras.__version__} ({first_line(error)}); save it "
            "again as .keras with the version that wrote it"
        ) from None


def _refuse_unscaled(model: Any, shown: Path) -> None:
    """Raises RunError where the image goes to a layer with weights, so that nothing scales it.

    A recipe says that its network prepares pixels itself, which those that CancerNet trains do.
    What only moves pixels may come first, such as the padding of a ResNet; plain arithmetic
    (`x / 255`) counts as scaling. What scales after the first weights is of no use here: these
    were trained on other values than the recipe's.
    """
    import keras
    from keras import layers

    moving = (
        layers.InputLayer, layers.ZeroPadding2D, layers.Cropping2D, layers.CenterCrop,
        layers.Resizing, layers.Dropout, layers.RandomFlip, layers.RandomRotation,
        layers.RandomTranslation, layers.RandomZoom, layers.RandomCrop,
    )  # fmt: skip
    taken = model
    while isinstance(taken, keras.Model):
        steps = getattr(taken, "operations", taken.layers)
        taken = next((step for step in steps if not isinstance(step, moving)), None)
    if getattr(taken, "weights", ()) and not isinstance(taken, layers.Normalization):
        raise RunError(
            f"{shown} does not scale its pixels as the networks of --recipe do: {taken.name} takes "
            "them as they come; say how they were prepared with --preprocessing, such as unit (0-1)"
        )


def _input_size(model: Any, shown: Path, image_size: int | None) -> tuple[int, int]:
    shape = model.input_shape
    if isinstance(shape, list) or len(shape) != 4 or shape[-1] not in (3, None):
        raise RunError(
            f"{shown} does not take RGB images: its input has the shape {shape}, not "
            "(any, height, width, 3)"
        )
    return _input_sides(shape[1], shape[2], shown, image_size)


def _input_sides(
    height: int | None, width: int | None, shown: Path, image_size: int | None
) -> tuple[int, int]:
    """Returns the sides of a model's input; --image-size states what the model leaves open.

    Raises:
        RunError: a side is not stated, stated in two ways, or out of bounds.
    """
    height, width = height or image_size, width or image_size
    if height is None or width is None:
        raise RunError(f"{shown} takes images of any size; give the size with --image-size")
    if image_size is not None and (height, width) != (image_size, image_size):
        raise RunError(
            f"{shown} takes images of {width}x{height} pixels, not {image_size}x{image_size}; "
            "leave --image-size out"
        )
    if not (0 < height <= LONGEST_SIDE and 0 < width <= LONGEST_SIDE):
        raise RunError(
            f"{shown} takes images of {width}x{height} pixels; each side must be 1 to "
            f"{LONGEST_SIDE}"
        )
    return int(height), int(width)


def _probabilities_of(outputs: np.ndarray, shown: Path) -> np.ndarray:
    """Returns probabilities that add up to 1, (n, classes), of a model's outputs.

    Raises:
        RunError: they are not probabilities.
    """
    found = np.asarray(outputs, np.float64)
    if found.shape[1] == 1:
        # One sigmoid unit gives the probability of the second class.
        found = np.concatenate([1 - found, found], axis=1)
    largest_error = np.abs(found.sum(axis=1) - 1).max()
    if not (found.min() >= 0 and found.max() <= 1 and largest_error <= _LARGEST_ERROR):
        raise RunError(
            f"the outputs of {shown} are not probabilities (from {found.min():.3g} "
            f"to {found.max():.3g}); its last layer must be a softmax or sigmoid"
        )
    return found / found.sum(axis=1, keepdims=True)


def check_outputs(shape: Any, shown: Path, classes: int) -> None:
    """Raises RunError where outputs of a shape, a tuple or several, do not fit the classes."""
    outputs = shape[-1] if not isinstance(shape, list) and len(shape) == 2 else None
    if outputs != classes and not (outputs == 1 and classes == 2):
        raise RunError(
            f"{shown} has outputs of the shape {shape}, which do not fit {classes} classes; name "
            "those it was trained on with --classes, or their data set with --dataset"
        )


def _run_of(known: ModelDescription, named: Path, sides: tuple[int, int], checksum: str) -> Run:
    """Returns a run that holds what is known of a model.

    Args:
        sides: height and width of its input.
        checksum: SHA-256 of the file, or of its files.
    """
    facts, (height, width), interpolation = known.facts, sides, known.interpolation or "bilinear"
    choices = f"{facts.classes} {height}x{width} {interpolation} {known.preprocessing}"
    record = RunRecord(
        status=FINISHED,
        classes=facts.classes,
        words=facts.words,
        positive=facts.positive,
        input=Input(width=width, height=height, interpolation=interpolation),
        dataset=DatasetFacts(name=known.dataset or "", drawn=False, leaks=()),
        checksum=f"{checksum} {choices}",
    )
    return Run(folder=named, record=record)
