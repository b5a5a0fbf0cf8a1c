"""Backbones of keras.applications: preprocessing, weight files, graph, and what is frozen.

`preprocess` scales the input in front of each: Keras's own `Normalization` inside some of
them would not survive the export to ONNX. Nor would two pieces of ConvNeXt, its convolutions
of one channel a group and its activation; both stand here in an equal form that does.

A training on a backbone has up to two phases:

    model = build_model(name, shape, classes, weights="imagenet")
    freeze_backbone(model)            # phase 1: only the head learns
    model.compile(...); model.fit(...)
    unfreeze_top(model, 12)           # phase 2: and the last 12 layers of the backbone
    model.compile(...)                # again, or nothing changes; at a tenth of the rate
    model.fit(...)

Batch normalization of the backbone stays frozen in both. In Keras a frozen
`BatchNormalization` works in inference mode, with its stored statistics: those of a
small medical set would destroy what the backbone knows.
"""

import inspect
import math
from typing import Any

import keras
import numpy as np

from cancernet.base.errors import CancerNetError, SettingsError
from cancernet.models.preprocessing import preprocess
from cancernet.networks import APPLICATIONS

HEAD = "head_"  # names of the layers behind a backbone begin so
PREPROCESS = "preprocess_"  # and of those in front of it so


def backbone(
    application: str, input_shape: tuple[int, int, int], *, preprocessing: str | None = None
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Builds a backbone of `APPLICATIONS` without its classifier, its preprocessing in front.

    Its layers stand in the graph one by one, not as a model within the model: what
    clones, explains or partly unfreezes a network then sees them all. `preprocessing` is
    another rule than the one its ImageNet weights need.

    Returns:
        The input (RGB 0-255) and the feature maps, shape (n, rows, columns, channels).

    Raises:
        ValueError: the images are too small for it.
    """
    image = keras.Input(input_shape, name="image")
    scaled = preprocess(image, preprocessing or APPLICATIONS[application].preprocessing)
    if not is_rebuilt(application):
        return image, keras_network(
            application, input_shape=input_shape, input_tensor=scaled
        ).output
    network = keras_network(application, input_shape=input_shape)
    first = network.layers[1]
    if normalizes_inside(application):
        first = network.get_layer("stem_conv_pad")
    network = keras.Model(first.input, network.output)
    joined = keras.Model(image, network.call(scaled))
    # The layers stand in the graph they came from as well; those of a clone do not.
    alone = keras.models.clone_model(joined, clone_function=_exportable)
    return alone.input, alone.output


def is_rebuilt(application: str) -> bool:
    """Tells whether the graph here is not Keras's own, so that its files need adapting."""
    return normalizes_inside(application) or application.startswith("ConvNeXt")


def normalizes_inside(application: str) -> bool:
    """Tells whether Keras's own graph begins with scaling that cannot be switched off."""
    return application.startswith("EfficientNetB")


def keras_network(name: str, **arguments: Any) -> keras.Model:
    """Builds a network of keras.applications as Keras has it, without classifier or weights."""
    build = getattr(keras.applications, name)
    if "include_preprocessing" in inspect.signature(build).parameters:
        arguments["include_preprocessing"] = False
    return build(include_top=False, weights=None, **arguments)


def adapted(weights: list[np.ndarray], like: list[np.ndarray]) -> list[np.ndarray]:
    """Brings weights of Keras's own graph to the shapes of the one here, in the same order.

    A convolution of one channel a group has a kernel of shape (rows, columns, 1,
    channels), the depthwise convolution one of (rows, columns, channels, 1).
    """
    return [
        values if values.shape == target.shape else values.transpose(0, 1, 3, 2)
        for values, target in zip(weights, like, strict=True)
    ]


def _exportable(operation: keras.Operation) -> keras.Operation:
    config = operation.get_config()
    if isinstance(operation, keras.layers.Conv2D) and operation.groups == operation.filters:
        shared = ("name", "kernel_size", "strides", "padding", "use_bias", "bias_initializer")
        return keras.layers.DepthwiseConv2D(
            depthwise_initializer=operation.kernel_initializer.clone(),
            **{key: config[key] for key in shared},
        )
    if isinstance(operation, keras.layers.Activation) and config["activation"] == "gelu":
        return _gelu(operation)
    return type(operation).from_config(config)


def _gelu(activation: keras.layers.Activation) -> keras.Model:
    """Returns x * P(a standard normal number < x), written with the error function."""
    x = keras.Input(activation.output.shape[1:])
    return keras.Model(x, 0.5 * x * (1 + keras.ops.erf(x / math.sqrt(2))), name=activation.name)


def probabilities(features: keras.KerasTensor, classes: int) -> keras.KerasTensor:
    """Adds the softmax layer of a head, in float32 whatever the arithmetic of the rest."""
    layer = keras.layers.Dense(
        classes, activation="softmax", dtype="float32", name=f"{HEAD}probabilities"
    )
    return layer(features)


def backbone_layers(model: keras.Model) -> list[keras.Layer]:
    """Returns the backbone's layers from input to output; none where there is no backbone."""
    if not any(layer.name.startswith(HEAD) for layer in model.layers):
        return []
    return [
        layer
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
        and not layer.name.startswith((HEAD, PREPROCESS))
    ]


def backbone_part(model: keras.Model) -> keras.Model | None:
    """Returns the model up to where its head begins, sharing its layers, or None."""
    for layer in model.layers:
        if layer.name.startswith(HEAD):
            return keras.Model(model.input, layer.input)
    return None


def freeze_backbone(model: keras.Model) -> None:
    """Freezes every layer of the backbone; call `compile` afterwards.

    Dropout inside a backbone (EfficientNet's) stays on in training: it has no weights.

    Raises:
        CancerNetError: the network has no backbone.
    """
    for layer in _layers_with_weights(model):
        layer.trainable = False


def unfreeze_top(model: keras.Model, layers: int) -> list[str]:
    """Freezes the backbone except the last layers before the head; call `compile` afterwards.

    Args:
        model: a network on a backbone, or a clone of one with the same layer names.
        layers: how many layers with weights to let learn, counted from the head; batch
            normalization is not counted and stays frozen. More than there are takes all.

    Returns:
        The names of the backbone's layers that learn now, from input to output.

    Raises:
        CancerNetError: the network has no backbone, or the number is negative.
    """
    if layers < 0:
        raise CancerNetError(f"the number of layers to unfreeze is {layers}; it must be 0 or more")
    freeze_backbone(model)
    # By name: a faster twin of the network may have a class of its own.
    candidates = [
        layer
        for layer in _layers_with_weights(model)
        if "BatchNormalization" not in type(layer).__name__
    ]
    top = candidates[max(0, len(candidates) - layers) :]
    for layer in top:
        layer.trainable = True
    return [layer.name for layer in top]


def unfreeze_all(model: keras.Model) -> None:
    """Lets every layer learn, batch normalization too: for a start without pretrained weights.

    Call `compile` afterwards.
    """
    for layer in model.layers:
        layer.trainable = True


def _layers_with_weights(model: keras.Model) -> list[keras.Layer]:
    layers = [layer for layer in backbone_layers(model) if layer.weights]
    if not layers:
        raise SettingsError(
            f"the network {model.name} has no pretrained backbone to freeze or unfreeze; "
            "train it as a whole"
        )
    return layers
