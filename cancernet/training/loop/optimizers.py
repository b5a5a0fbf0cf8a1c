"""The optimizer and its schedule; the update of a weight is one TensorFlow operation.

Keras writes an update as six to twelve passes over all weights; TensorFlow has each
as one. Same formula, same state, same results to rounding. Where the fused operation
does not apply (amsgrad, weights that a strategy mirrors over devices, other types than
float32) the update runs as Keras has it.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from cancernet.config import STOCK, TrainConfig
from cancernet.models.keras_internals import accumulator_of, averages_of, moments_of


def make_optimizer(config: TrainConfig, *, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Builds the optimizer, with its schedule over all steps of the training.

    With `--stream stock` it is Keras's own.
    """
    own = config.stream == STOCK
    shared = {
        "learning_rate": make_schedule(config, steps_per_epoch=steps_per_epoch),
        "clipvalue": config.clip_value or None,
        "use_ema": config.weight_averaging > 0,
        "ema_momentum": config.weight_averaging or 0.99,
    }
    if config.optimizer == "adagrad":
        # Keras 3 starts the accumulator at 0.1; the tutorial's Keras started at 0.
        adagrad = keras.optimizers.Adagrad if own else FusedAdagrad
        return adagrad(initial_accumulator_value=0.0, **shared)
    if config.optimizer == "adam":
        return (keras.optimizers.Adam if own else FusedAdam)(**shared)
    if config.optimizer == "adamw":
        adamw = keras.optimizers.AdamW if own else FusedAdamW
        optimizer = adamw(weight_decay=config.weight_decay, **shared)
        # Shrinking biases and normalization only hinders (He et al. 2019, section 3.1).
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer
    return keras.optimizers.SGD(momentum=config.momentum, **shared)


def make_schedule(
    config: TrainConfig, *, steps_per_epoch: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Builds the schedule: constant, inverse time (the tutorial's `decay`), or cosine.

    A constant is a number, which a plateau rule may lower. Inverse time is
    rate / (1 + step * rate / epochs), what `Adagrad(lr=rate, decay=rate / epochs)` did before
    Keras dropped it. Cosine falls to 0 at the last step after a linear rise over the warm-up
    (Loshchilov & Hutter 2017).
    """
    rate = config.learning_rate
    if config.schedule == "inverse-time":
        return keras.optimizers.schedules.InverseTimeDecay(rate, 1, rate / config.epochs)
    if config.schedule == "cosine":
        warmup = round(config.warmup_epochs * steps_per_epoch)
        total = config.epochs * steps_per_epoch
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else rate,
            decay_steps=max(1, total - warmup),
            warmup_target=rate if warmup else None,
            warmup_steps=warmup,
        )
    return rate


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
        accumulator = accumulator_of(self, variable)
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


class _FusedMoments:
    """Adam's update in one operation, in front of the Keras class that keeps the moments."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one weight and its two moments."""
        this: Any = self
        if this.amsgrad or not _is_fusible(gradient, variable):
            super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]
            return
        first, second = moments_of(this, variable)
        step = tf.cast(this.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first.value.handle,
            v=second.value.handle,
            beta1_power=tf.pow(tf.constant(this.beta_1), step),
            beta2_power=tf.pow(tf.constant(this.beta_2), step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=this.beta_1,
            beta2=this.beta_2,
            epsilon=this.epsilon,
            grad=gradient,
        )


class FusedAdam(_FusedMoments, keras.optimizers.Adam):
    """`keras.optimizers.Adam`."""


class FusedAdamW(_FusedMoments, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`; the decay stays Keras's."""


def _is_fusible(gradient: Any, variable: Any) -> bool:
    return gradient.dtype == variable.dtype == tf.float32 and not tf.distribute.has_strategy()


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Puts the exponentially averaged weights into the model for the time of the block."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not optimizer.use_ema:
        yield
        return
    variables = model.trainable_variables
    raw = [keras.ops.convert_to_numpy(variable).copy() for variable in variables]
    for variable, average in zip(variables, averages_of(optimizer), strict=True):
        variable.assign(average)
    try:
        yield
    finally:
        for variable, value in zip(variables, raw, strict=True):
            variable.assign(value)
