"""The images of a training, by the stream that its settings name.

`fast` is `cancernet.training.data.batches`. `stock` is the tutorial's way: Keras decodes,
changes and stacks the images of the class folders itself, and `model.fit` takes them as
they come. It means the same and takes longer: the yardstick of every comparison.
"""

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from cancernet.base.errors import CancerNetError
from cancernet.config import STOCK, TrainConfig
from cancernet.dataset.manifest import BuiltDataset
from cancernet.training.data.batches import (
    PlainBatches,
    TrainingBatches,
    class_weights,
    image_data_generator,
    plain_batches,
    training_batches,
)


class StockBatches:
    """The training images as `flow_from_directory` gives them.

    Attributes:
        iterator: Keras's own.
        next_epoch: the epoch that begins next, counted from 0; set it to go on with a
            training.
    """

    def __init__(self, dataset: BuiltDataset, config: TrainConfig) -> None:
        """Opens the class folders.

        Args:
            dataset: its training images; where they are not those of its class folders (in a
                fold, or under --limit), a temporary folder of links stands in.
            config: size, interpolation, batch size, random changes, class weights and seed.

        Raises:
            CancerNetError: Keras does not take every image.
        """
        folder, self._links = class_folders(dataset)
        self.iterator = image_data_generator(config).flow_from_directory(
            folder,
            target_size=(config.image_size, config.image_size),
            interpolation=config.interpolation,
            classes=list(dataset.classes),
            batch_size=config.batch_size,
            shuffle=True,
            seed=config.seed,
            follow_links=True,
        )
        if dataset.bits:
            raise CancerNetError(
                f"Keras does not scale values of {dataset.bits} bits; leave out --stream stock"
            )
        wanted = len(dataset.split("training").paths)
        if self.iterator.samples != wanted:
            raise CancerNetError(
                f"Keras finds {self.iterator.samples} of the {wanted} training images, because "
                "it goes by the ending of their names; leave out --stream stock"
            )
        self._class_weight = dict(enumerate(class_weights(dataset, config).tolist()))
        self.next_epoch = 0

    def __len__(self) -> int:
        return len(self.iterator)

    def fit(
        self,
        model: keras.Model,
        *,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        **settings: Any,
    ) -> None:
        """Runs `model.fit` on the iterator.

        The iterator seeds NumPy again for every batch, by its count of batches. Setting the
        count at the start of an epoch makes a resumed training draw what it would have drawn.
        """
        begins = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self.begin_epoch()
        )
        model.fit(
            self.iterator,
            shuffle=False,  # the iterator draws the order of the images itself
            class_weight=self._class_weight,
            callbacks=[begins, *callbacks],
            **settings,
        )

    def begin_epoch(self) -> None:
        """Sets the iterator to the first batch of the next epoch."""
        self.iterator.total_batches_seen = self.next_epoch * len(self.iterator)
        self.iterator.index_array = None  # drawn at the first batch
        self.next_epoch += 1


def class_folders(dataset: BuiltDataset) -> tuple[Path, tempfile.TemporaryDirectory | None]:
    """Returns a folder with one folder a class that holds the training images.

    The second value removes a temporary folder when it is no longer used.
    """
    part = dataset.split("training")
    built = dataset.folder / "training"
    if dataset.whole is None and _files_below(built) == len(part.paths):
        return built, None
    links = tempfile.TemporaryDirectory(prefix="cancernet-classes-")
    for number, (path, label) in enumerate(zip(part.paths, part.labels, strict=True)):
        place = Path(links.name, dataset.classes[label])
        place.mkdir(exist_ok=True)
        source = (dataset.folder / path).resolve()
        _link(source, place / f"{number}{source.suffix}")
    return Path(links.name), links


def _files_below(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder, followlinks=True))


def _link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source)
    except OSError:  # Windows allows links only to administrators
        shutil.copy2(source, target)


@dataclasses.dataclass(frozen=True)
class Batches:
    """The training and validation batches of a training; each stream has its own kinds."""

    training: TrainingBatches | StockBatches
    validation: PlainBatches


def open_batches(dataset: BuiltDataset, config: TrainConfig) -> Batches:
    """Opens the training and validation images.

    Raises:
        CancerNetError: an image cannot be decoded, or the settings do not fit the stream.
    """
    stock = config.stream == STOCK
    training = StockBatches(dataset, config) if stock else training_batches(dataset, config)
    return Batches(training, plain_batches(dataset, "validation", config))
