"""The plain way to use a trained model: load it with Keras, predict. The yardstick.

    python benchmarks/keras_predict.py RUN IMAGE
    python benchmarks/keras_predict.py RUN FOLDER --csv FILE

A folder is read by Keras's own loader, `image_dataset_from_directory`, in batches of
64 (its best of 32, 64, 128 and 256 here).
"""

import argparse
import csv
from pathlib import Path

import keras
import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--batch-size", type=int, default=64)
    arguments = parser.parse_args()
    model = keras.saving.load_model(arguments.run / "model.keras", compile=False)
    size = model.input_shape[1:3]
    if arguments.images.is_file():
        image = keras.utils.load_img(arguments.images, target_size=size, interpolation="bilinear")
        print(model.predict(np.asarray(image)[None].astype("float32"), verbose=0)[0])
        return
    dataset = keras.utils.image_dataset_from_directory(
        arguments.images,
        labels=None,
        image_size=size,
        batch_size=arguments.batch_size,
        shuffle=False,
        verbose=False,
    )
    scores = model.predict(dataset, verbose=0)
    if arguments.csv:
        with open(arguments.csv, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows(zip(dataset.file_paths, *scores.T.tolist(), strict=True))


if __name__ == "__main__":
    main()
