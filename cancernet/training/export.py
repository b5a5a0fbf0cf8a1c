"""Writes the trained network as `model.keras` and `model.onnx`, and verifies the two.

The ONNX converter copies the graph with all its weights dozens of times: 19 GB for a network
of 300 MB. Large dense kernels are therefore inputs while the graph is converted, and are put
back into the finished file as initializers.
"""

import contextlib
import dataclasses
import functools
import io
import math
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

from cancernet.base.errors import RunError
from cancernet.base.files import written_beside
from cancernet.models.preprocessing import in_orientations
from cancernet.models.registry import count_parameters
from cancernet.planning.plan import Training
from cancernet.runs import run_folder
from cancernet.runs.run_record import NetworkFacts
from cancernet.training.data.batches import PlainBatches
from cancernet.training.loop.acceleration import accelerate
from cancernet.training.onnx_graph import channels_first, pool_first

# Largest difference in a probability: about 1e-7 is usual, but a deep network sums so much in
# another order that 1.7e-4 was seen where it was sure of itself on images that it had learnt by
# heart. A fault of the conversion shows in the first digits.
TOLERANCE = 1e-3
COMPARED_IMAGES = 256
AT_ONCE = 16  # of them: 100 images of 224x224 at once took 1.7 GB in EfficientNet-Lite0
# A kernel of at least this many numbers (8 MB) is kept out of the conversion.
LARGE = 2**21
CATCH_ERRORS = "TF2ONNX_CATCH_ERRORS"


def export(model: keras.Model, training: Training, images: PlainBatches) -> NetworkFacts:
    """Writes both files of a run, compared on real images; returns what run.json says of them.

    Raises:
        RunError: see `write_verified`.
    """
    difference = write_verified(
        model,
        training.config.test_time_augmentation,
        training.folder / run_folder.MODEL_KERAS,
        training.folder / run_folder.MODEL_ONNX,
        images.pixels[np.arange(min(COMPARED_IMAGES, len(images.pixels)))],
    )
    facts = count_parameters(model)
    return NetworkFacts(
        name=training.config.model,
        parameters=facts.total,
        trainable=facts.trainable,
        onnx_difference=difference,
    )


def write_verified(
    network: keras.Model, orientations: str, keras_path: Path, onnx_path: Path, pixels: np.ndarray
) -> float:
    """Writes both files and verifies that they give the same probabilities.

    Args:
        network: a float32 model, called at least once.
        orientations: in which both files judge an image, a key of `ORIENTATIONS`.
        pixels: images to compare on, uint8 (n, height, width, 3), n at least 1.

    Returns:
        The largest absolute difference of a probability between the two.

    Raises:
        RunError: a probability is not a number, or the two differ by more than
            `TOLERANCE`; no ONNX file is left then.
    """
    model = in_orientations(network, orientations)
    with written_beside(keras_path) as temporary:
        model.save(temporary)
        # What was written is compared, not what was in memory.
        model.load_weights(temporary)
    traced = trace(model)
    expected = traced.probabilities(pixels)
    if not np.isfinite(expected).all():
        raise RunError(
            "the network's probabilities are not numbers: its training diverged; start a new run "
            "with a lower --learning-rate, or with --clip-value 1"
        )
    with written_beside(onnx_path) as temporary:
        # As one operation of ONNX a batch normalization takes a fifth less of the whole network's
        # time than as Keras's product and sum, for the same probabilities.
        fused = in_orientations(accelerate(network, precision="float32"), orientations)
        write_onnx(trace(fused), temporary)
        session = onnxruntime.InferenceSession(
            temporary.read_bytes(), providers=["CPUExecutionProvider"]
        )
        name = session.get_inputs()[0].name
        found = _in_batches(lambda images: session.run(None, {name: images})[0], pixels)
        difference = float(np.abs(found - expected).max())
        if not difference <= TOLERANCE:
            raise RunError(
                f"the ONNX model differs from the Keras model by {difference:.1e} in a "
                f"probability (allowed: {TOLERANCE}), so the run is not finished; {keras_path} is "
                "sound; please report this"
            )
    return difference


