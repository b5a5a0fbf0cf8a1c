"""Computes the statistics of batch normalization again when the weights are final.

The moving statistics of a training are those of images that were mixed and coloured, of
activations that dropout had spread, and of weights that were still moving; prediction sees
none of this. Dropout alone shifts every variance behind it (Li et al., "Understanding the
Disharmony between Dropout and Batch Normalization by Variance Shift", CVPR 2019). Statistics
over a fixed set of images with the final weights are those of Wu and Johnson, "Rethinking
'Batch' in BatchNorm", 2021, section 3.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cancernet.training.data.pixel_cache import Pixels
from cancernet.training.loop.acceleration import FusedBatchNormalization

IMAGES = 8192
_RANDOM: tuple[type, ...] = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianDropout,
)


def retake_statistics(model: keras.Model, pixels: Pixels, *, batch_size: int, seed: int) -> int:
    """Sets the statistics of a model's batch normalization to those of images as they are.

    Nothing is dropped meanwhile. Layers that are frozen keep what they have.

    Args:
        model: built; its weights stay, except for the statistics.
        pixels: training images, uint8 (n, height, width, 3); `IMAGES` of them at most, drawn
            by `seed`, are used.
        batch_size: images a step; an incomplete last step is not used.

    Returns:
        How many images were used; 0 where no layer has statistics to take.
    """
    layers = list(_learning_batch_norms(model))
    if not layers:
        return 0
    twin = keras.models.clone_model(model, clone_function=_without_chance, recursive=True)
    twin.set_weights(model.get_weights())
    of_twin = list(_learning_batch_norms(twin))

    @tf.function(reduce_retracing=True, autograph=False)
    def moments(images: Any) -> list[Any]:
        """The mean and the variance of a batch, for every layer."""
        twin(images, training=True)
        return [(each.moving_mean.value, each.moving_variance.value) for each in of_twin]

    drawn = np.random.default_rng(seed).permutation(len(pixels))[:IMAGES]
    steps = max(1, len(drawn) // batch_size)
    sums: Any = None
    for batch in np.array_split(drawn[: steps * batch_size], steps):
        found = moments(tf.cast(pixels[np.sort(batch)], tf.float32))
        # Of several batches: E[x^2] = variance + mean^2, averaged, less the square of the mean.
        powers = [
            (np.float64(mean), np.float64(variance) + np.float64(mean) ** 2)
            for mean, variance in found
        ]
        sums = powers if sums is None else [
            (a + c, b + d) for (a, b), (c, d) in zip(sums, powers, strict=True)
        ]  # fmt: skip
    for layer, (first, second) in zip(layers, sums, strict=True):
        mean = first / steps
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(second / steps - mean**2)
    return min(len(drawn), steps * batch_size)


def _learning_batch_norms(model: keras.Model) -> Iterator[keras.layers.BatchNormalization]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _learning_batch_norms(layer)
        elif isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
            yield layer


def _without_chance(layer: Any) -> Any:
    """Copies a layer so that it drops nothing and its statistics are those of the last batch."""
    config = layer.get_config()
    if isinstance(layer, _RANDOM):
        config["rate"] = 0.0
    if isinstance(layer, keras.layers.BatchNormalization):
        return FusedBatchNormalization.from_config(config | {"momentum": 0.0})
    return type(layer).from_config(config)
