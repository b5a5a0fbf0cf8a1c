"""How many parameters a network has, counted on the network itself."""

import dataclasses
import functools
import math

import keras

from cancernet.models.registry import build_model


@dataclasses.dataclass(frozen=True)
class ModelFacts:
    """The size of a network as built: of a frozen backbone nothing is trainable."""

    total: int
    trainable: int


def count_parameters(model: keras.Model) -> ModelFacts:
    """Counts a model's parameters."""
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return ModelFacts(total=model.count_params(), trainable=trainable)


@functools.cache
def model_facts(name: str, input_shape: tuple[int, int, int], classes: int) -> ModelFacts:
    """Builds a network with fresh weights and counts its parameters.

    Takes up to a few seconds and 300 MB for the largest; the answer is remembered.

    Raises:
        CancerNetError: see `build_model`.
    """
    return count_parameters(build_model(name, input_shape, classes))
