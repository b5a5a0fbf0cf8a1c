"""Scores images with another system's model file, Keras or ONNX; says what other files are.

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
from cancernet.runs.run_folder import RUN_FILE, Run
from cancernet.scoring.described import (
    ModelDescription,
    check_outputs,
    input_sides,
    prepared,
    probabilities_of,
)
from cancernet.scoring.model_file import (
    NETWORK_ONLY,
    SUFFIXES,
    compare_hash,
    is_model_file,
    refuse_larger_than_its_weights,
    vet,
    whole_file,
)
from cancernet.scoring.predictor import Predictor, open_session

WITHOUT_WEIGHTS = (
    "is an architecture without weights, which knows nothing yet; name a .keras or .h5 file with "
    "both, or a .json file and its weights with --weights FILE"
)
_ARCHITECTURES = (NETWORK_ONLY, ".yaml", ".yml")  # as Keras writes them
ONNX = ".onnx"


def refuse_other(named: Path, *, weights: Path | None) -> None:
    """Raises RunError for what is neither a run nor a model; says what it is, and what to name.

    Args:
        named: a path, also of a file that is not there.
        weights: file of the weights, where the model is in two files.
    """
    if (named / "saved_model.pb").is_file():
        # It holds code, which would be run.
        raise RunError(
            f"{named} is a SavedModel, which is not opened here; if you trust it, `python -m "
            f"tf2onnx.convert --saved-model {named} --output {named.name}{ONNX}` makes a file of it"
        )
    if named.is_file() and (what := _other_file(named, weights)):
        raise RunError(f"{named} {what}")


def _other_file(named: Path, weights: Path | None) -> str:
    """Says what a file is or seems to be; empty for a model."""
    suffix = named.suffix.lower()
    if named.name == RUN_FILE:
        return f"is the record of a run; name its folder, --run {named.parent}"
    if suffix in _ARCHITECTURES and (weights is None or suffix != NETWORK_ONLY):
        return WITHOUT_WEIGHTS
    if suffix == ONNX:
        in_a_run = (named.parent / RUN_FILE).is_file()
        return f"is the model of a run; name its folder, --run {named.parent}" if in_a_run else ""
    if suffix == ".tflite":
        return (
            f"is a TFLite file, which is not opened here: `python -m tf2onnx.convert --tflite "
            f"{named.name} --output {named.stem}{ONNX}` makes an ONNX file of it"
        )
    if not is_model_file(named):
        return f"is neither a run folder nor a model ({', '.join((*SUFFIXES, ONNX))})"
    return ""


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
        self._threads = 0
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
        return probabilities_of(found, self.run.folder)


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
    sides = input_sides(height, width, named, known.image_size)
    check_outputs(tuple(outputs[0].shape or ()), named, len(known.facts.classes))
    run = known.run_of(named, sides, checksum)
    return OnnxPredictor(run, session, known.preprocessing or "", first=first)


class KerasPredictor(ModelAlone):
    """A Keras model with the classes and preprocessing of its description."""

    def __init__(self, run: Run, model: Any, preprocessing: str) -> None:
        self.run = run
        self._model = model
        self.preprocessing = preprocessing
        self._threads = 1  # one batch after the other: Keras spreads each over the cores

    def _run_model(self, pixels: np.ndarray) -> np.ndarray:
        """Scores one batch; raises RunError where the outputs are not probabilities."""
        ready = prepared(pixels.astype(np.float32), self.preprocessing)
        return probabilities_of(self._model.predict_on_batch(ready), self.run.folder)


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
        run = known.run_of(named, sides, f"{sha256_of(path)} {own_weights}".rstrip())
        yield KerasPredictor(run, model, known.preprocessing or "")


def load_model(path: Path, shown: Path, *, weights: Path | None = None) -> Any:
    """Loads a vetted file in safe mode, without custom objects and without its optimizer.

    Args:
        path: of the file.
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
    return input_sides(shape[1], shape[2], shown, image_size)
