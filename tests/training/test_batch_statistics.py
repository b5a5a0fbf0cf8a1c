"""Batch normalization's statistics, held to means and variances by hand."""

import keras
import numpy as np
import pytest

from cancernet.training.loop.batch_statistics import retake_statistics


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (50, 4, 4, 3), dtype=np.uint8)


def network(inner: bool = False) -> keras.Model:
    """Dropout, then batch normalization of the pixels themselves; in a model inside or not."""
    image = keras.Input((4, 4, 3))
    layers = [keras.layers.Dropout(0.5), keras.layers.BatchNormalization(name="statistics")]
    if inner:
        layers = [keras.Sequential([keras.Input((4, 4, 3)), *layers], name="inside")]
    x = image
    for layer in layers:
        x = layer(x)
    scores = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(x))
    return keras.Model(image, scores)


@pytest.mark.parametrize("inner", [False, True])
def test_statistics_are_those_of_the_images_with_nothing_dropped(pixels, inner) -> None:
    model = network(inner)
    dense = model.layers[-1].get_weights()
    assert retake_statistics(model, pixels, batch_size=10, seed=1) == 50
    layer = (model.get_layer("inside") if inner else model).get_layer("statistics")
    np.testing.assert_allclose(layer.moving_mean, pixels.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, pixels.var((0, 1, 2)), rtol=1e-3)
    np.testing.assert_array_equal(model.layers[-1].get_weights()[0], dense[0])


def test_what_does_not_fill_a_batch_is_left_out(pixels) -> None:
    assert retake_statistics(network(), pixels, batch_size=40, seed=1) == 40
    assert retake_statistics(network(), pixels, batch_size=64, seed=1) == 50


def test_a_frozen_layer_keeps_its_statistics(pixels) -> None:
    model = network()
    model.get_layer("statistics").trainable = False
    assert retake_statistics(model, pixels, batch_size=10, seed=1) == 0
    np.testing.assert_array_equal(model.get_layer("statistics").moving_mean, np.zeros(3))


def test_the_same_seed_gives_the_same_statistics(pixels) -> None:
    first, second = network(), network()
    for model in (first, second):
        retake_statistics(model, pixels, batch_size=40, seed=3)
    one, other = (model.get_layer("statistics") for model in (first, second))
    np.testing.assert_array_equal(one.moving_mean, other.moving_mean)
