"""Training only the head of a network: what the frozen part computes is computed once.

Where the first layers are frozen and the images come unchanged in every epoch, the
frozen part gives the same numbers each time. They are kept in a memory-mapped file,
and the head trains on them, in the order and with the random numbers that the whole
network would have had:

    to_fit, batches = keep_features(model, batches, folder)
    to_fit.compile(...)
    to_fit.fit(batches.training, shuffle=False, ...)

`to_fit` is then the head. Its layers are the model's own: the model is trained when
its head is. Where nothing can be kept, both come back as they were.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.models.keras_internals import seed_generators
from cancernet.training.data.batches import Batches
from cancernet.training.data.pixel_cache import Pixels, map_array, write_array

FLOAT = np.dtype(np.float32)

_log = logging.getLogger(__name__)


def keep_features(
    model: keras.Model, batches: Batches, folder: Path
) -> tuple[keras.Model, Batches]:
    """Puts features in the place of images, if the model and the batches allow it.

    Args:
        model: a built model, its first layers frozen; not necessarily compiled.
        batches: of training and validation images.
        folder: an existing folder for two files, `features-*.npy`; they may be deleted
            after the training.

    Returns:
        The head, and batches of features. Or the arguments, when images change from
        epoch to epoch, no first layer is frozen, or there is no room on the disk.
    """
    training, validation = batches.training, batches.validation
    if not training.unchanged or not _has_frozen_weights(model):
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
        CancerNetError: there is no such layer; the message says what stands in the way.
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
    """Computes the features of all images into a file.

    Args:
        base: the frozen part.
        pixels: images in a fixed order.
        path: `.npy` file to write; what stood there is replaced.
        batch_size: images at a time; memory holds so many.

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


def _has_frozen_weights(model: keras.Model) -> bool:
    return any(layer.weights and not layer.trainable_weights for layer in model.layers)


def _changes(layer: keras.layers.Layer) -> str:
    """Says why a layer gives other values from step to step, or ""."""
    if layer.trainable_weights:
        return "learns"
    inside = layer.layers if isinstance(layer, keras.Model) else []
    if any(True for _ in seed_generators(layer)) or any(_changes(each) for each in inside):
        return "is random"
    return ""
