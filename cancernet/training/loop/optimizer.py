"""The optimizer and learning-rate schedule that the settings ask for."""

import keras

from cancernet.config import TrainConfig
from cancernet.training.fast.optimizers import FusedAdagrad, FusedAdam, FusedAdamW


def make_optimizer(config: TrainConfig, *, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Builds the optimizer.

    A constant learning rate is a number, which a plateau rule may lower; any other is a
    schedule over all steps of the training.
    """
    shared = {
        "learning_rate": make_schedule(config, steps_per_epoch=steps_per_epoch),
        "clipvalue": config.clip_value or None,
        "use_ema": config.weight_averaging > 0,
        "ema_momentum": config.weight_averaging or 0.99,
    }
    if config.optimizer == "adagrad":
        # Keras 3 starts the accumulator at 0.1; the tutorial's Keras started at 0.
        return FusedAdagrad(initial_accumulator_value=0.0, **shared)
    if config.optimizer == "adam":
        return FusedAdam(**shared)
    if config.optimizer == "adamw":
        optimizer = FusedAdamW(weight_decay=config.weight_decay, **shared)
        # Shrinking biases and normalization only hinders (He et al. 2019, section 3.1).
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer
    return keras.optimizers.SGD(momentum=config.momentum, **shared)


def make_schedule(
    config: TrainConfig, *, steps_per_epoch: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Builds the schedule: constant, inverse time (the tutorial's `decay`), or cosine.

    Inverse time is rate / (1 + step * rate / epochs), what `Adagrad(lr=rate,
    decay=rate / epochs)` did before Keras dropped it. Cosine falls to 0 at the last
    step after a linear rise over the warm-up (Loshchilov & Hutter 2017).
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
