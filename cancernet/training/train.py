"""One training, from data to sealed run: `train` reads top to bottom."""

import contextlib
import dataclasses
import functools
import logging
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from cancernet.appearance.fit import Files, describe_files
from cancernet.base.console import progress_bar, typed
from cancernet.base.errors import RunError, describe_os_error
from cancernet.base.parallel import Start
from cancernet.context.judge import assess_judged
from cancernet.dataset.manifest import BuiltDataset
from cancernet.measures.assess import choose_point
from cancernet.measures.calibration import fit_calibration
from cancernet.measures.decisions import Calibration, rule_of
from cancernet.measures.scored import Classes, Scored, added_up
from cancernet.planning.begin import begin, held, open_dataset, refuse_used
from cancernet.planning.plan import Finished, Plan, State, Training
from cancernet.planning.resume import resumed
from cancernet.runs import run_folder
from cancernet.runs.metrics_file import METRICS, metrics_of, write_metrics
from cancernet.runs.run_folder import HISTORY, PREDICTIONS, VALIDATION_PREDICTIONS, Run
from cancernet.runs.run_record import FINISHED, FirstWeights, RunRecord, TrainingFacts
from cancernet.scoring.prediction import Failure
from cancernet.scoring.predictor import Predictor, prepare
from cancernet.training.context_fit import judge_in_context
from cancernet.training.data.batches import class_weights, plain_batches
from cancernet.training.data.streams import Batches, open_batches
from cancernet.training.export import export
from cancernet.training.loop.batch_statistics import retake_statistics
from cancernet.training.loop.distributed import Workers, scratch_folder
from cancernet.training.loop.fit import best_so_far, fit
from cancernet.training.network import first_network
from cancernet.training.report import write_pictures_and_report

_log = logging.getLogger(__name__)


def train(
    plan: Plan, workers: Workers | None = None, start: Start = functools.partial
) -> Finished | None:
    """Trains one network and seals its run folder.

    Args:
        plan: what is asked for: a new run, or to resume one.
        workers: the processes or devices that train it together, or None for one.
        start: begins what can be done beside this process.

    Returns:
        The results; None in every worker but the first, which writes the run.

    Raises:
        CancerNetError: the data, the settings, the weights or the folder cannot be used.
        StoppedError: the user pressed Ctrl-C; the last complete epoch is kept.
    """
    dataset = open_dataset(plan.data, plan.config)
    plan = plan.for_images(len(dataset.split("training").paths))
    training = Training(plan.folder, dataset, plan.config)
    # Before there is a folder: weights that cannot be had must not leave one behind.
    new = None if plan.resume else first_network(plan.config, len(dataset.classes))
    network, weights = new or (None, None)
    if workers and not workers.is_first:
        _follow(workers, training, network)
        return None
    with opened(plan, training, weights) as record, _advice_on_disk_errors(plan.folder):
        appearance = start(describe_files, *image_files(training), seed=plan.config.seed)
        batches = open_batches(dataset, plan.config)
        model, state = trained(plan, training, batches, network, workers)
        facts = export(model, training, batches.validation)
        record = dataclasses.replace(record, model=facts, appearance=appearance())
        validation, calibration = calibrated(score(training, record, "validation"), training)
        record = dataclasses.replace(record, calibration=calibration)
        alone = choose_point(
            validation,
            score(training, record, "testing"),  # once; nothing is chosen by it
            Classes(classes=dataset.classes, words=dataset.words, positive=dataset.positive),
            rule=rule_of(vars(plan.config)),
            calibration=calibration,
        )
        found = judge_in_context(
            training, alone, lambda rows: score(training, record, "training", rows)
        )
        assessment, context = assess_judged(found[1] if found else alone, seed=plan.config.seed)
        record = dataclasses.replace(
            record,
            context=found and found[0],
            finished=run_folder.now(),
            training=training_facts(state, dataset),
            operating_point=alone.operating_point,
        )
        finished = Finished(
            training=training, state=state, assessment=assessment, record=record, context=context
        )
        write_results(finished)
        write_pictures_and_report(finished, model, start)
        seal(plan.folder, record)
    return finished


def image_files(training: Training) -> tuple[Files, Files]:
    """Returns the files of training and of validation, as the network takes them in."""
    first, second = (
        Files(
            folder=training.dataset.folder,
            paths=part.paths,
            patients=part.patients,
            prepare=functools.partial(prepare, scaling=training.input),
        )
        for part in map(training.dataset.split, ("training", "validation"))
    )
    return first, second


