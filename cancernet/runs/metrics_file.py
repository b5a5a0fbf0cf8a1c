"""`metrics.json` as typed records: the figures of a run, an evaluation or a cross-validation."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
class UnlikeTraining(Record):
    """How many of a split's images are unlike the training images, and their share, 0-1."""

    images: int
    unlike: int
    share: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class WayMetrics(Record):
    """The figures of one way of judging: each patch alone, or in context.

    Attributes:
        validation: figures of the images that chose the operating point.
        testing: figures of images that chose nothing.
        intervals: of "validation" and "testing".
        folds: of a cross-validation.
    """

    validation: Figures
    testing: Figures
    operating_point: OperatingPoint
    intervals: Mapping[str, Intervals]
    folds: tuple[FoldMetrics, ...] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metrics(WayMetrics):
    """The content of `metrics.json`: the figures as the run judges, in context where it does.

    Attributes:
        alone: of a run in context, the figures of each patch alone.
        by_neighbours: of a run in context, calibration and calls of testing by the number of
            neighbours.
        slide_points: of a run in context, patient -> operating point of its slide's own; only of
            nearly complete slides.
        difference: testing in context minus each patch alone; `difference_limits` around it
            resample patients, the same for both.
        unlike_training: split -> how many are of another kind; absent where the run cannot tell.
        warnings: sentences that a reader must see before any figure.
        training: of a run; of a cross-validation its sums; absent in an evaluation.
        subgroups: column -> rows of `subgroup_rows`; of an evaluation.
        predictive_values: at the prevalences that were asked for; of an evaluation.
    """

    calibration: Calibration
    alone: WayMetrics | None = None
    by_neighbours: tuple[NeighbourRow, ...] | None = None
    slide_points: Mapping[str, float] | None = None
    difference: Mapping[str, float] | None = None
    difference_limits: Mapping[str, tuple[float, float]] | None = None
    unlike_training: Mapping[str, UnlikeTraining] | None = None
    warnings: tuple[str, ...] = ()
    training: TrainingFacts | TrainingSums | None = None
    subgroups: Mapping[str, tuple[Mapping[str, object], ...]] | None = None
    predictive_values: tuple[PredictiveRow, ...] | None = None

    def __post_init__(self) -> None:
        if "context" in self.others:
            raise ValueError("`context` was written before the first version")


def metrics_of(
    found: Assessment,
    context: ContextAssessment | None = None,
    folds: Sequence[FoldScores] = (),
) -> Metrics:
    """Returns the figures of an assessment, with the further facts about one in context.

    `folds` are those of a cross-validation.
    """
    metrics = Metrics(
        **_way(found, folds),
        calibration=found.calibration,
        unlike_training=_unlike_training(found.scored) or None,
        warnings=found.warnings,
    )
    if context is None:
        return metrics
    return dataclasses.replace(
        metrics,
        alone=WayMetrics(**_way(context.alone, context.alone_folds)),
        by_neighbours=context.by_neighbours,
        slide_points=context.slide_points,
        difference=context.difference.difference,
        difference_limits=context.difference.limits,
    )


def _unlike_training(scored: Mapping[str, Scored]) -> dict[str, UnlikeTraining]:
    return {
        split: UnlikeTraining(
            images=len(each.paths), unlike=each.unlike, share=each.unlike / len(each.paths)
        )
        for split, each in scored.items()
        if each.unlike is not None
    }


def _way(found: Assessment, folds: Sequence[FoldScores]) -> dict[str, Any]:
    names = ("validation", "testing", "operating_point", "intervals")
    return {name: getattr(found, name) for name in names} | {"folds": _of_folds(folds) or None}


def _of_folds(folds: Sequence[FoldScores]) -> tuple[FoldMetrics, ...]:
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
        raise RunError(
            f"{path} cannot be read ({error}); restore it from a copy or make it again"
        ) from None
