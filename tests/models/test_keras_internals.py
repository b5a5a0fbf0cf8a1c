"""What Keras does not promise to keep: each fails here, by name, when a new Keras moves it."""

import keras
import numpy as np
import pytest

from cancernet.models import keras_internals


@pytest.fixture
def trained():
    """Trains one weight with an optimizer for two steps; returns weight and optimizer."""

    def train(optimizer):
        weight = keras.Variable(np.array([1.0, -2.0], np.float32))
        gradient = keras.ops.convert_to_tensor(np.array([0.5, -0.25], np.float32))
        for _ in range(2):
            optimizer.apply([gradient], [weight])
        return weight, optimizer

    return train


def test_the_walk_over_a_functional_graph():
    image = keras.Input((4,))
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.Dense(3)(image)))
    walk = keras_internals.run_through_graph(model)
    assert walk is not None, "Functional models have no _run_through_graph any more"
    met = []

    def call(operation, *arguments, **named):
        met.append(operation.name)
        return operation(*arguments, **named)

    walk(keras.Input((4,)), call_fn=call)
    assert [name for name in met if name.startswith("dense")] == [
        layer.name for layer in model.layers[1:]
    ]
    assert keras_internals.run_through_graph(object()) is None


def test_the_averages_of_the_weights(trained):
    weight, optimizer = trained(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    (average,) = keras_internals.averages_of(optimizer)
    # The average begins with the weights after the first step.
    np.testing.assert_allclose(average, 0.5 * np.array([0.95, -1.975]) + 0.5 * np.asarray(weight))


def test_the_state_of_adagrad_and_adam(trained):
    weight, optimizer = trained(keras.optimizers.Adagrad(0.1, initial_accumulator_value=0.0))
    accumulator = keras_internals.accumulator_of(optimizer, weight)
    np.testing.assert_allclose(accumulator, 2 * np.array([0.5, -0.25]) ** 2)
    weight, optimizer = trained(keras.optimizers.Adam(0.1, beta_1=0.5, beta_2=0.75))
    first, second = keras_internals.moments_of(optimizer, weight)
    np.testing.assert_allclose(first, 0.75 * np.array([0.5, -0.25]))
    np.testing.assert_allclose(second, (1 - 0.75**2) * np.array([0.5, -0.25]) ** 2)


def test_random_layers_hold_their_generator():
    assert len(list(keras_internals.seed_generators(keras.layers.Dropout(0.5)))) == 1
    assert not list(keras_internals.seed_generators(keras.layers.Dense(2)))
