"""Batches of images for `model.fit` and `model.predict`.

`ImageDataGenerator` describes the augmentation, and `cancernet.training.data.augmentation`
does what it describes. What a batch holds depends on nothing but (seed, epoch, number of the
batch): a training resumed after epoch 7 sees what it would have seen.
"""

import contextlib
import copy
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, Self

import cv2
import keras
import numpy as np
import tensorflow as tf
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from cancernet.base.errors import CancerNetError
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import BuiltDataset
from cancernet.planning.plan import input_of
from cancernet.training.data.augmentation import Ranges, change_images, mix_pairs
from cancernet.training.data.pixel_cache import Pixels, open_pixels

BATCHES_AHEAD = 4


def image_data_generator(config: TrainConfig) -> ImageDataGenerator:
    """Returns the stock generator with the settings' random changes."""
    return ImageDataGenerator(
        rotation_range=config.rotation,
        zoom_range=config.zoom,
        width_shift_range=config.shift,
        height_shift_range=config.shift,
        shear_range=config.shear,
        horizontal_flip=config.horizontal_flip,
        vertical_flip=config.vertical_flip,
        fill_mode="nearest",
    )


def random_changes(generator: ImageDataGenerator, config: TrainConfig) -> Ranges:
    """Takes the geometry from the generator, and from the settings what it does not know."""
    return Ranges(
        rotation=generator.rotation_range,
        height_shift=generator.height_shift_range,
        width_shift=generator.width_shift_range,
        shear=generator.shear_range,
        zoom=tuple(generator.zoom_range),
        horizontal_flip=generator.horizontal_flip,
        vertical_flip=generator.vertical_flip,
        quarter_turns=config.quarter_turns,
        color=config.color_jitter,
        stain=config.stain_jitter,
    )


