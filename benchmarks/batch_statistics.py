"""What batch normalization's statistics are worth, taken anew when the weights are final.

    python train_model.py --data DATA --run RUN --no-precise-batch-norm
    python benchmarks/batch_statistics.py RUN DATA

Prints the AUC of the testing patches, each alone, of the run as it is and with statistics of
other images: the patients of `--dense` one by one, all others pooled.
"""

import argparse
from pathlib import Path

import numpy as np
from judged import DENSE
from sklearn.metrics import roc_auc_score

from cancernet.dataset.manifest import Part, read_dataset
from cancernet.recipes import recipe
from cancernet.runs.run_folder import MODEL_KERAS, read_run_file
from cancernet.training.data.batches import plain_batches
from cancernet.training.data.pixel_cache import Pixels
from cancernet.training.loop import batch_statistics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="trained with --no-precise-batch-norm")
    parser.add_argument("data", type=Path, help="the data set it was trained on")
    parser.add_argument("--dense", nargs="+", default=DENSE, help="patients judged one by one")
    arguments = parser.parse_args()
    import keras

    config = recipe(read_run_file(arguments.run).recipe)
    dataset = read_dataset(arguments.data)
    part = dataset.split("testing")
    training, testing = (
        plain_batches(dataset, name, config).pixels for name in ("training", "testing")
    )
    images = testing[np.arange(len(testing))]

    def judged(name: str, pixels: Pixels | None = None) -> None:
        model = keras.models.load_model(arguments.run / MODEL_KERAS, compile=False)
        if pixels is not None:
            batch_statistics.retake_statistics(
                model, pixels, batch_size=config.batch_size, seed=config.seed
            )
        scores = model.predict(images.astype(np.float32), batch_size=256, verbose=0)[:, 1]
        print(f"| {name} | {' | '.join(areas(part, scores, arguments.dense))} |", flush=True)

    names = [name for name in arguments.dense if name in part.patients]
    print(f"| | {' | '.join(['others pooled', *names])} |")
    print(f"|---|{'---:|' * (len(names) + 1)}")
    judged("statistics of the training")
    judged("anew, nothing dropped", training)
    judged("of the testing patches, nothing dropped", testing)
    batch_statistics._RANDOM = ()  # every layer drops as in a training
    judged("anew, dropout still on", training)


def areas(part: Part, scores: np.ndarray, dense: list[str]) -> list[str]:
    patients = np.array(part.patients)
    groups = [~np.isin(patients, dense), *(patients == name for name in dense)]
    return [f"{roc_auc_score(part.labels[g], scores[g]):.3f}" for g in groups if g.any()]


if __name__ == "__main__":
    main()
