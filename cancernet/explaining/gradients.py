"""Gradients of a class's score with respect to feature maps, by TensorFlow."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cancernet.base.console import import_tensorflow_quietly
from cancernet.base.errors import CancerNetError, RunError, first_line

import_tensorflow_quietly()  # before the imports below load it

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from cancernet.explaining.network import OpenNetwork  # noqa: E402

Array = NDArray[np.float32]


class Gradients:
    """Computes gradients of one network, from several threads if need be."""

    def __init__(self, model: keras.Model) -> None:
        """Unrolls the network; its weights are shared."""
        self._network = OpenNetwork(model)
        self._compiled: dict[str, Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def of_file(cls, path: Path) -> "Gradients":
        """Loads a `.keras` file in safe mode, running no code from it.

        Raises:
            RunError: it cannot be loaded.
        """
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(
                f"{path} is not a model that can be loaded: {first_line(error)}"
            ) from None
        return cls(model)

    def layer_name(self, layer: str | None) -> str:
        """Returns the name of the layer that will be explained.

        Raises:
            CancerNetError: see `OpenNetwork.step`.
        """
        return self._network.step(layer).name

    def at(
        self, pixels: NDArray[Any], class_index: int, *, layer: str | None = None
    ) -> tuple[Array, Array, Array]:
        """Computes feature maps, gradient and scores for one image.

        Args:
            pixels: RGB 0-255, shape (height, width, 3).
            class_index: whose score is differentiated.
            layer: name of the layer; None for the last with spatial extent.

        Returns:
            The layer's output (rows, columns, channels), the gradient of the class's
            score with respect to it, of the same shape, and the scores of all classes
            before softmax or sigmoid (classes,).

        Raises:
            CancerNetError: no such layer, or the score does not depend on it.
        """
        with self._lock:
            work = self._work(layer)
        image = tf.constant(np.asarray(pixels, np.float32)[None])
        found = work(image, tf.constant(class_index))
        features, gradient, scores = (np.asarray(value[0]) for value in found)
        if not (np.isfinite(features).all() and np.isfinite(gradient).all()):
            raise CancerNetError(
                "the network computes undefined values for this image; its weights are damaged or "
                "its training diverged"
            )
        return features, gradient, scores

    def _work(self, layer: str | None) -> Any:
        step = self._network.step(layer)
        if step.name not in self._compiled:
            self._compiled[step.name] = _differentiated(self._network.probe(step), step.name)
        return self._compiled[step.name]


def _differentiated(model: keras.Model, layer: str) -> Any:
    def work(image: Any, class_index: Any) -> Any:
        with tf.GradientTape() as tape:
            # Of a frozen network nothing else would be recorded.
            tape.watch(image)
            features, scores = model(image, training=False)
            score = tf.gather(scores, class_index, axis=1)
        gradient = tape.gradient(score, features)
        if gradient is None:
            raise CancerNetError(f"the class's score does not depend on the layer {layer!r}")
        return features, gradient, scores

    shape = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    return tf.function(work, autograph=False).get_concrete_function(
        shape, tf.TensorSpec((), tf.int32)
    )