@dataclasses.dataclass(frozen=True)
class Traced:
    """A network as one graph, which gives probabilities and is converted: traced once.

    Attributes:
        function: from images, float32 (n, height, width, 3), and the kernels to probabilities.
        signature: of the function's inputs.
        kernels: those that are further inputs, by name.
    """

    function: Any
    signature: list[tf.TensorSpec]
    kernels: dict[str, keras.Variable]

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the probabilities, (n, classes), of images, uint8 (n, height, width, 3)."""
        graph = self.function.get_concrete_function(*self.signature)
        values = [kernel.value for kernel in self.kernels.values()]
        return _in_batches(lambda images: graph(tf.constant(images), *values).numpy(), pixels)


def _in_batches(answer: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> np.ndarray:
    """Returns what a network answers to images, (n, classes); it sees few at once, as float32."""
    starts = range(0, len(pixels), AT_ONCE)
    return np.concatenate(
        [answer(pixels[start : start + AT_ONCE].astype(np.float32)) for start in starts]
    )


def trace(model: keras.Model, *, large: int = LARGE) -> Traced:
    """Makes the graph of a float32 model of one input.

    `large` is the number of values from which a dense kernel is kept out of it.
    """
    kernels = large_kernels(model, large)
    shapes = {"image": model.inputs[0].shape, **{name: k.shape for name, k in kernels.items()}}

    @tf.function(autograph=False)
    def answer(image: Any, *values: Any) -> Any:
        """The model, with some of its weights as further inputs."""
        given = list(zip(kernels.values(), values, strict=True))
        with keras.StatelessScope(state_mapping=given):
            return model(image, training=False)

    signature = [tf.TensorSpec(shape, tf.float32, name) for name, shape in shapes.items()]
    return Traced(answer, signature, kernels)


def write_onnx(traced: Traced, path: Path) -> None:
    """Writes a network for ONNX Runtime, all in one file."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        convert = functools.partial(
            tf2onnx.convert.from_function,
            traced.function,
            input_signature=traced.signature,
            output_path=path,
        )
        try:
            with _without_copies():
                convert()
        except Exception:  # any simplification of the graph may fail; copies make it go back
            convert()
    proto = onnx.load(path)
    _put_back(proto.graph, traced.kernels)
    pool_first(proto.graph)
    channels_first(proto.graph)
    onnx.save(proto, path)


def large_kernels(model: keras.Model, large: int) -> dict[str, keras.Variable]:
    """Returns the dense kernels of at least `large` numbers, each under a name of its own."""
    kernels = [
        layer.kernel
        for layer in model.layers
        if isinstance(layer, keras.layers.Dense) and math.prod(layer.kernel.shape) >= large
    ]
    return {f"large_kernel_{number}": kernel for number, kernel in enumerate(kernels)}


@contextlib.contextmanager
def _without_copies() -> Iterator[None]:
    """Lets the converter simplify the graph itself instead of a copy each time.

    tf2onnx only looks whether the variable is set.
    """
    if CATCH_ERRORS in os.environ:
        yield
        return
    os.environ[CATCH_ERRORS] = "FALSE"
    try:
        yield
    finally:
        del os.environ[CATCH_ERRORS]


def _put_back(graph: onnx.GraphProto, kernels: dict[str, keras.Variable]) -> None:
    rest = [each for each in graph.input if each.name not in kernels]
    if len(rest) != len(graph.input) - len(kernels):
        raise ValueError(f"the converter renamed {sorted(kernels)}")
    del graph.input[:]
    graph.input.extend(rest)
    for name, kernel in kernels.items():
        values = keras.ops.convert_to_numpy(kernel)
        graph.initializer.append(onnx.numpy_helper.from_array(values, name))
