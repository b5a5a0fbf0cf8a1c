"""Scores images with somebody else's Keras file, through the same steps as a run's model."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cancernet import catalog
from cancernet.base.console import import_tensorflow_quietly
from cancernet.base.errors import CancerNetError, RunError, first_line
from cancernet.base.files import sha256_of
from cancernet.recipe_file import named_settings
from cancernet.runs.run_folder import Run
from cancernet.runs.run_record import FINISHED, LONGEST_SIDE, DatasetFacts, Input, RunRecord
from cancernet.scoring.model_file import (
    NETWORK_ONLY,
    refuse_larger_than_its_weights,
    vet,
    whole_file,
)
from cancernet.scoring.other_files import WITHOUT_WEIGHTS
from cancernet.scoring.predictor import Predictor

INSIDE = "inside"  # the model prepares its pixels itself
_LARGEST_ERROR = 1e-3  # by which a row of probabilities may miss 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """What a person says of a Keras model; None where nothing was said."""

    dataset: str | None = None  # name in the catalogue: classes in order, which are positive
    recipe: str | None = None  # name or file of one, whose networks prepare pixels themselves
    image_size: int | None = None  # height and width of the input, pixels
    interpolation: str | None = None
    preprocessing: str | None = None
    sha256: str | None = None  # of the whole file
    weights: Path | None = None  # file of the weights, where the other holds the network only

    def with_recipe(self) -> "ModelDescription":
        """Returns the description with what the recipe says where nothing else was said."""
        if self.recipe is None:
            return self
        config = named_settings(self.recipe)
        return dataclasses.replace(
            self,
            dataset=self.dataset or config.dataset,
            image_size=self.image_size or config.image_size,
            interpolation=self.interpolation or config.interpolation,
            preprocessing=self.preprocessing or INSIDE,
        )


class KerasPredictor(Predictor):
    """A Keras model with the classes and preprocessing of its description."""

    def __init__(self, run: Run, model: Any, preprocessing: str) -> None:
        self.run = run
        self._model = model
        self._preprocessing = preprocessing
        self._threads = 1  # one batch after the other: Keras spreads each over the cores

    def _run_model(self, pixels: np.ndarray) -> np.ndarray:
        """Scores one batch; raises RunError where the outputs are not probabilities."""
        ready = prepared(pixels.astype(np.float32), self._preprocessing)
        found = np.asarray(self._model.predict_on_batch(ready), np.float64)
        if found.shape[1] == 1:
            # One sigmoid unit gives the probability of the second class.
            found = np.concatenate([1 - found, found], axis=1)
        largest_error = np.abs(found.sum(axis=1) - 1).max()
        if not (found.min() >= 0 and found.max() <= 1 and largest_error <= _LARGEST_ERROR):
            raise RunError(
                f"the outputs of {self.run.folder} are not probabilities (from {found.min():.3g} "
                f"to {found.max():.3g}); its last layer must be a softmax or sigmoid"
            )
        return found / found.sum(axis=1, keepdims=True)


def prepared(pixels: np.ndarray, preprocessing: str) -> np.ndarray:
    """Brings RGB 0-255, float32 (n, height, width, 3), to what a model was trained on.

    `preprocessing` is "inside" (the model does it) or a rule of `cancernet.models.preprocessing`.
    """
    if preprocessing == INSIDE:
        return pixels
    from cancernet.models.preprocessing import SCALINGS

    scale, offset = SCALINGS[preprocessing]
    if preprocessing == "caffe":
        pixels = pixels[..., ::-1]
    return pixels * np.asarray(scale, np.float32) + np.asarray(offset, np.float32)


@contextlib.contextmanager
def open_keras_model(named: Path, description: ModelDescription) -> Iterator[KerasPredictor]:
    """Opens a model for the time of the block and holds it to its description.

    `named` is the file, or the name that its parts have when they are joined.

    Raises:
        CancerNetError: something is not described, or the file is refused for safety, cannot
            be loaded or does not fit.
    """
    known = description.with_recipe()
    if known.dataset is None:
        raise RunError(
            f"{named} has no run folder that says what its outputs mean; name the data set with "
            "--dataset, or a --recipe"
        )
    if known.preprocessing is None:
        raise RunError(
            f"{named} has no run folder that says how its pixels were prepared; add "
            "--preprocessing unit (0-1, as in most published systems), tf, torch, caffe or inside "
            "(the model does it), or a --recipe"
        )
    facts = catalog.dataset(known.dataset)
    interpolation = known.interpolation or "bilinear"
    with whole_file(named, sha256=known.sha256) as path:
        model = load_model(path, named, weights=known.weights)
        height, width = _input_size(model, named, known.image_size)
        _check_outputs(model, named, len(facts.classes))
        own_weights = "" if known.weights is None else f"{sha256_of(known.weights)} "
        choices = (
            f"{own_weights}{facts.classes} {height}x{width} {interpolation} {known.preprocessing}"
        )
        record = RunRecord(
            status=FINISHED,
            classes=facts.classes,
            words=facts.words,
            positive=facts.positive,
            input=Input(width=width, height=height, interpolation=interpolation),
            dataset=DatasetFacts(drawn=False, leaks=()),
            checksum=f"{sha256_of(path)} {choices}",
        )
        yield KerasPredictor(Run(folder=named, record=record), model, known.preprocessing)


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


def _input_size(model: Any, shown: Path, image_size: int | None) -> tuple[int, int]:
    shape = model.input_shape
    if isinstance(shape, list) or len(shape) != 4 or shape[-1] not in (3, None):
        raise RunError(
            f"{shown} does not take RGB images: its input has the shape {shape}, not "
            "(any, height, width, 3)"
        )
    height, width = shape[1] or image_size, shape[2] or image_size
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


def _check_outputs(model: Any, shown: Path, classes: int) -> None:
    shape = model.output_shape
    outputs = shape[-1] if not isinstance(shape, list) and len(shape) == 2 else None
    if outputs != classes and not (outputs == 1 and classes == 2):
        raise RunError(
            f"{shown} has outputs of the shape {shape}, which do not fit {classes} classes; name "
            "the data set it was trained on with --dataset"
        )
