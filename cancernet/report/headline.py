"""The figures that head every account of a run: page, model card, terminal."""

import dataclasses

import numpy as np

from cancernet.measures.assess import Assessment
from cancernet.measures.class_measures import ClassRow, class_table
from cancernet.report.content import ReportContent


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadlineFigure:
    """One figure of testing, with its interval and what it was on validation.

    Attributes:
        name: as in `metrics.json`.
        words: what a reader calls it.
        value: on testing; NaN where undefined.
        limits: (low, high) of it, NaN where there are none.
        validation: the same figure on validation.
    """

    name: str
    words: str
    value: float
    limits: tuple[float, float]
    validation: float


def headline(assessment: Assessment) -> list[HeadlineFigure]:
    """Returns the headline figures in the order of `metrics.json`."""
    words = {
        "accuracy": "accuracy",
        "sensitivity": f"sensitivity (recall of {assessment.positive_word})",
        "specificity": f"specificity (recall of {assessment.negative_word})",
        "balanced_accuracy": "balanced accuracy",
        "precision": f"precision (share of {assessment.positive_word} calls that are right)",
        "f1": "F1",
        "mcc": "Matthews correlation",
        "roc_auc": "AUC (area under the ROC curve)",
        "pr_auc": "average precision (precision-recall curve)",
        "brier": "Brier score (0 is best)",
    }
    limits = assessment.intervals["testing"].limits
    return [
        HeadlineFigure(
            name=name,
            words=text,
            value=assessment.testing[name],
            limits=limits[name],
            validation=assessment.validation[name],
        )
        for name, text in words.items()
    ]


def two_sides(assessment: Assessment) -> list[ClassRow]:
    """Returns the measures of the negative and the positive side at the operating point."""
    cells = assessment.testing["confusion_matrix"]
    counts = np.array([[cells["tn"], cells["fp"]], [cells["fn"], cells["tp"]]])
    return class_table(counts, (assessment.negative_word, assessment.positive_word)).classes


def asked_rows(content: ReportContent) -> dict[str, str]:
    """Returns what was asked of which network on which data, by label."""
    asked, assessment, network = content.asked, content.assessment, content.asked.network
    size = f"{network.name}, {network.width}x{network.height} pixels"
    if network.parameters is not None:
        size += f", {network.parameters:,} parameters"
    rows = {"run": asked.run} if asked.run else {}
    rows["trained on" if asked.run else "data set"] = asked.data_set
    if content.folds:
        rows["cross-validation"] = (
            f"{len(content.folds)} folds of whole patients (--folds {asked.folds_asked})"
        )
    named = zip(assessment.classes, assessment.words, strict=True)
    rows |= {
        "classes": "; ".join(f"{name} = {word}" for name, word in named),
        "positive": assessment.positive_words,
        "recipe": asked.recipe,
        "network": size,
    }
    return rows | ({"judged on": asked.judged_on} if asked.judged_on else {})


def chosen_on_validation(content: ReportContent) -> list[str]:
    """Returns what validation decided in this training."""
    assessment = content.assessment
    chosen = {
        "the epoch": content.setting("monitor") != "last",
        "the calibration": bool(content.folds) or assessment.calibration.method != "none",
        "the operating point": assessment.operating_point.rule_name != "fixed",
    }
    return [name for name, is_so in chosen.items() if is_so]
