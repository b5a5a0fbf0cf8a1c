"""Fused batch normalization and byte dropout against the Keras layers they replace."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cancernet.training.loop.acceleration import ByteDropout, FusedBatchNormalization

IMAGES = (6, 5, 4, 3)
VECTORS = (12, 7)


def twins(shape, dtype="float32", **config):
    """Keras's layer and the fused one with the same weights, none of them trivial."""
    random = np.random.default_rng(2)
    layers = []
    for kind in (keras.layers.BatchNormalization, FusedBatchNormalization):
        layer = kind(**config, dtype=dtype)
        layer.build(shape)
        layers.append(layer)
    weights = [random.uniform(0.5, 2, w.shape) for w in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def run(layer, x, upstream, *, training):
    """Output and gradients of sum(output * upstream) for the input and the weights."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        loss = tf.reduce_sum(tf.cast(y, tf.float32) * upstream)
    variables = [v.value for v in layer.trainable_variables]
    return y, tape.gradient(loss, [x, *variables])


def values(shape, seed):
    return np.random.default_rng(seed).normal(1.5, 2, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [IMAGES, VECTORS])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"scale": False},
        {"center": False},
        {"momentum": 0.7, "epsilon": 1.001e-5},
        {"axis": -1, "trainable": False},
    ],
    ids=str,
)
def test_batch_normalization_is_keras_to_rounding(shape, training, config):
    plain, fused = twins(shape, **config)
    assert fused._is_fusible(tf.zeros(shape))
    x, upstream = values(shape, 3), values(shape, 4)
    y, gradients = run(plain, x, upstream, training=training)
    fast_y, fast_gradients = run(fused, x, upstream, training=training)
    np.testing.assert_allclose(fast_y, y, rtol=1e-4, atol=1e-4)
    assert len(fast_gradients) == len(gradients)
    for fast, slow in zip(fast_gradients, gradients, strict=True):
        np.testing.assert_allclose(fast, slow, rtol=1e-3, atol=1e-4)
    for fast, slow in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=1e-6)


def test_moving_variance_is_biased_as_in_keras():
    # Two rows: the unbiased variance would be twice the biased one.
    plain, fused = twins((2, 7), momentum=0.0)
    x = values((2, 7), 5)
    plain(x, training=True)
    fused(x, training=True)
    np.testing.assert_allclose(fused.moving_variance, x.var(axis=0), rtol=1e-5)
    np.testing.assert_allclose(fused.moving_variance, plain.moving_variance, rtol=1e-5)


def test_one_row_normalizes_to_the_offset():
    plain, fused = twins((1, 7), momentum=0.5)
    x = values((1, 7), 6)
    np.testing.assert_allclose(fused(x, training=True), plain(x, training=True), atol=1e-5)
    np.testing.assert_allclose(fused.moving_variance, plain.moving_variance, rtol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_batch_normalization_in_bfloat16(training):
    plain, fused = twins(IMAGES, dtype="mixed_bfloat16")
    x = tf.cast(values(IMAGES, 3), tf.bfloat16)
    slow, fast = plain(x, training=training), fused(x, training=training)
    assert fast.dtype == slow.dtype == tf.bfloat16
    # bfloat16 has 8 significant bits.
    np.testing.assert_allclose(
        tf.cast(fast, tf.float32), tf.cast(slow, tf.float32), rtol=2**-7, atol=2**-6
    )
    for one, other in zip(fused.get_weights(), plain.get_weights(), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_frozen_batch_normalization_passes_gradients_in_bfloat16():
    plain, fused = twins(IMAGES, dtype="mixed_bfloat16", trainable=False)
    x, upstream = tf.cast(values(IMAGES, 3), tf.bfloat16), values(IMAGES, 4)
    before = fused.get_weights()
    _, (slow,) = run(plain, x, upstream, training=True)
    _, (fast,) = run(fused, x, upstream, training=True)
    np.testing.assert_allclose(
        tf.cast(fast, tf.float32), tf.cast(slow, tf.float32), rtol=2**-6, atol=2**-6
    )
    assert all(np.array_equal(a, b) for a, b in zip(before, fused.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("shape", "config"), [((4, 6, 3), {}), (IMAGES, {"axis": 1}), (IMAGES, {"renorm": True})]
)
def test_what_is_not_fusible_takes_keras_way(shape, config):
    plain, fused = twins(shape, **config)
    assert not fused._is_fusible(tf.zeros(shape))
    x = values(shape, 8)
    np.testing.assert_array_equal(fused(x, training=True), plain(x, training=True))


def masks(rate, *, seed=1, shape=(64, 40, 50), calls=1, dtype="float32"):
    layer = ByteDropout(rate, seed=seed, dtype=dtype)
    ones = tf.ones(shape, dtype)
    return [tf.cast(layer(ones, training=True), tf.float32).numpy() for _ in range(calls)]


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.1, 0.9])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_dropout_rate_and_scale(rate, dtype):
    (mask,) = masks(rate, dtype=dtype)
    kept = mask[mask != 0]
    precision = {"float32": 1e-4, "float16": 1e-3, "bfloat16": 2**-8}[dtype]
    np.testing.assert_allclose(kept, 1 / (1 - rate), rtol=precision)
    # 128,000 draws: five standard deviations.
    assert abs((mask == 0).mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / mask.size)


def test_dropout_draws_are_independent():
    first, second = (mask == 0 for mask in masks(0.25, calls=2))
    (other,) = (mask == 0 for mask in masks(0.25, seed=2))
    pairs = {
        "next call": (first, second),
        "other seed": (first, other),
        "next image": (first[1:], first[:-1]),
        "next row": (first[:, 1:], first[:, :-1]),
        # One random word makes four neighbours.
        **{f"{lag} channels on": (first[..., lag:], first[..., :-lag]) for lag in (1, 2, 3, 4)},
    }
    for name, (one, other) in pairs.items():
        correlation = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        assert abs(correlation) < 5 / np.sqrt(one.size), name


def test_dropout_repeats_with_its_seed_and_goes_on_from_its_variable():
    first = masks(0.5, calls=3)
    assert all(np.array_equal(a, b) for a, b in zip(first, masks(0.5, calls=3), strict=True))
    layer, ones = ByteDropout(0.5, seed=99), tf.ones((64, 40, 50))
    state = ByteDropout(0.5, seed=1)
    state(ones, training=True)
    layer.seed_generator.state.assign(state.seed_generator.state)
    np.testing.assert_array_equal(layer(ones, training=True), first[1])


def test_dropout_is_off_outside_training():
    x = values(IMAGES, 9)
    np.testing.assert_array_equal(ByteDropout(0.5)(x), x)
    np.testing.assert_array_equal(ByteDropout(0.0)(x, training=True), x)
    assert not np.any(ByteDropout(1.0)(x, training=True))


def test_dropout_gradient_goes_where_the_output_went():
    layer, x = ByteDropout(0.25, seed=4), tf.constant(values(IMAGES, 9))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    np.testing.assert_allclose(tape.gradient(y, x) * x, y, rtol=1e-6)


def test_dropout_noise_shape_and_odd_sizes():
    y = ByteDropout(0.5, noise_shape=(None, 1, 1, 3), seed=1)(tf.ones((9, 5, 4, 3)), training=True)
    assert np.ptp(y, axis=(1, 2)).max() == 0
    assert 0 < np.mean(y == 0) < 1
