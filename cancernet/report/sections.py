"""What the sections of a report show, computed; the templates find the words."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from cancernet.config import SPLITS
from cancernet.measures.patients import PatientMetrics, patient_metrics, patient_scores
from cancernet.measures.pooled import FoldScores, spread_over_folds
from cancernet.measures.reliability import CalibrationFigures, calibration_metrics
from cancernet.measures.resampling.predictive_values import PredictiveRow, predictive_rows
from cancernet.measures.validation.calibration import scale
from cancernet.measures.validation.threshold_spread import ThresholdSpread, threshold_spread
from cancernet.report.content import FlowStep, ReportContent
from cancernet.report.figures.decision_curve import decision_curve

PREVALENCES = (0.01, 0.05, 0.2, 0.5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataFlow:
    """The way of the images.

    Attributes:
        found: files found, with those left out; None where nothing says.
        lost: files left out.
        splits: training, validation and testing.
        others: what is neither.
    """

    found: int | None
    lost: int
    splits: list[FlowStep]
    others: list[FlowStep]


def data_flow(content: ReportContent) -> DataFlow:
    """Sorts the steps, and adds up what was found."""
    splits = [step for step in content.flow if step.name in SPLITS]
    lost = sum(content.left_out.values())
    used = sum(step.images or 0 for step in splits)
    return DataFlow(
        found=lost + used if splits and lost else None,
        lost=lost,
        splits=splits,
        others=[step for step in content.flow if step.name not in SPLITS],
    )


def operating_point_spread(content: ReportContent) -> ThresholdSpread:
    """Returns how far the threshold would have moved with other validation patients."""
    truth, score = content.positives(content.validation)
    return threshold_spread(
        truth,
        score,
        content.validation.patients,
        rule=content.assessment.operating_point.rule_name,
        target_sensitivity=content.setting("target_sensitivity"),
        cost_ratio=content.setting("cost_ratio"),
        seed=content.seed,
    )


def calibrations(content: ReportContent) -> dict[str, CalibrationFigures]:
    """Returns the calibration of both splits, and of testing before the correction."""
    fit, testing = content.assessment.calibration, content.testing
    columns = {"testing": testing}
    if fit.method == "temperature":
        before = scale(testing.probabilities, 1 / fit.temperature)
        columns["testing before"] = dataclasses.replace(testing, probabilities=before)
    columns["validation"] = content.validation
    return {
        title: calibration_metrics(*content.positives(split), seed=content.seed)
        for title, split in columns.items()
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decisions:
    """What a call is worth.

    Attributes:
        useful: (lowest, highest) threshold at which the network is better than acting on
            everybody and on nobody; NaN where there is none.
        rows: of `predictive_rows`.
    """

    useful: tuple[float, float]
    rows: list[PredictiveRow]


def decisions(content: ReportContent) -> Decisions:
    """Returns the range of the decision curve, and predictive values at other prevalences."""
    truth, score = content.positives(content.testing)
    prevalences = sorted({*PREVALENCES, float(truth.mean()), *content.prevalences})
    return Decisions(
        useful=decision_curve(truth, score).useful_range(),
        rows=predictive_rows(
            truth,
            score,
            content.threshold,
            content.testing.patients,
            prevalences,
            seed=content.seed,
        ),
    )


def patients_as_units(content: ReportContent) -> PatientMetrics:
    """Returns how well one score a patient ranks the patients; `patient_metrics`."""
    truth, score = content.positives(content.testing)
    found = patient_scores(truth, score, content.threshold, content.testing.patients)
    return patient_metrics(found, seed=content.seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoldRow:
    """One fold of a cross-validation and the patients it tested, by name."""

    scores: FoldScores
    patients: list[str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoldMean:
    """One figure over the folds.

    Attributes:
        words: what a reader calls it.
        mean: over the folds where it is defined.
        spread: standard deviation over these.
        defined: how many they are.
        pooled: the figure of all folds together.
    """

    words: str
    mean: float
    spread: float
    defined: int
    pooled: float


def fold_rows(folds: Sequence[FoldScores]) -> list[FoldRow]:
    """Returns each fold with its patients."""
    return [FoldRow(scores=fold, patients=sorted(set(fold.testing.patients))) for fold in folds]


def fold_means(content: ReportContent) -> list[FoldMean]:
    """Returns AUC and balanced accuracy over the folds, beside the pooled ones."""
    found = []
    for name, words in (("roc_auc", "AUC"), ("balanced_accuracy", "balanced accuracy")):
        mean, spread, defined = spread_over_folds(content.folds, name)
        pooled = content.assessment.testing[name]
        found.append(
            FoldMean(words=words, mean=mean, spread=spread, defined=defined, pooled=pooled)
        )
    return found


def training_rows(content: ReportContent) -> dict[str, Any]:
    """Returns what the training took, by label; what is not known is left out."""
    took = content.training
    rows = {
        "trained": took.finished,
        "seconds": took.seconds,
        "CPU seconds": took.cpu_seconds,
        "images per second": took.images_per_second,
        "epochs": took.epochs,
        "epoch kept": content.best_epoch,
        "machine": took.machine,
    }
    return {label: value for label, value in rows.items() if value not in (None, "")}
