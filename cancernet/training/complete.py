"""From trained weights to a finished run: export, score, judge, write, vouch."""

import dataclasses
import math
import shutil
from pathlib import Path

import keras
import numpy as np

from cancernet.base.errors import RunError
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import BuiltDataset
from cancernet.measures.assess import Assessment, assess, write_predictions
from cancernet.measures.scored import Scored
from cancernet.measures.validation.calibration import Calibration
from cancernet.measures.validation.calibration_fit import fit_calibration
from cancernet.runs import run_folder
from cancernet.runs.metrics_file import METRICS, metrics_of, write_metrics
from cancernet.runs.run_folder import Run
from cancernet.runs.run_record import FINISHED, NetworkFacts, RunRecord, TrainingFacts
from cancernet.scoring.predictor import Failure, Predictor
from cancernet.training.data.batches import plain_batches
from cancernet.training.export import export
from cancernet.training.loop.checkpoint import State

COMPARED_IMAGES = 256
PREDICTIONS = "predictions.csv"
VALIDATION_PREDICTIONS = "validation_predictions.csv"
HISTORY = "history.csv"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finished:
    """What a finished training knows: the assessment, the scores, the content of run.json."""

    assessment: Assessment
    validation: Scored
    testing: Scored
    record: RunRecord


def finish(
    model: keras.Model,
    state: State,
    dataset: BuiltDataset,
    config: TrainConfig,
    folder: Path,
    record: RunRecord,
) -> Finished:
    """Writes models, predictions and metrics; `seal` makes the run count as finished.

    Args:
        model: the plain float32 network with the weights to keep.
        state: the bookkeeping of its training.
        dataset: validation fits the calibration and chooses the operating point, testing is
            scored once.
        config: the settings.
        folder: the run folder.
        record: run.json so far.

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
    network = NetworkFacts(
        name=config.model,
        parameters=int(model.count_params()),
        trainable=int(sum(np.prod(w.shape) for w in model.trainable_weights)),
        onnx_difference=difference,
    )
    record = dataclasses.replace(record, model=network)
    validation = score(Predictor(Run(folder=folder, record=record)), dataset, "validation")
    calibration = _calibrate(validation, dataset, config)
    record = dataclasses.replace(record, calibration=calibration)
    validation = dataclasses.replace(
        validation, probabilities=calibration.apply(validation.probabilities)
    )
    testing = score(Predictor(Run(folder=folder, record=record)), dataset, "testing")
    assessment = assess(
        validation,
        testing,
        classes=dataset.classes,
        words=dataset.words,
        positive=dataset.positive,
        config=config,
        calibration=calibration,
    )
    write_predictions(folder / PREDICTIONS, testing, assessment)
    write_predictions(folder / VALIDATION_PREDICTIONS, validation, assessment)
    training = training_facts(state, dataset)
    write_metrics(folder, dataclasses.replace(metrics_of(assessment), training=training))
    record = dataclasses.replace(
        record,
        finished=run_folder.now(),
        training=training,
        operating_point=assessment.operating_point,
    )
    return Finished(assessment=assessment, validation=validation, testing=testing, record=record)


def seal(folder: Path, record: RunRecord) -> None:
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
    run_folder.write_run_file(folder, dataclasses.replace(record, status=FINISHED, files=files))
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


def training_facts(state: State, dataset: BuiltDataset) -> TrainingFacts:
    """Returns how the training went."""
    images = len(dataset.split("training").paths) * state.epochs
    return TrainingFacts(
        seconds=round(state.seconds, 3),
        cpu_seconds=round(state.cpu_seconds, 3),
        images_per_second=round(images / state.seconds, 1) if state.seconds else math.nan,
        epochs=state.epochs,
        best_epoch=state.best_epoch,
    )


def _some_pixels(dataset: BuiltDataset, config: TrainConfig) -> np.ndarray:
    """The first validation images, for holding ONNX to Keras on real input."""
    found: list[np.ndarray] = []
    batches = plain_batches(dataset, "validation", config)
    for index in range(len(batches)):
        found.append(np.asarray(batches[index][0]))
        if sum(map(len, found)) >= COMPARED_IMAGES:
            break
    return np.concatenate(found)[:COMPARED_IMAGES]
