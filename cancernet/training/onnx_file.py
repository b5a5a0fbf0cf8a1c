"""A Keras model as one ONNX file, in memory that stays near the model's own size.

`model.export` makes every weight a constant of TensorFlow's graph, and the converter
copies the graph dozens of times on its way: 19 GB for a network of 300 MB. Large dense
kernels are therefore inputs while the graph is converted, and are put back into the
finished file, as initializers, afterwards.
"""

import contextlib
import io
import math
import warnings
from pathlib import Path
from typing import Any

import keras
import onnx

# Numbers from which on a kernel is kept out of the conversion: 8 MB.
LARGE = 2**21


def write_onnx(model: keras.Model, path: Path, *, large: int = LARGE) -> None:
    """Writes a model for ONNX Runtime, all in one file.

    Args:
        model: a float32 model of one input, called at least once.
        path: the file to write.
        large: numbers from which on a dense kernel is kept out of the conversion.
    """
    kernels = large_kernels(model, large)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # tf2onnx probes NumPy names that are gone
        if not kernels:
            model.export(path, format="onnx", verbose=False)
            return
        outer = _WithoutKernels(model, kernels)
        outer.export(path, format="onnx", verbose=False, input_signature=[outer.signature()])
    _put_back(path, kernels)


def large_kernels(model: keras.Model, large: int) -> dict[str, Any]:
    """Returns the dense kernels of at least so many numbers, by a name of their own."""
    kernels = [
        layer.kernel
        for layer in model.layers
        if isinstance(layer, keras.layers.Dense) and math.prod(layer.kernel.shape) >= large
    ]
    return {f"large_kernel_{number}": kernel for number, kernel in enumerate(kernels)}


class _WithoutKernels(keras.Model):
    """The model, with some of its weights as further inputs."""

    def __init__(self, model: keras.Model, kernels: dict[str, Any]) -> None:
        super().__init__(name="without_kernels")
        self.model = model
        self._names = list(kernels)
        self._kernels = list(kernels.values())
        self.built = True

    def signature(self) -> list[keras.InputSpec]:
        """The image, and the weights."""
        image = self.model.inputs[0]
        return [
            keras.InputSpec(shape=image.shape, dtype="float32", name="image"),
            *(
                keras.InputSpec(shape=kernel.shape, dtype="float32", name=name)
                for name, kernel in zip(self._names, self._kernels, strict=True)
            ),
        ]

    def call(self, inputs: list[Any]) -> Any:
        """Answers with the weights that were given."""
        image, *values = inputs
        mapping = list(zip(self._kernels, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return self.model(image, training=False)


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
