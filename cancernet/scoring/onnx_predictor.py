"""Scores images with somebody else's ONNX file, whose channels may come first (PyTorch)."""

from pathlib import Path

import numpy as np
import onnxruntime

from cancernet.base.errors import RunError, first_line
from cancernet.base.files import sha256_of
from cancernet.runs.run_folder import Run
from cancernet.scoring.described import (
    ModelDescription,
    check_outputs,
    input_sides,
    prepared,
    probabilities_of,
)
from cancernet.scoring.model_file import compare_hash
from cancernet.scoring.predictor import Predictor, open_session


class OnnxPredictor(Predictor):
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
        self._preprocessing, self._first = preprocessing, first

    def _run_model(self, pixels: np.ndarray) -> np.ndarray:
        ready = prepared(pixels.astype(np.float32), self._preprocessing)
        if self._first:
            ready = np.ascontiguousarray(np.moveaxis(ready, -1, 1))
        # PyTorch exports a model for as many images as it was shown: usually one.
        pieces = np.split(ready, len(ready)) if self._single else [ready]
        try:
            runs = [self._session.run(None, {self._input: piece})[0] for piece in pieces]
            found = np.concatenate(runs)
        except Exception as error:  # anything may fail in somebody else's model
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
