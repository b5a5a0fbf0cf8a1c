"""Keras's batch normalization and dropout, computed with cheaper TensorFlow operations.

Both have the configuration, weights and meaning of the layers they replace. They live
only while a network trains (`cancernet.training.fast.acceleration`); what is saved holds
the plain layers.
"""

from typing import Any

import keras
import tensorflow as tf

CHANNELS_LAST = (-1, 3)


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` on TensorFlow's fused operation.

    Keras composes the layer from a dozen passes over the activations; the fused
    operation needs three, forward and backward. Statistics are float32 also where
    activations are 16-bit. Inputs of shape (n, h, w, c) and (n, c) take the fast way;
    any other rank, axis, mask, renorm or synchronization takes Keras's.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalizes; in training by the batch, else by the moving statistics."""
        if mask is not None or not self._is_fusible(inputs):
            return super().call(inputs, training=training, mask=mask)
        channels = inputs.shape[-1]
        use_batch = bool(training) and self.trainable
        images = inputs if inputs.shape.rank == 4 else tf.reshape(inputs, [-1, 1, 1, channels])
        nothing = tf.zeros([0], tf.float32)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=images,
            scale=tf.ones([channels]) if self.gamma is None else self.gamma.value,
            offset=tf.zeros([channels]) if self.beta is None else self.beta.value,
            mean=nothing if use_batch else self.moving_mean.value,
            variance=nothing if use_batch else self.moving_variance.value,
            epsilon=self.epsilon,
            is_training=use_batch,
        )
        if use_batch:
            self._move_statistics(mean, variance, tf.size(inputs) // channels)
        return outputs if inputs.shape.rank == 4 else tf.reshape(outputs, [-1, channels])

    def _is_fusible(self, inputs: Any) -> bool:
        if self.renorm or self.synchronized or self.moving_mean.dtype != "float32":
            return False
        if inputs.dtype not in (tf.float32, tf.bfloat16, tf.float16):
            return False
        rank = inputs.shape.rank
        return (rank == 4 and self.axis in CHANNELS_LAST) or (rank == 2 and self.axis in (-1, 1))

    def _move_statistics(self, mean: Any, variance: Any, count: Any) -> None:
        # The operation gives the unbiased variance (divided by count - 1, at least 1);
        # Keras keeps the biased one.
        count = tf.cast(count, tf.float32)
        biased = variance * (tf.maximum(count - 1.0, 1.0) / count)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, biased)):
            moving.assign(moving.value * self.momentum + batch * (1.0 - self.momentum))


class ByteDropout(keras.layers.Dropout):
    """`keras.layers.Dropout` that draws 8 random bits an element instead of a float.

    The rate is met exactly when it is a multiple of 1/256 (0.25, 0.5); any other gets
    16 bits and is rounded to a multiple of 1/65536, and the scale follows the rounded
    rate, so that the expectation stays that of the input. The bits come from
    TensorFlow's counter-based generator, keyed by the layer's own Keras seed variable:
    the same seed gives the same masks, and restoring the variable continues them.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drops in training; returns the input otherwise."""
        if not training or self.rate == 0:
            return inputs
        bits = 8 if float(self.rate * 256).is_integer() else 16
        dropped = round(self.rate * 2**bits)
        if dropped == 2**bits:
            return tf.zeros_like(inputs)
        integers = self._random_integers(self._mask_shape(inputs), bits)
        kept = tf.cast(integers >= tf.constant(dropped, integers.dtype), inputs.dtype)
        scale = tf.constant(1 / (1 - dropped / 2**bits), inputs.dtype)
        return inputs * (kept * scale)

    def _mask_shape(self, inputs: Any) -> Any:
        shape = tf.shape(inputs)
        if self.noise_shape is None:
            return shape
        return tf.stack([shape[i] if n is None else n for i, n in enumerate(self.noise_shape)])

    def _random_integers(self, shape: Any, bits: int) -> Any:
        kind = {8: tf.uint8, 16: tf.uint16}[bits]
        words_of = 32 // bits
        rows, place = 1, 0
        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync > 1:
            # The mask of the whole batch, of which this replica takes the rows it has of
            # the images: the network drops what it would drop in one process.
            rows, place = context.num_replicas_in_sync, context.replica_id_in_sync_group
        own, shape = shape, tf.concat([shape[:1] * rows, shape[1:]], 0)
        count = tf.reduce_prod(shape)
        words = tf.random.stateless_uniform(
            [(count + words_of - 1) // words_of],
            seed=tf.cast(self.seed_generator.next(), tf.int64),
            minval=None,
            maxval=None,
            dtype=tf.uint32,
        )
        whole = tf.reshape(tf.reshape(tf.bitcast(words, kind), [-1])[:count], shape)
        return whole if rows == 1 else whole[place::rows][: own[0]]
