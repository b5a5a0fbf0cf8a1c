"""The network of a training: first weights, layers that learn, frozen ones computed once.

Where the first layers are frozen and the images come unchanged in every epoch, the frozen
part gives the same numbers each time. They are kept in a memory-mapped file, and the head
trains on them, in the order and with the random numbers that the whole network would have had:

    to_fit, batches = keep_features(model, batches, folder)
    to_fit.compile(...)
    to_fit.fit(batches.training, shuffle=False, ...)

`to_fit` is then the head. Its layers are the model's own: the model is trained when its head is.
"""

import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.config import TrainConfig
from cancernet.models import (
    build_model,
    freeze_backbone,
    load_weights,
    network,
    unfreeze_all,
    unfreeze_top,
)
from cancernet.models.keras_internals import seed_generators
from cancernet.models.pretrained import backbone_layers
from cancernet.models.weights import NONE
from cancernet.runs.run_record import FirstWeights
from cancernet.training.data.pixel_cache import Pixels, map_array, write_array
from cancernet.training.data.streams import Batches, StockBatches

FLOAT = np.dtype(np.float32)

_log = logging.getLogger(__name__)


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
        CancerNetError: no backbone to freeze.
    """
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


def keep_features(
    model: keras.Model, batches: Batches, folder: Path
) -> tuple[keras.Model, Batches]:
    """Puts features in the place of images, if the model and the batches allow it.

    `folder` gets two files, `features-*.npy`.

    Returns:
        The head, and batches of features. Or the arguments, when images change from
        epoch to epoch, no first layer is frozen, or there is no room on the disk.
    """
    training, validation = batches.training, batches.validation
    if isinstance(training, StockBatches):
        return model, batches
    frozen = any(layer.weights and not layer.trainable_weights for layer in model.layers)
    if not training.unchanged or not frozen:
        return model, batches
    try:
        base, head = split_at_last_frozen(model)
        kept = [
            write_features(base, part.pixels, folder / f"features-{name}.npy")
            for name, part in (("training", training), ("validation", validation))
        ]
    except (CancerNetError, OSError) as error:
        _log.warning("The frozen layers are computed in every epoch: %s", error)
        return model, batches
    _log.info("The frozen layers were computed once for every image; only the rest is trained")
    return head, Batches(training.holding(kept[0]), validation.holding(kept[1]))


def split_at_last_frozen(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Splits at the last layer that everything before it leads through, all of it frozen.

    Args:
        model: a built Sequential or Functional model with one input and one output.

    Returns:
        From the images to the features, where nothing learns or is random, and from the
        features to the model's output; both share the model's layers.

    Raises:
        CancerNetError: there is no such layer; the message says why.
    """
    layers = model.layers
    first = next((place for place, layer in enumerate(layers) if _changes(layer)), None)
    if first is None:
        raise CancerNetError(f"no layer of {model.name} learns")
    for place in range(first - 1, -1, -1):
        if not any(layer.weights for layer in layers[: place + 1]):
            break
        try:
            head = keras.Model(layers[place].output, model.outputs[0])
        except ValueError:
            continue  # another path leads around this layer
        return keras.Model(model.inputs[0], layers[place].output), head
    raise CancerNetError(
        f"layer {layers[first].name} of {model.name} {_changes(layers[first])}, "
        "and no frozen layer before it has all paths leading through it"
    )


def write_features(
    base: keras.Model, pixels: Pixels, path: Path, *, batch_size: int = 64
) -> np.ndarray:
    """Computes the features of all images into a `.npy` file, `batch_size` images at a time.

    Returns:
        The mapped file: float32, shape (images, *features), in the same order.

    Raises:
        OSError: it cannot be written.
    """

    def pieces() -> Iterator[np.ndarray]:
        for start in range(0, len(pixels), batch_size):
            images = pixels[np.arange(start, min(start + batch_size, len(pixels)))]
            yield keras.ops.convert_to_numpy(
                keras.ops.cast(base.predict_on_batch(images), "float32")
            )

    shape = (len(pixels), *base.output_shape[1:])
    write_array(path, pieces(), shape=shape, dtype=FLOAT)
    features = map_array(path, shape=shape, dtype=FLOAT)
    if features is None:
        raise OSError(f"{path} cannot be read back")
    return features


def _changes(layer: keras.layers.Layer) -> str:
    """Says why a layer gives other values from step to step, or ""."""
    if layer.trainable_weights:
        return "learns"
    inside = layer.layers if isinstance(layer, keras.Model) else []
    if any(True for _ in seed_generators(layer)) or any(_changes(each) for each in inside):
        return "is random"
    return ""
