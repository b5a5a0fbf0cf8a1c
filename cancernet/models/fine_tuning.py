"""Training a network on a pretrained backbone: the head first, then the backbone's top.

    model = build_model(name, shape, classes, weights="imagenet")
    freeze_backbone(model)            # phase 1: only the head learns
    model.compile(...); model.fit(...)
    unfreeze_top(model, 12)           # phase 2: and the last 12 layers of the backbone
    model.compile(...)                # again, or nothing changes; at a tenth of the rate
    model.fit(...)

Batch normalization of the backbone stays frozen in both phases. In Keras a frozen
`BatchNormalization` works in inference mode, with its stored statistics: those of a
small medical set would destroy what the backbone knows.
"""

import keras

from cancernet.base.errors import CancerNetError, SettingsError
from cancernet.models.pretrained import backbone_layers


def freeze_backbone(model: keras.Model) -> int:
    """Freezes every layer of the backbone; call `compile` afterwards.

    Dropout inside a backbone (EfficientNet's) stays on in training: it is no weight.

    Returns:
        How many layers with weights were frozen.

    Raises:
        CancerNetError: the network has no backbone.
    """
    return _set_trainable(_layers_with_weights(model), False)


def unfreeze_top(model: keras.Model, layers: int) -> list[str]:
    """Freezes the backbone except the last layers before the head; call `compile` afterwards.

    Args:
        model: a network on a backbone, or a clone of one with the same layer names.
        layers: how many layers to let learn, counted from the head, convolutions and
            others with weights; batch normalization is not counted and stays frozen.
            0 leaves the whole backbone frozen; more than there are takes them all.

    Returns:
        The names of the backbone's layers that learn now, from input to output.

    Raises:
        CancerNetError: the network has no backbone, or the number is negative.
    """
    if layers < 0:
        raise CancerNetError(f"the number of layers to unfreeze is {layers}; it must be 0 or more")
    every = _layers_with_weights(model)
    _set_trainable(every, False)
    candidates = [layer for layer in every if not _is_normalization(layer)]
    top = candidates[max(0, len(candidates) - layers) :]
    _set_trainable(top, True)
    return [layer.name for layer in top]


def unfreeze_all(model: keras.Model) -> None:
    """Lets every layer learn, batch normalization too: for a start without pretrained weights.

    A frozen backbone of random numbers would learn nothing. Harmless on a network
    without a backbone. Call `compile` afterwards.
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


def _set_trainable(layers: list[keras.Layer], trainable: bool) -> int:
    for layer in layers:
        layer.trainable = trainable
    return len(layers)


def _is_normalization(layer: keras.Layer) -> bool:
    # By name as well: a faster twin of the network may have a class of its own.
    return isinstance(layer, keras.layers.BatchNormalization) or (
        "BatchNormalization" in type(layer).__name__
    )