class PlainBatches(keras.utils.PyDataset):
    """Images in the manifest's order, as they are, with one-hot labels.

    Attributes:
        pixels: the images, by their place in the manifest's order.
    """

    def __init__(
        self, pixels: Pixels, labels: np.ndarray, *, classes: int, batch_size: int
    ) -> None:
        """Takes pixels and labels (class indices, shape (n,)) in the same order."""
        super().__init__(workers=1)  # tf.data has a thread of its own
        self.pixels = pixels
        self._one_hot = np.eye(classes, dtype=np.float32)[labels]
        self._batch_size = batch_size
        self._error: CancerNetError | None = None

    def __len__(self) -> int:
        return -(-len(self.pixels) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Returns images, uint8 (n, size, size, 3), and labels, float32 (n, classes)."""
        places = self._places(index)
        try:
            return self.pixels[places], self._one_hot[places]
        except CancerNetError as error:
            self._error = error
            raise

    @contextlib.contextmanager
    def own_errors(self) -> Iterator[None]:
        """Raises an image's own error in place of the one that TensorFlow makes of it in `fit`."""
        self._error = None
        try:
            yield
        except Exception:
            if self._error is not None:
                raise self._error from None
            raise

    def stream(self) -> Any:
        """Returns a `tf.data.Dataset` of the same batches in the same order.

        It asks Python once a batch, and fetches a few ahead in a thread of its own. Keras's
        way from a PyDataset to `tf.data` costs up to a tenth of a step of 32 small images.
        The stream does not keep the batches: keep them while it is read.

        Raises:
            CancerNetError: an image of the first batch cannot be read.
        """
        likes = [(array.dtype, (None, *array.shape[1:])) for array in self[0]]
        # TensorFlow keeps the function that it calls until the process ends: it must not keep the
        # images too, or each fold would add its own.
        content: Any = weakref.proxy(self)

        @tf.autograph.experimental.do_not_convert
        def batch(index: Any) -> tuple[Any, ...]:
            kinds = [kind for kind, _ in likes]
            arrays = tf.numpy_function(lambda number: content[int(number)], [index], kinds)
            for array, (_, shape) in zip(arrays, likes, strict=True):
                array.set_shape(shape)
            return tuple(arrays)

        options = tf.data.Options()
        # There is nothing to tune, and whoever lets go of the stream would now and then wait for
        # the tuning thread, which wakes up 0.6, 1.3, 2.6, 5.1 … seconds after the beginning.
        options.autotune.enabled = False
        batches = tf.data.Dataset.range(len(self)).map(batch).prefetch(BATCHES_AHEAD)
        return batches.with_options(options)

    def holding(self, pixels: Pixels) -> Self:
        """Returns the same batches with other content, such as features of the images."""
        if len(pixels) != len(self.pixels):
            raise ValueError(f"{len(pixels)} rows for {len(self.pixels)} images")
        other = copy.copy(self)
        other.pixels = pixels
        return other

    def _places(self, index: int) -> np.ndarray:
        start = index * self._batch_size
        return np.arange(start, min(start + self._batch_size, len(self.pixels)))


class TrainingBatches(PlainBatches):
    """Images in another order in each epoch, changed at random.

    For `fit`, or `model.fit(batches, shuffle=False)`: Keras's own order of the batches
    cannot be repeated when a training is resumed.

    Attributes:
        next_epoch: the epoch that begins next, counted from 0; set it to resume a training.
    """

    def __init__(
        self,
        pixels: Pixels,
        labels: np.ndarray,
        *,
        batch_size: int,
        changes: Ranges,
        mixup: float,
        class_weights: np.ndarray,
        chances: np.ndarray | None = None,
        seed: int,
    ) -> None:
        """Takes pixels and labels in the same order, and how to change the images.

        `class_weights`, float32 (classes,), weight the loss of an image by its label; by
        `chances`, (n,) adding up to 1, an epoch draws as many images as there are, with
        replacement. Without them it has every image once.
        """
        super().__init__(pixels, labels, classes=len(class_weights), batch_size=batch_size)
        self._changes = changes
        self._mixup = mixup
        self._class_weights = class_weights
        self._chances = chances
        self._seed = seed
        self._epoch = 0
        self._order = self._draw_order()
        self.next_epoch = 0

    @property
    def unchanged(self) -> bool:
        """Whether an image is the same in every epoch."""
        return self._changes == Ranges() and not self._mixup

    def on_epoch_begin(self) -> None:
        """Keras calls it before the first batch of each epoch."""
        self._epoch = self.next_epoch
        self.next_epoch += 1
        self._order = self._draw_order()

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Returns images, labels and weights.

        uint8 (n, size, size, 3), float32 (n, classes) with rows adding up to 1, and
        float32 (n,).
        """
        images, labels = super().__getitem__(index)
        random = np.random.default_rng((self._seed, self._epoch, 1 + index))
        if self._changes != Ranges():
            images = change_images(images, self._changes, random)
        if self._mixup:
            images, labels = mix_pairs(images, labels, self._mixup, random)
        return images, labels, labels @ self._class_weights

    def _places(self, index: int) -> np.ndarray:
        return self._order[super()._places(index)]

    def _draw_order(self) -> np.ndarray:
        random = np.random.default_rng((self._seed, self._epoch, 0))
        if self._chances is None:
            return random.permutation(len(self.pixels))
        return random.choice(len(self.pixels), len(self.pixels), p=self._chances)

    def fit(
        self,
        model: keras.Model,
        *,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        **settings: Any,
    ) -> None:
        """Does what `model.fit(self, shuffle=False)` does, on the faster stream.

        `callbacks` are called after the batches have begun an epoch; `settings` are those of
        `model.fit`.

        Raises:
            CancerNetError: an image cannot be read.
        """
        begins = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self.on_epoch_begin()
        )
        with self.own_errors():
            model.fit(self.stream(), shuffle=False, callbacks=[begins, *callbacks], **settings)


def training_batches(dataset: BuiltDataset, config: TrainConfig) -> TrainingBatches:
    """Returns the training images: shuffled in each epoch, changed at random."""
    return TrainingBatches(
        _pixels(dataset, "training", config),
        dataset.split("training").labels,
        batch_size=config.batch_size,
        changes=random_changes(image_data_generator(config), config),
        mixup=config.mixup,
        class_weights=class_weights(dataset, config).astype(np.float32),
        chances=patient_chances(dataset, config.patient_balance),
        seed=config.seed,
    )


def patient_chances(dataset: BuiltDataset, balance: float) -> np.ndarray | None:
    """Returns each training image's chance to be drawn, 1 / (images of the patient)^balance, (n,).

    None where all are equal.
    """
    if not balance:
        return None
    patients = dataset.split("training").patients
    _, patient, counts = np.unique(patients, return_inverse=True, return_counts=True)
    chances = counts[patient] ** -balance
    return chances / chances.sum()


def class_weights(dataset: BuiltDataset, config: TrainConfig) -> np.ndarray:
    """Returns weights against imbalance, (classes,): largest class's count over each class's.

    An image counts as often as it is drawn on average, so that a network takes all classes for
    equally frequent with balanced patients too. A class without images weighs as much as the
    rarest one. Without `config.class_weights` all are 1.
    """
    if not config.class_weights:
        return np.ones(len(dataset.classes))
    counts = np.bincount(
        dataset.split("training").labels,
        patient_chances(dataset, config.patient_balance),
        minlength=len(dataset.classes),
    )
    return counts.max() / np.maximum(counts, counts[counts > 0].min())


def plain_batches(dataset: BuiltDataset, split: str, config: TrainConfig) -> PlainBatches:
    """Returns the images of a split in the manifest's order, unchanged.

    Raises:
        CancerNetError: an image cannot be decoded into the file that keeps the pixels.
    """
    return PlainBatches(
        _pixels(dataset, split, config),
        dataset.split(split).labels,
        classes=len(dataset.classes),
        batch_size=config.batch_size,
    )


def _pixels(dataset: BuiltDataset, split: str, config: TrainConfig) -> Pixels:
    # A batch has work for one thread; more would take processors from the network.
    cv2.setNumThreads(1)
    cache = config.cache and not config.limit  # the file would hold a part of the split
    return open_pixels(dataset, split, input_of(dataset, config), cache=cache)
