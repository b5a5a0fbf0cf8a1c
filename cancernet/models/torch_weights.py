"""Puts the arrays of a PyTorch file into a Keras network whose layers have the same names.

A layer's name is that of the PyTorch module, without the underscores that its parts begin
with: `_blocks.0._bn1` is `blocks.0.bn1`.
"""

import re
from collections.abc import Mapping

import keras
import numpy as np
from numpy.typing import NDArray

# Of each kind of layer: its arrays in Keras's order, and their axes in PyTorch's.
_PARTS: tuple[tuple[type, tuple[str, ...], tuple[int, ...]], ...] = (
    (keras.layers.DepthwiseConv2D, ("weight",), (2, 3, 0, 1)),
    (keras.layers.Conv2D, ("weight",), (2, 3, 1, 0)),
    (keras.layers.BatchNormalization, ("weight", "bias", "running_mean", "running_var"), (0,)),
)


def set_weights(model: keras.Model, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Fills every layer that has weights; tensors that belong to none are passed over.

    Raises:
        ValueError: a layer has no tensor, one of another shape, or one without numbers; or it
            is of a kind that no such file is known for. The layers before it are filled then.
    """
    named = {re.sub(r"(^|\.)_", r"\1", name): tensor for name, tensor in tensors.items()}
    for layer in model.layers:
        if not layer.weights:
            continue
        parts = next((each[1:] for each in _PARTS if isinstance(layer, each[0])), None)
        if parts is None:
            raise ValueError(f"PyTorch has another layer in the place of {layer.name}")
        names, axes = parts
        missing = [f"{layer.name}.{part}" for part in names if f"{layer.name}.{part}" not in named]
        if missing:
            raise ValueError(f"there is no tensor {missing[0]}")
        values = [named[f"{layer.name}.{part}"] for part in names]
        if any(value.ndim != len(axes) or not np.isfinite(value).all() for value in values):
            raise ValueError(f"{layer.name} would be left without numbers")
        layer.set_weights([value.transpose(axes) for value in values])
