"""From trained weights to a finished run: export, score, judge, write, vouch."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cancernet.base.errors import RunError
from cancernet.base.files import write_json
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import BuiltDataset
from cancernet.measures.assess import Assessment, assess, write_predictions
from cancernet.measures.classes import Classes
from cancernet.measures.scored import Scored
from cancernet.measures.validation.calibration import Calibration
from cancernet.measures.validation.calibration_fit import fit_calibration
from cancernet.runs import run_folder
from cancernet.scoring.predictor import Failure, Predictor
from cancernet.training.data.batches import plain_batches
from cancernet.training.export import export
from cancernet.training.loop.checkpoint import State

COMPARED_IMAGES = 256
PREDICTIONS = "predictions.csv"
VALIDATION_PREDICTIONS = "validation_predictions.csv"
METRICS = "metrics.json"
HISTORY = "history.csv"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finished:
    """What a finished training knows: the assessment, the scores, run.json's content."""

    assessment: Assessment
    validation: Scored
    testing: Scored
    content: dict[str, Any]


def finish(
    model: keras.Model,
    state: State,
    dataset: BuiltDataset,
    config: TrainConfig,
    folder: Path,
    content: dict[str, Any],
) -> Finished:
    """Writes models, predictions and metrics; `seal` makes the run count as finished.

    Args:
        model: the plain float32 network with the weights to keep.
        state: the bookkeeping of its training.
        dataset: validation fits the calibration and chooses the operating point, testing is
            scored once.
        config: the settings.
        folder: the run folder.
        content: run.json so far.

    Raises:
        RunError: the ONNX model does not agree with the Keras model, or an image that
            the data set names can no longer be read.
    """
    difference = export(
        model,
        folder / run_folder.MODEL_KERAS,
        folder / run_folder.MODEL_ONNX,
        _some_pixels(dataset, config),
    )
    content = {
        **content,
        "model": {
            "name": config.model,
            "parameters": int(model.count_params()),
            "trainable": int(sum(np.prod(w.shape) for w in model.trainable_weights)),
            "onnx_difference": difference,
        },
    }
    validation = score(Predictor(run_folder.as_run(folder, content)), dataset, "validation")
    calibration = _calibrate(validation, dataset, config)
    content = {**content, "calibration": calibration.as_dict()}
    validation = dataclasses.replace(
        validation, probabilities=calibration.apply(validation.probabilities)
    )
    testing = score(Predictor(run_folder.as_run(folder, content)), dataset, "testing")
    assessment = assess(
        validation,
        testing,
        Classes(classes=dataset.classes, words=dataset.words, positive=dataset.positive),
        config=config,
        calibration=calibration,
    )
    write_predictions(folder / PREDICTIONS, testing, assessment)
    write_predictions(folder / VALIDATION_PREDICTIONS, validation, assessment)
    training = training_facts(state, dataset)
    write_json(folder / METRICS, {**assessment.as_dict(), "training": training})
    content = {
        **content,
        "finished": run_folder.now(),
        "training": training,
        "operating_point": assessment.operating_point.as_dict(),
    }
    return Finished(assessment=assessment, validation=validation, testing=testing, content=content)


def seal(folder: Path, content: dict[str, Any]) -> None:
    """Writes the final run.json with the hashes of the run's files; drops the checkpoint."""
    names = [
        run_folder.MODEL_KERAS,
        run_folder.MODEL_ONNX,
        METRICS,
        PREDICTIONS,
        VALIDATION_PREDICTIONS,
        HISTORY,
    ]
    files = run_folder.vouch_for(folder, names)
    run_folder.write_run_file(folder, {**content, "status": "finished", "files": files})
    shutil.rmtree(folder / run_folder.CHECKPOINT, ignore_errors=True)


def score(predictor: Predictor, dataset: BuiltDataset, split: str) -> Scored:
    """Scores every image of a split from its file, as predict.py would.

    Raises:
        RunError: an image can no longer be read.
    """
    from tqdm import tqdm

    part = dataset.split(split)
    paths = [dataset.folder / path for path in part.paths]
    rows = []
    results = predictor.predict_many(paths)
    for result in tqdm(results, f"Scoring {split}", len(paths), unit=" images", disable=None):
        if isinstance(result, Failure):
            raise RunError(
                f"{result.path} of the data set: {result.error}; build the data set again, then "
                "`python train_model.py --resume` finishes this run"
            )
        rows.append(list(result.probabilities.values()))
    return Scored(
        paths=part.paths,
        patients=part.patients,
        truth=part.labels,
        probabilities=np.array(rows, dtype=np.float64),
    )


def _calibrate(validation: Scored, dataset: BuiltDataset, config: TrainConfig) -> Calibration:
    return fit_calibration(
        validation.truth,
        validation.probabilities,
        method=config.calibration,
        positive=dataset.classes.index(dataset.positive[0]),
        patients=validation.patients,
    )


def training_facts(state: State, dataset: BuiltDataset) -> dict[str, float]:
    """What `metrics.json` says of the training itself."""
    images = len(dataset.split("training").paths) * state.epochs
    return {
        "seconds": round(state.seconds, 3),
        "cpu_seconds": round(state.cpu_seconds, 3),
        "images_per_second": round(images / state.seconds, 1) if state.seconds else float("nan"),
        "epochs": state.epochs,
        "best_epoch": state.best_epoch,
    }


def _some_pixels(dataset: BuiltDataset, config: TrainConfig) -> np.ndarray:
    """The first validation images, for holding ONNX to Keras on real input."""
    found: list[np.ndarray] = []
    batches = plain_batches(dataset, "validation", config)
    for index in range(len(batches)):
        found.append(np.asarray(batches[index][0]))
        if sum(map(len, found)) >= COMPARED_IMAGES:
            break
    return np.concatenate(found)[:COMPARED_IMAGES]
