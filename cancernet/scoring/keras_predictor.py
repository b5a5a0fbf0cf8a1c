"""Scores images with somebody else's Keras file, through the same steps as a run's model."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.console import import_tensorflow_quietly
from cancernet.base.errors import CancerNetError, RunError, first_line
from cancernet.base.files import sha256_of
from cancernet.runs.run_folder import Run
from cancernet.scoring.described import (
    ModelDescription,
    check_outputs,
    input_sides,
    prepared,
    probabilities_of,
)
from cancernet.scoring.model_file import (
    NETWORK_ONLY,
    refuse_larger_than_its_weights,
    vet,
    whole_file,
)
from cancernet.scoring.other_files import WITHOUT_WEIGHTS
from cancernet.scoring.predictor import Predictor


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


def _input_size(model: Any, shown: Path, image_size: int | None) -> tuple[int, int]:
    shape = model.input_shape
    if isinstance(shape, list) or len(shape) != 4 or shape[-1] not in (3, None):
        raise RunError(
            f"{shown} does not take RGB images: its input has the shape {shape}, not "
            "(any, height, width, 3)"
        )
    return input_sides(shape[1], shape[2], shown, image_size)
