"""What this program takes from Keras that Keras does not promise to keep, all in one place.

`tests/models/test_keras_internals.py` fails by name when a new Keras has moved one of them.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras


def run_through_graph(model: keras.Model) -> Callable[..., Any] | None:
    """Returns Keras's own walk over the nodes of a Functional model; None for other models."""
    return getattr(model, "_run_through_graph", None)


def averages_of(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Returns the exponential averages that an optimizer with `use_ema` keeps of the weights.

    They are in the order of the variables that the optimizer was built with.
    """
    return optimizer._model_variables_moving_average


def accumulator_of(optimizer: keras.optimizers.Adagrad, variable: keras.Variable) -> keras.Variable:
    """Returns Adagrad's sum of squared gradients of one variable."""
    return optimizer._accumulators[optimizer._get_variable_index(variable)]


def moments_of(
    optimizer: keras.optimizers.Adam, variable: keras.Variable
) -> tuple[keras.Variable, keras.Variable]:
    """Returns Adam's first and second moment of one variable."""
    place = optimizer._get_variable_index(variable)
    return optimizer._momentums[place], optimizer._velocities[place]


def seed_generators(layer: keras.layers.Layer) -> Iterator[keras.random.SeedGenerator]:
    """Gives the generators that a random layer, such as Dropout, holds as attributes."""
    return (v for v in vars(layer).values() if isinstance(v, keras.random.SeedGenerator))
