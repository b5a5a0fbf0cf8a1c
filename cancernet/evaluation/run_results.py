"""Reads back the results of a finished run, cross-validation or evaluation."""

import csv
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from cancernet.base.errors import RunError
from cancernet.base.records import Record
from cancernet.context.judge import InContext, pool_in_context, put_in_context
from cancernet.evaluation.trained_on import leak_of
from cancernet.measures.assess import TESTING, VALIDATION, Assessment, FoldScores, ScoreSet
from cancernet.measures.decisions import Calibration, OperatingPoint, Rule
from cancernet.measures.scored import Classes, Scored, read_scored
from cancernet.report.content import (
    Asked,
    Beside,
    FlowStep,
    Network,
    ReportContent,
    TrainingFacts,
)
from cancernet.report.rendering import heat_map_of
from cancernet.runs import run_folder
from cancernet.runs.metrics_file import read_metrics
from cancernet.runs.run_folder import (
    HISTORY,
    PREDICTIONS,
    VALIDATION_PREDICTIONS,
    Run,
    read_finished_folds,
)
from cancernet.runs.run_record import CROSS_VALIDATION, ContextRecord, Setting
from cancernet.scoring.predictor import Predictor

EVALUATION = "evaluation.json"
SEED = 7  # of a run that does not tell its own


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationRecord(Record):
    """The content of `evaluation.json`.

    Attributes:
        run: name of the run that was judged; `run_checksum` of its run.json.
        data: name of the data; `images` says which of them, in words.
        fingerprint: of the run's own data set where its testing images were judged; else empty.
        content: digest of the images with their truth.
        context: how they were judged with their neighbours, where they were.
        left_out: reason -> number of files that were not judged.
        leak: which of these images or patients the run was trained on; empty for none.
        predictions: SHA-256 of `predictions.csv`.
    """

    run: str
    run_checksum: str = ""
    data: str
    images: str = ""
    fingerprint: str
    content: str
    positive: tuple[str, ...]
    operating_point: OperatingPoint
    calibration: Calibration
    context: ContextRecord | None = None
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    leak: str
    drawn: bool
    command: str = ""
    made: str = ""
    predictions: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A finished run with its stored scores, those of each patch alone.

    `model` is an open model of another system; None for a run, whose folder has its own.
    """

    run: Run
    scores: ScoreSet
    model: Predictor | None = None

    def open(self) -> Predictor:
        """Returns what scores images; a run's model is verified here, just before it is used."""
        return self.model or Predictor(run_folder.open_run(self.run.folder))

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The settings of its training."""
        return self.run.record.config

    @property
    def seed(self) -> int:
        """The seed of its random numbers."""
        return seed_of(self.run)

    @property
    def name(self) -> str:
        """The run's name; of a fold also that of its cross-validation."""
        if self.run.record.fold is None:
            return self.run.name
        return f"{self.run.folder.resolve().parent.name}, {self.run.name}"


def classes_of(run: Run) -> Classes:
    """Returns the classes of a run."""
    return Classes(classes=run.classes, words=run.words, positive=run.positive)


def seed_of(run: Run) -> int:
    """Returns the seed of a run's random numbers."""
    seed = run.record.config.get("seed")
    return seed if type(seed) is int else SEED


def read_finished(folder: Path) -> FinishedRun:
    """Reads a finished run; the stored predictions are verified against run.json.

    Raises:
        RunError: no finished run, or a file is missing or altered.
    """
    run = run_folder.open_run(folder, check=(PREDICTIONS, VALIDATION_PREDICTIONS))
    if run.record.operating_point is None:
        raise RunError(f"{folder} has no operating point; train it again")
    tables = {VALIDATION: VALIDATION_PREDICTIONS, TESTING: PREDICTIONS}
    scores = ScoreSet(
        **vars(classes_of(run)),
        scored={
            split: dataclasses.replace(_read(folder / name, run), unlike=_unlike(folder, split))
            for split, name in tables.items()
        },
        operating_point=run.record.operating_point,
        calibration=run.calibration,
    )
    return FinishedRun(run=run, scores=scores)


def in_context(
    scores: ScoreSet, context: ContextRecord | None, rule: Rule | None = None
) -> InContext | None:
    """Puts scores of patches alone in the context that a run recorded.

    Args:
        scores: of each patch alone, calibrated.
        context: as `run.json` or `evaluation.json` has it.
        rule: chooses another operating point on validation; None keeps the record's.

    Returns:
        The scores in context; None without a record, or where no testing image has a place.
    """
    if context is None:
        return None
    return put_in_context(scores, context, rule or context.operating_point, side=context.side)