def trained(
    plan: Plan,
    training: Training,
    batches: Batches,
    network: keras.Model | None,
    workers: Workers | None,
) -> tuple[keras.Model, State]:
    """Runs the epochs, or takes the best so far; returns the final network and their record."""
    if plan.resume and plan.resume.finish_now:
        model, state = best_so_far(training)
    else:
        model, state = fit(training, batches, network, logs=plan.logs, workers=workers)
    if plan.config.precise_batch_norm:
        images = plain_batches(training.dataset, "training", plan.config).pixels
        used = retake_statistics(
            model, images, batch_size=plan.config.batch_size, seed=plan.config.seed
        )
        if used:
            _log.info(
                "Batch normalization: statistics computed again on %s training images; the epoch "
                "figures above were computed before this, all later figures after it",
                f"{used:,}",
            )
    return model, state


@contextlib.contextmanager
def opened(plan: Plan, training: Training, weights: FirstWeights | None) -> Iterator[RunRecord]:
    """Holds the run folder, begun or resumed; gives its run.json."""
    if plan.resume is None:
        refuse_used(plan.folder)
    with held(plan.folder):
        what = f"{plan.config.model} on {training.dataset.folder}"
        if plan.resume is None:
            assert weights is not None
            record = begin(training, plan, weights)
            lines = (f"Run {plan.folder}: {what}", plan.settings_words())
            said = "\n".join([*filter(None, lines), f"First weights: {weights.words()}"])
        else:
            record = resumed(training, plan.resume)
            said = f"Resuming {plan.folder}: {what}"
        dataset, warnings = training.dataset, []
        if plan.fold is None:
            _log.info(said)
            warnings = [f"not the same training: {each}" for each in record.differences or ()]
        if plan.fold is None or plan.fold.number == 1:  # folds have the data in common
            drawn = "the images are drawn by a program; figures from them mean nothing for tissue"
            warnings += [drawn * dataset.drawn, dataset.leak, *dataset.warnings]
        for warning in filter(None, warnings):
            _log.warning(warning)
        yield record


@contextlib.contextmanager
def _advice_on_disk_errors(folder: Path) -> Iterator[None]:
    """Adds to an error of the operating system how to resume the run."""
    try:
        yield
    except OSError as error:
        whole = run_folder.whole_of(folder)
        raise RunError(
            f"{describe_os_error(error)}: `{typed('train')} --resume --run {whole}`"
        ) from None


def _follow(workers: Workers, training: Training, network: keras.Model | None) -> None:
    """Trains with the others and writes nothing: the first worker finishes the run."""
    with scratch_folder(training.folder) as scratch:
        own = dataclasses.replace(training, folder=scratch)
        fit(own, open_batches(own.dataset, own.config), network, workers=workers)
    _log.info("The epochs are over; the first worker writes %s", training.folder)


def score(
    training: Training, record: RunRecord, split: str, rows: np.ndarray | None = None
) -> Scored:
    """Scores the images of a split, or those rows of it, as predict.py would with this run.json.

    Raises:
        RunError: an image can no longer be read.
    """
    part = training.dataset.split(split)
    part = part if rows is None else part.at(rows)
    paths = [training.dataset.folder / path for path in part.paths]
    results = Predictor(Run(folder=training.folder, record=record)).predict_many(paths)
    probabilities, unlike = [], []
    for result in progress_bar(results, title=f"Scoring {split}", total=len(paths)):
        if isinstance(result, Failure):
            raise RunError(
                f"{result.path} of the data set: {result.error}; build the data set again, then "
                f"`{typed('train')} --resume` finishes this run"
            )
        probabilities.append(list(result.probabilities.values()))
        unlike.append(result.unlike_training)
    return Scored(
        paths=part.paths,
        patients=part.patients,
        truth=part.labels,
        probabilities=np.array(probabilities, dtype=np.float64),
        unlike=added_up(unlike),
    )


def calibrated(scored: Scored, training: Training) -> tuple[Scored, Calibration]:
    """Fits the calibration on validation; returns validation with corrected probabilities.

    What class weights did is known and taken out without a fit. The temperature is fitted as if
    there were none, so that no call of two classes changes (benchmarks/QUALITY.md, "Class weights
    taken out").
    """
    calibration = fit_calibration(
        scored.truth,
        scored.probabilities,
        method=training.config.calibration,
        positive=training.positive[0],
        patients=scored.patients,
    )
    if training.config.class_weights and training.config.calibration == "temperature":
        counts = 1 / class_weights(training.dataset, training.config)
        shares = tuple((counts / counts.sum()).tolist())
        calibration = dataclasses.replace(calibration, shares=shares)
    corrected = calibration.apply(scored.probabilities)
    return dataclasses.replace(scored, probabilities=corrected), calibration


def write_results(finished: Finished) -> None:
    """Writes the predictions of both splits, and metrics.json."""
    folder, assessment, context = finished.training.folder, finished.assessment, finished.context
    for name, split in ((PREDICTIONS, "testing"), (VALIDATION_PREDICTIONS, "validation")):
        assessment.write(folder / name, split, context.columns(split) if context else None)
    metrics = metrics_of(assessment, context)
    metrics = dataclasses.replace(metrics, training=finished.record.training)
    write_metrics(folder, metrics)


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
