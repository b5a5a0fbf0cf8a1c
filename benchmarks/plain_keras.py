"""The tutorial's recipe in plain Keras 3 without improvements: the yardstick of the training.

    python benchmarks/plain_keras.py datasets/idc [--epochs 3] [--batch-size 32]

Trains on training/ of a built data set, validates on validation/, and prints one JSON
line. Nothing of this project is imported.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from tensorflow.keras.preprocessing.image import ImageDataGenerator

BLOCKS = ((32, 1), (64, 2), (128, 3))
SIDE = 48
RATE = 1e-2
SEED = 7


def make_model(epochs: int = 40) -> keras.Model:
    """Builds and compiles the tutorial's network; input 0-1."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3))])
    for filters, count in BLOCKS:
        for _ in range(count):
            model.add(layers.SeparableConv2D(filters, 3, padding="same"))
            model.add(layers.Activation("relu"))
            model.add(layers.BatchNormalization())
        model.add(layers.MaxPooling2D())
        model.add(layers.Dropout(0.25))
    model.add(layers.Flatten())
    model.add(layers.Dense(256))
    model.add(layers.Activation("relu"))
    model.add(layers.BatchNormalization())
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(2))
    model.add(layers.Activation("softmax"))
    # What Adagrad(lr=0.01, decay=0.01 / epochs) was before Keras 3.
    schedule = keras.optimizers.schedules.InverseTimeDecay(RATE, 1, RATE / epochs)
    optimizer = keras.optimizers.Adagrad(schedule, initial_accumulator_value=0.0)
    model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    return model


def training_images(folder: Path, batch_size: int) -> Any:
    """Returns the tutorial's augmented, shuffled images of <folder>/<class>/."""
    generator = ImageDataGenerator(
        rescale=1 / 255,
        rotation_range=20,
        zoom_range=0.05,
        width_shift_range=0.1,
        height_shift_range=0.1,
        shear_range=0.05,
        horizontal_flip=True,
        vertical_flip=True,
        fill_mode="nearest",
    )
    return _flow(generator, folder, batch_size, shuffle=True)


def plain_images(folder: Path, batch_size: int) -> Any:
    """Returns the images of <folder>/<class>/ in order and unchanged."""
    return _flow(ImageDataGenerator(rescale=1 / 255), folder, batch_size, shuffle=False)


def class_weights(images: Any) -> dict[int, float]:
    """Weighs classes by the largest count over theirs, as the tutorial does."""
    counts = np.bincount(images.classes)
    return {place: float(counts.max() / count) for place, count in enumerate(counts)}


def _flow(generator: Any, folder: Path, batch_size: int, *, shuffle: bool) -> Any:
    with _silence():
        return generator.flow_from_directory(
            folder,
            class_mode="categorical",
            target_size=(SIDE, SIDE),
            color_mode="rgb",
            batch_size=batch_size,
            shuffle=shuffle,
            seed=SEED,
        )


@contextmanager
def _silence() -> Iterator[None]:
    """Keras prints how many images it found."""
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()):
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a built data set")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(SEED)
    training = training_images(arguments.data / "training", arguments.batch_size)
    validation = plain_images(arguments.data / "validation", arguments.batch_size)
    model = make_model(arguments.epochs)
    seconds: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seconds.append(time.perf_counter() - self.started)

    history = model.fit(
        training,
        validation_data=validation,
        class_weight=class_weights(training),
        epochs=arguments.epochs,
        callbacks=[Clock()],
        verbose=0,
    ).history
    images = training.samples + validation.samples
    rate = images / statistics.median(seconds)
    last = {name: round(values[-1], 4) for name, values in history.items()}
    print(json.dumps({"epochs": arguments.epochs, "images_per_second": round(rate), **last}))


if __name__ == "__main__":
    main()