def pooled_in_context(folds: Sequence[FinishedRun]) -> InContext | None:
    """Puts all folds of a cross-validation together in context; None unless each can be."""
    found = {fold.run.name: in_context(fold.scores, fold.run.record.context) for fold in folds}
    whole = {name: fold for name, fold in found.items() if fold is not None}
    return pool_in_context(whole) if len(whole) == len(folds) else None


def fold_scores(finished: FinishedRun) -> FoldScores:
    """Returns the scores of a fold that a cross-validation pools."""
    return FoldScores(**vars(finished.scores), name=finished.run.name)


def history_of(folder: Path) -> dict[str, list[float]]:
    """Returns measure -> its value in every epoch; empty where the table is missing."""
    try:
        with open(folder / HISTORY, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: [float(row[name]) for row in rows] for name in rows[0]} if rows else {}
    except (OSError, ValueError):
        return {}


def content_of(run: Run, assessment: Assessment, *, title: str, asked: Asked) -> ReportContent:
    """Returns what every report on a finished run shows; the caller says what is its own."""
    record, data, took = run.record, run.record.dataset, run.record.training
    costs = ("seconds", "cpu_seconds", "images_per_second", "epochs")
    return ReportContent(
        title=title,
        assessment=assessment,
        asked=asked,
        flow=[
            FlowStep(name=name, patients=one.patients, images=one.images, positives=one.positives)
            for name, one in data.counts.items()
        ],
        left_out=data.left_out,
        split_method=data.split,
        leak=run.leak,
        drawn=run.drawn,
        history=history_of(run.folder),
        best_epoch=took.best_epoch if took else None,
        training=TrainingFacts(**{name: getattr(took, name) for name in costs} if took else {}),
        command=record.command,
        seed=seed_of(run),
        fingerprint=data.fingerprint,
        settings=record.config,
        versions=record.versions,
        commit=record.commit,
        created=record.finished or "",
        unit=data.unit,
        heat_map=heat_map_of(run.folder),
    )


def asked_of(run: Run, /, **said: str) -> Asked:
    """Returns what was asked of a run's network; `said`, by field, replaces what the record has."""
    record, taken = run.record, run.record.input
    name = record.model.name if record.model else run.name
    told = {"data_set": f"{record.dataset.name}: {record.dataset.title}", **said}
    return Asked(
        recipe=record.recipe,
        network=Network(name=name, width=taken.width, height=taken.height),
        **told,
    )


def read_besides(folders: Sequence[str]) -> tuple[list[Beside], list[str]]:
    """Reads the runs that a report compares with a training (`--beside`).

    Returns:
        Those that can be read, and a sentence on each that no longer can, which is no reason to
        lose a training.
    """
    found, missing = [], []
    for folder in folders:
        try:
            found.append(read_beside(Path(folder)))
        except RunError as error:
            missing.append(f"A run named with --beside is left out: {error}.")
    return found, missing


def read_beside(folder: Path) -> Beside:
    """Reads the testing figures of a finished run or cross-validation.

    Raises:
        RunError: neither, unfinished, or damaged.
    """
    if (folder / CROSS_VALIDATION).is_file():
        folds = read_finished_folds(folder).folds
        split, leak = f"in {len(folds)} folds of whole patients", ""
    else:
        run = read_finished(folder).run
        split, leak = run.record.dataset.split, leak_of(run)
    metrics = read_metrics(folder)
    limits = metrics.intervals[TESTING].limits if TESTING in metrics.intervals else {}
    return Beside(
        name=folder.resolve().name,
        split_method=split,
        leak=leak,
        metrics=metrics.testing,
        limits={name: limits.get(name, (math.nan, math.nan)) for name in metrics.testing},
        in_context=metrics.alone is not None,
    )


def _unlike(folder: Path, split: str) -> int | None:
    """How many images of a split the run found unlike its training images; None if not told."""
    try:
        told = (read_metrics(folder).unlike_training or {}).get(split)
    except RunError:  # the figures are computed again: nothing else is taken from the file
        return None
    return told.unlike if told else None


def _read(path: Path, run: Run) -> Scored:
    scored, classes = read_scored(path)
    if classes != run.classes:
        raise RunError(f"{path} has the classes {', '.join(classes)}, not those of its run.json")
    return scored
