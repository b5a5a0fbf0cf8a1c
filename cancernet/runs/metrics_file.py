"""`metrics.json` as typed records: the figures of a run, an evaluation or a cross-validation."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from cancernet.base.errors import RunError
from cancernet.base.files import read_json, write_json
from cancernet.base.records import Record, from_json
from cancernet.context.judge import ContextAssessment, NeighbourRow
from cancernet.measures.assess import Assessment, FoldScores
from cancernet.measures.call_value import PredictiveRow
from cancernet.measures.decisions import Calibration, OperatingPoint
from cancernet.measures.intervals import Intervals
from cancernet.measures.metrics import Figures
from cancernet.measures.scored import Scored
from cancernet.runs.run_record import TrainingFacts

METRICS = "metrics.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoldMetrics(Record):
    """One fold of a cross-validation: who was tested, at which operating point, how well."""

    name: str
    patients: tuple[str, ...]
    operating_point: OperatingPoint
    calibration: Calibration
    testing: Figures


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSums(Record):
    """What the folds of a cross-validation took together."""

    seconds: float
    cpu_seconds: float
    epochs: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContextMetrics(Record):
    """Figures of patches judged with their neighbours; as `Metrics`, which has each alone.

    Attributes:
        by_neighbours: calibration and calls of testing by the number of neighbours.
        difference: testing in context minus each patch alone; `difference_limits` around it
            resample patients, the same for both.
        folds: of a cross-validation.
    """

    validation: Figures
    testing: Figures
    operating_point: OperatingPoint
    intervals: Mapping[str, Intervals]
    by_neighbours: tuple[NeighbourRow, ...]
    difference: Mapping[str, float] = dataclasses.field(default_factory=dict)
    difference_limits: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    folds: tuple[FoldMetrics, ...] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnlikeTraining(Record):
    """How many of a split's images are unlike the training images, and their share, 0-1."""

    images: int
    unlike: int
    share: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metrics(Record):
    """The content of `metrics.json`.

    Attributes:
        validation: figures of the images that chose the operating point.
        testing: figures of images that chose nothing.
        intervals: of "validation" and "testing".
        context: the same with neighbours, where the images have places on a slide.
        unlike_training: split -> how many are of another kind; absent where the run cannot tell.
        warnings: sentences that a reader must see before any figure.
        training: of a run; of a cross-validation its sums; absent in an evaluation.
        folds: of a cross-validation.
        subgroups: column -> rows of `subgroup_rows`; of an evaluation.
        predictive_values: at the prevalences that were asked for; of an evaluation.
    """

    validation: Figures
    testing: Figures
    operating_point: OperatingPoint
    calibration: Calibration
    intervals: Mapping[str, Intervals]
    context: ContextMetrics | None = None
    unlike_training: Mapping[str, UnlikeTraining] | None = None
    warnings: tuple[str, ...] = ()
    folds: tuple[FoldMetrics, ...] | None = None
    training: TrainingFacts | TrainingSums | None = None
    subgroups: Mapping[str, tuple[Mapping[str, object], ...]] | None = None
    predictive_values: tuple[PredictiveRow, ...] | None = None


def metrics_of(found: Assessment, context: ContextAssessment | None = None) -> Metrics:
    """Returns the figures of an assessment, and of that in context where there is one."""
    return Metrics(
        validation=found.validation,
        testing=found.testing,
        operating_point=found.operating_point,
        calibration=found.calibration,
        intervals=found.intervals,
        context=None if context is None else _context_metrics(context),
        unlike_training=_unlike_training(found.scored) or None,
        warnings=found.warnings,
    )


def _unlike_training(scored: Mapping[str, Scored]) -> dict[str, UnlikeTraining]:
    return {
        split: UnlikeTraining(
            images=len(each.paths), unlike=each.unlike, share=each.unlike / len(each.paths)
        )
        for split, each in scored.items()
        if each.unlike is not None
    }


def _context_metrics(found: ContextAssessment) -> ContextMetrics:
    return ContextMetrics(
        validation=found.assessment.validation,
        testing=found.assessment.testing,
        operating_point=found.assessment.operating_point,
        intervals=found.assessment.intervals,
        by_neighbours=found.by_neighbours,
        difference=found.difference.difference,
        difference_limits=found.difference.limits,
        folds=fold_metrics(found.folds) if found.folds else None,
    )


def fold_metrics(folds: Sequence[FoldScores]) -> tuple[FoldMetrics, ...]:
    """Returns the figures of every fold of a cross-validation."""
    return tuple(
        FoldMetrics(
            name=fold.name,
            patients=tuple(fold.patients),
            operating_point=fold.operating_point,
            calibration=fold.calibration,
            testing=fold.metrics,
        )
        for fold in folds
    )


def write_metrics(folder: Path, metrics: Metrics) -> None:
    """Writes `metrics.json` into a folder."""
    write_json(folder / METRICS, metrics)


def read_metrics(folder: Path) -> Metrics:
    """Reads the `metrics.json` of a run, an evaluation or a cross-validation.

    Raises:
        RunError: it is missing or damaged.
    """
    path = folder / METRICS
    try:
        return from_json(Metrics, read_json(path))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); restore it from a copy") from None
