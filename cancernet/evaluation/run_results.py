"""What a finished run left behind, read back for another look."""

import csv
import dataclasses
from collections.abc import Mapping
from pathlib import Path

from cancernet.base.errors import RunError
from cancernet.measures.assess import judge
from cancernet.measures.pooled import FoldScores
from cancernet.measures.scored import Scored, read_scored
from cancernet.measures.validation.point import OperatingPoint
from cancernet.report.content import Asked, FlowStep, Network
from cancernet.runs import run_folder
from cancernet.runs.run_folder import Run
from cancernet.runs.run_record import Setting

PREDICTIONS = "predictions.csv"
VALIDATION_PREDICTIONS = "validation_predictions.csv"
HISTORY = "history.csv"
SEED = 7  # of a run that does not tell its own


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A finished run with its stored predictions.

    Attributes:
        run: the run.
        validation: scored images that chose the operating point.
        testing: scored images, judged once when the training ended.
        point: the operating point.
    """

    run: Run
    validation: Scored
    testing: Scored
    point: OperatingPoint

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The settings of its training."""
        return self.run.record.config

    @property
    def seed(self) -> int:
        """The seed of its random numbers."""
        seed = self.settings.get("seed")
        return seed if type(seed) is int else SEED


def read_finished(folder: Path) -> FinishedRun:
    """Reads a finished run; the stored predictions are verified against run.json.

    Raises:
        RunError: no finished run, or a file is missing or altered.
    """
    run = run_folder.open_run(folder, check=(PREDICTIONS, VALIDATION_PREDICTIONS))
    if run.record.operating_point is None:
        raise RunError(f"{folder} has no operating point; train it again")
    return FinishedRun(
        run=run,
        validation=_read(folder / VALIDATION_PREDICTIONS, run),
        testing=_read(folder / PREDICTIONS, run),
        point=run.record.operating_point,
    )


def fold_scores(finished: FinishedRun) -> FoldScores:
    """What a cross-validation pools of a fold."""
    run = finished.run
    return FoldScores(
        name=run.name,
        validation=finished.validation,
        testing=finished.testing,
        point=finished.point,
        calibration=run.calibration,
        metrics=judge(
            finished.testing,
            classes=run.classes,
            positive=run.positive,
            threshold=finished.point.threshold,
        ),
    )


def history_of(folder: Path) -> dict[str, list[float]]:
    """Returns measure to its value in every epoch; nothing where there is no such table."""
    try:
        with open(folder / HISTORY, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: [float(row[name]) for row in rows] for name in rows[0]} if rows else {}
    except (OSError, ValueError):
        return {}


def full_name(run: Run) -> str:
    """The run's name; of a fold also that of its cross-validation."""
    if run.record.fold is None:
        return run.name
    return f"{run.folder.resolve().parent.name}, {run.name}"


def flow_of(run: Run) -> list[FlowStep]:
    """The way of the images of the run's own data set."""
    return [
        FlowStep(
            name=name,
            patients=counts.patients,
            images=counts.images,
            positives=counts.positives,
        )
        for name, counts in run.record.dataset.counts.items()
    ]


def asked_of(run: Run, *, judged_on: str) -> Asked:
    """What the run was asked, for a report on the images that it is judged on now."""
    record = run.record
    name = record.model.name if record.model else ""
    return Asked(
        run=full_name(run),
        data_set=f"{record.dataset.name}: {record.dataset.title}",
        recipe=record.recipe,
        network=Network(name=name, width=run.width, height=run.height),
        judged_on=judged_on,
    )


def _read(path: Path, run: Run) -> Scored:
    scored, classes = read_scored(path)
    if classes != run.classes:
        raise RunError(f"{path} has the classes {', '.join(classes)}, not those of its run.json")
    return scored
