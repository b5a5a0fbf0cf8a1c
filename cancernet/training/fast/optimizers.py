"""Keras's Adagrad, Adam and AdamW with the update of a weight in one operation.

Keras writes an update as six to twelve passes over all weights; TensorFlow has each
as one. Same formula, same state, same results to rounding. Where the fused operation
does not apply (amsgrad, weights that a strategy mirrors over devices, other types than
float32) the update runs as Keras has it.
"""

from typing import Any

import keras
import tensorflow as tf


class FusedAdagrad(keras.optimizers.Adagrad):
    """`keras.optimizers.Adagrad`.

    Keras divides by sqrt(accumulator + epsilon), the fused operation by
    sqrt(accumulator) + epsilon: so epsilon is put into the accumulator at the start,
    and none is left to add.
    """

    initial_accumulator_value: float

    def build(self, variables: list[Any]) -> None:
        """Creates the accumulators."""
        if self.built:
            return
        start = self.initial_accumulator_value
        self.initial_accumulator_value = start + self.epsilon
        super().build(variables)
        self.initial_accumulator_value = start

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one weight and its accumulator."""
        accumulator = self._accumulators[self._get_variable_index(variable)]
        if _is_fusible(gradient, variable):
            tf.raw_ops.ResourceApplyAdagradV2(
                var=variable.handle,
                accum=accumulator.value.handle,
                lr=tf.cast(learning_rate, tf.float32),
                epsilon=0.0,
                grad=gradient,
            )
            return
        gradient = tf.cast(tf.convert_to_tensor(gradient), variable.dtype)
        self.assign_add(accumulator, tf.square(gradient))
        step = tf.cast(learning_rate, variable.dtype) * gradient
        self.assign_sub(variable, step / tf.sqrt(accumulator.value))


class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam`."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one weight and its two moments."""
        if not _update_adam(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate)


class FusedAdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`; the decay stays Keras's."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one weight and its two moments."""
        if not _update_adam(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate)


def _update_adam(optimizer: Any, gradient: Any, variable: Any, learning_rate: Any) -> bool:
    if optimizer.amsgrad or not _is_fusible(gradient, variable):
        return False
    place = optimizer._get_variable_index(variable)
    step = tf.cast(optimizer.iterations.value + 1, tf.float32)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[place].value.handle,
        v=optimizer._velocities[place].value.handle,
        beta1_power=tf.pow(tf.constant(optimizer.beta_1), step),
        beta2_power=tf.pow(tf.constant(optimizer.beta_2), step),
        lr=tf.cast(learning_rate, tf.float32),
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=gradient,
    )
    return True


def _is_fusible(gradient: Any, variable: Any) -> bool:
    return gradient.dtype == variable.dtype == tf.float32 and not tf.distribute.has_strategy()
