"""The registry of networks: a plain dict that a decorator fills.

A builder takes the input shape (height, width, 3) and the number of classes and
returns an uncompiled `keras.Model` that takes RGB values 0-255 and gives one
probability per class. Preprocessing belongs inside the graph.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import keras

from cancernet.base.errors import CancerNetError, SettingsError, first_line
from cancernet.models.weights import NONE, load_weights
from cancernet.networks import unknown_network

Shape = tuple[int, int, int]  # height, width, 3
Builder = Callable[[Shape, int], keras.Model]


@dataclasses.dataclass(frozen=True)
class Network:
    """An entry of the registry: the facts about a network besides its graph.

    Attributes:
        application: its backbone's name in keras.applications or, for weights that come as a
            package, in `cancernet.models.weights`; or None.
        frozen: whether the backbone comes frozen, to be started from pretrained weights.
        sigmoid: whether it ends in one sigmoid unit; every other ends in a softmax.
        kernel: the fixed kernel of `cancernet.models.preprocessing.KERNELS` that filters its
            input, which the report then shows; or "".
    """

    build: Builder
    application: str | None = None
    frozen: bool = False
    sigmoid: bool = False
    kernel: str = ""


@dataclasses.dataclass(frozen=True)
class ModelFacts:
    """The numbers of parameters of a network."""

    total: int
    trainable: int


MODELS: dict[str, Network] = {}


def register(name: str, **facts: Any) -> Callable[[Builder], Builder]:
    """Enters a builder under a name, with the other fields of `Network`."""

    def enter(builder: Builder) -> Builder:
        if name in MODELS:
            raise ValueError(f"a network named {name!r} is registered already")
        MODELS[name] = Network(builder, **facts)
        return builder

    return enter


def network(name: str) -> Network:
    """Looks a network up by name.

    Raises:
        CancerNetError: unknown; the message lists the known ones.
    """
    if name not in MODELS:
        raise unknown_network(name, MODELS)
    return MODELS[name]


def build_model(
    name: str, input_shape: Shape, classes: int, weights: str | None = None
) -> keras.Model:
    """Builds a network by name, with fresh weights, ImageNet's, or those of a file.

    A network with a frozen backbone comes frozen, as published, whatever its weights; to train it
    from random numbers, call `unfreeze_all`.

    Args:
        name: a registered name, e.g. "cancernet" or "backbone:MobileNetV2".
        input_shape: (height, width, 3), pixels.
        classes: number of outputs, at least 2.
        weights: None or "none" for fresh ones; "imagenet" for the backbone's; or a
            file (see `load_weights`).

    Raises:
        CancerNetError: unknown name, too few classes, images too small for the network,
            or weights that cannot be loaded or do not fit.
    """
    entry = network(name)
    if classes < 2:
        raise CancerNetError(f"a classifier needs at least 2 classes, not {classes}")
    try:
        model = entry.build(input_shape, classes)
    except ValueError as error:
        height, width = input_shape[:2]
        raise SettingsError(
            f"the network {name} cannot be built for images of {width}x{height} pixels "
            f"({first_line(error)}); choose a larger --image-size"
        ) from error
    if weights not in (None, NONE):
        load_weights(model, str(weights), application=entry.application)
    return model


def count_parameters(model: keras.Model) -> ModelFacts:
    """Counts the parameters of a model as built: of a frozen backbone nothing is trainable."""
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return ModelFacts(total=model.count_params(), trainable=trainable)


@functools.cache
def model_facts(name: str, input_shape: Shape, classes: int) -> ModelFacts:
    """Builds a network with fresh weights and counts its parameters.

    Takes up to a few seconds and 300 MB for the largest; the answer is remembered.
    """
    return count_parameters(build_model(name, input_shape, classes))
