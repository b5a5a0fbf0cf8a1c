"""Batches as the tutorial streams them: `ImageDataGenerator.flow_from_directory`.

Keras decodes, changes and stacks the images of the class folders itself, and `model.fit`
takes them as they come. It is slower than `cancernet.training.data.batches` and held to
the same meaning: the yardstick of every comparison, and what a class can read along.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from cancernet.base.errors import CancerNetError, SettingsError
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import BuiltDataset
from cancernet.training.data.batches import class_weights, image_data_generator

# What `ImageDataGenerator` has no word for.
_OWN_CHANGES = ("quarter_turns", "color_jitter", "stain_jitter", "mixup")


class StockBatches:
    """The training images as `flow_from_directory` gives them.

    Attributes:
        next_epoch: the epoch that begins next, counted from 0; set it to go on with a
            training.
    """

    def __init__(self, folder: Path, dataset: BuiltDataset, config: TrainConfig) -> None:
        """Opens the class folders.

        Args:
            folder: holds one folder a class with the training images, or links to them.
            dataset: names the classes in order and counts the images.
            config: size, interpolation, batch size, random changes, class weights and seed.

        Raises:
            SettingsError: a setting that the stock generator has no word for.
            CancerNetError: Keras does not take every image.
        """
        check_stock(config)
        self._iterator = image_data_generator(config).flow_from_directory(
            folder,
            target_size=(config.image_size, config.image_size),
            interpolation=config.interpolation,
            classes=list(dataset.classes),
            batch_size=config.batch_size,
            shuffle=True,
            seed=config.seed,
            follow_links=True,
        )
        wanted = len(dataset.split("training").paths)
        if self._iterator.samples != wanted:
            raise CancerNetError(
                f"Keras finds {self._iterator.samples} of the {wanted} training images, because "
                "it goes by the ending of their names; leave out --stream stock"
            )
        self._class_weight = dict(enumerate(class_weights(dataset).tolist()))
        if not config.class_weights:
            self._class_weight = dict.fromkeys(self._class_weight, 1.0)
        self.next_epoch = 0

    def __len__(self) -> int:
        return len(self._iterator)

    def fit_on(
        self, model: keras.Model, *, callbacks: Sequence[keras.callbacks.Callback], **settings: Any
    ) -> None:
        """Runs `model.fit` on the iterator.

        The iterator seeds NumPy anew for every batch, by its count of batches. Setting the
        count at the start of an epoch makes a resumed training draw what it would have drawn.
        """
        begins = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: self._begin())
        model.fit(
            self._iterator,
            shuffle=False,  # the iterator draws the order of the images itself
            class_weight=self._class_weight,
            callbacks=[begins, *callbacks],
            **settings,
        )

    def _begin(self) -> None:
        self._iterator.total_batches_seen = self.next_epoch * len(self._iterator)
        self._iterator.index_array = None  # drawn at the first batch
        self.next_epoch += 1


def check_stock(config: TrainConfig) -> None:
    """Refuses settings that the stock generator, or Keras's own layers, cannot follow.

    Raises:
        SettingsError: a setting has no meaning for the stock stream; the message names it.
    """
    for name in _OWN_CHANGES:
        if getattr(config, name):
            raise SettingsError(
                f"--{name.replace('_', '-')} is not a change that ImageDataGenerator makes; "
                "leave it out, or leave out --stream stock"
            )
    if config.precision not in ("auto", "float32"):
        raise SettingsError(
            f"--stream stock trains Keras's own layers in float32, but --precision is "
            f"{config.precision}; leave one of them out"
        )


@contextlib.contextmanager
def class_folders(dataset: BuiltDataset) -> Iterator[Path]:
    """Gives a folder with one folder a class that holds the training images.

    That of the built data set, as it lies there; where other images train (of a fold, or
    under --limit) a temporary one with links to them.
    """
    paths = dataset.split("training").paths
    built = dataset.folder / "training"
    if dataset.whole is None and _files_below(built) == len(paths):
        yield built
        return
    folder = Path(tempfile.mkdtemp(prefix="cancernet-classes-"))
    try:
        for number, (path, label) in enumerate(
            zip(paths, dataset.split("training").labels, strict=True)
        ):
            place = folder / dataset.classes[label]
            place.mkdir(exist_ok=True)
            source = (dataset.folder / path).resolve()
            _link(source, place / f"{number}{source.suffix}")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _files_below(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder, followlinks=True))


def _link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source)
    except OSError:  # Windows allows links only to administrators
        shutil.copy2(source, target)
