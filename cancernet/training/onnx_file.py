"""A Keras model as one ONNX file, in memory that stays near the model's own size.

Every weight becomes a constant of TensorFlow's graph, and the converter copies the graph
dozens of times on its way: 19 GB for a network of 300 MB. Large dense kernels are
therefore inputs while the graph is converted, and are put back into the finished file,
as initializers, afterwards.
"""

import contextlib
import functools
import io
import math
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import onnx
import tensorflow as tf
import tf2onnx

# Numbers from which on a kernel is kept out of the conversion: 8 MB.
LARGE = 2**21
CATCH_ERRORS = "TF2ONNX_CATCH_ERRORS"


def write_onnx(model: keras.Model, path: Path, *, large: int = LARGE) -> None:
    """Writes a model for ONNX Runtime, all in one file.

    Args:
        model: a float32 model of one input.
        path: the file to write.
        large: numbers from which on a dense kernel is kept out of the conversion.
    """
    kernels = large_kernels(model, large)
    shapes = {"image": model.inputs[0].shape, **{name: k.shape for name, k in kernels.items()}}
    signature = [tf.TensorSpec(shape, tf.float32, name) for name, shape in shapes.items()]

    @tf.function(autograph=False)
    def answer(image: Any, *values: Any) -> Any:
        """The model, with some of its weights as further inputs."""
        given = list(zip(kernels.values(), values, strict=True))
        with keras.StatelessScope(state_mapping=given):
            return model(image, training=False)

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        # `model.export` does the same after it has traced the network once more and listed
        # all that a SavedModel would need: a third of its time with a network of many layers.
        convert = functools.partial(
            tf2onnx.convert.from_function, answer, input_signature=signature, output_path=path
        )
        try:
            with _without_copies():
                convert()
        except Exception:  # whatever one of its simplifications stumbles over
            convert()
    if kernels:
        _put_back(path, kernels)


def large_kernels(model: keras.Model, large: int) -> dict[str, Any]:
    """Returns the dense kernels of at least so many numbers, by a name of their own."""
    kernels = [
        layer.kernel
        for layer in model.layers
        if isinstance(layer, keras.layers.Dense) and math.prod(layer.kernel.shape) >= large
    ]
    return {f"large_kernel_{number}": kernel for number, kernel in enumerate(kernels)}


@contextlib.contextmanager
def _without_copies() -> Iterator[None]:
    """Lets the converter simplify the graph itself instead of a copy each time.

    The copies are there for going back when a simplification fails. tf2onnx looks only
    whether the variable is set.
    """
    if CATCH_ERRORS in os.environ:
        yield
        return
    os.environ[CATCH_ERRORS] = "FALSE"
    try:
        yield
    finally:
        del os.environ[CATCH_ERRORS]


def _put_back(path: Path, kernels: dict[str, Any]) -> None:
    proto = onnx.load(path)
    graph = proto.graph
    rest = [each for each in graph.input if each.name not in kernels]
    if len(rest) != len(graph.input) - len(kernels):
        raise ValueError(f"the converter renamed {sorted(kernels)}")
    del graph.input[:]
    graph.input.extend(rest)
    for name, kernel in kernels.items():
        values = keras.ops.convert_to_numpy(kernel)
        graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    onnx.save(proto, path)
