"""The network of a training: built, with its initial weights; which layers learn in a phase."""

import dataclasses
from pathlib import Path

import keras

from cancernet.base.errors import SettingsError
from cancernet.config import TrainConfig
from cancernet.models import (
    build_model,
    freeze_backbone,
    load_weights,
    network,
    unfreeze_all,
    unfreeze_top,
)
from cancernet.models.pretrained import backbone_layers
from cancernet.models.weights import NONE
from cancernet.runs.run_record import FirstWeights


def first_network(config: TrainConfig, classes: int) -> tuple[keras.Model, FirstWeights]:
    """Builds the network with its first weights; the same every time for the same settings.

    Raises:
        CancerNetError: it cannot be built for these images, its weights cannot be had
            (the message names the file to bring), or the settings ask to freeze a
            backbone where there is none.
    """
    keras.utils.set_random_seed(config.seed)
    model = fresh_network(config, classes)
    choose_layers(model, config, phase=0)
    if config.weights == NONE:
        return model, FirstWeights(source=NONE)
    record = load_weights(model, config.weights, application=network(config.model).application)
    # Reading them drew random numbers, and not always as many.
    keras.utils.set_random_seed(config.seed)
    return model, FirstWeights(
        source=config.weights,
        file=Path(record.file).name,
        sha256=record.sha256,
        part=record.part,
    )


def fresh_network(config: TrainConfig, classes: int) -> keras.Model:
    """Builds the network with random numbers."""
    return build_model(config.model, (config.image_size, config.image_size, 3), classes)


def phases(config: TrainConfig) -> list[TrainConfig]:
    """Returns the settings of each phase: one, or the head first and then the backbone's top."""
    if not config.fine_tune_epochs:
        return [config]
    second = dataclasses.replace(
        config, epochs=config.fine_tune_epochs, learning_rate=config.fine_tune_learning_rate
    )
    return [config, second]


def choose_layers(model: keras.Model, config: TrainConfig, *, phase: int) -> None:
    """Freezes and unfreezes the layers of a network for a phase; `compile` comes afterwards.

    Raises:
        CancerNetError: no backbone to freeze, or settings that contradict each other.
    """
    if config.fine_tune_epochs and config.freeze == "no":
        raise SettingsError(
            "--fine-tune-epochs trains the head on a frozen backbone first, so it does not go with "
            "--freeze no; leave one of them out"
        )
    if phase > 0:
        unfreeze_top(model, config.fine_tune_layers)
    elif config.freeze == "yes" or config.fine_tune_epochs:
        freeze_backbone(model)
    elif config.freeze == "no":
        unfreeze_all(model)


def frozen_at_random(model: keras.Model, config: TrainConfig) -> str:
    """Returns a warning when a backbone keeps random numbers, or ""."""
    if config.weights != NONE or not any(
        layer.weights and not layer.trainable for layer in backbone_layers(model)
    ):
        return ""
    return (
        f"the backbone of {config.model} is frozen, but --weights none left it with random "
        "numbers: it has learnt nothing and never will; use --weights imagenet, --weights FILE, "
        "or --freeze no to train all of it"
    )
