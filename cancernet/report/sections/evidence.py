"""The sections of a report that reviewers ask for beyond the headline figures.

Spread of the operating point, calibration, decision curve, other prevalences, patients
as units.
"""

import dataclasses

import numpy as np

from cancernet.measures import scored as scores
from cancernet.measures.patients import patient_metrics, patient_scores
from cancernet.measures.predictive_values import predictive_rows
from cancernet.measures.reliability import calibration_metrics
from cancernet.measures.scored import Scored
from cancernet.measures.validation.calibration import scale
from cancernet.measures.validation.threshold_spread import threshold_spread
from cancernet.report import html as pieces
from cancernet.report.content import ReportContent
from cancernet.report.figures.decision_curve import decision_curve
from cancernet.report.figures.run import embedded
from cancernet.report.html import decimal
from cancernet.report.terminal import interval

PREVALENCES = (0.01, 0.05, 0.2, 0.5)


def operating_point_spread(content: ReportContent) -> str:
    """How far the threshold would have moved with other validation patients."""
    truth, score = _positives(content, content.validation)
    found = threshold_spread(
        truth,
        score,
        content.validation.patients,
        rule=content.assessment.operating_point.rule_name,
        target_sensitivity=float(content.settings.get("target_sensitivity", 0.95)),
        cost_ratio=float(content.settings.get("cost_ratio", 5.0)),
        seed=content.seed,
    )
    if found.note:
        return pieces.paragraph(f"Spread of the operating point: none given. {found.note}")
    sentence = (
        f"With other validation patients the same rule would have chosen another threshold: in "
        f"95 % of {found.resamples} resamples of the patients one between "
        f"{found.threshold[0]:.4g} and {found.threshold[1]:.4g}, which on this validation set "
        f"means a sensitivity of {found.sensitivity[0]:.3f} to {found.sensitivity[1]:.3f} and a "
        f"specificity of {found.specificity[0]:.3f} to {found.specificity[1]:.3f}."
    )
    return pieces.paragraph(sentence)


def calibration(content: ReportContent) -> str:
    """Calibration figures of both splits, and what the correction changed on testing."""
    fit = content.assessment.calibration
    columns = {"testing": content.testing, "validation": content.validation}
    if fit.method == "temperature":
        columns = {
            "testing": content.testing,
            "testing before": _before(content.testing, fit.temperature),
            "validation": content.validation,
        }
    found = [
        calibration_metrics(*_positives(content, split), seed=content.seed)
        for split in columns.values()
    ]
    rows = [
        (words, *(decimal(metrics[name]) for metrics in found))
        for name, words in (
            ("brier", "Brier score (0 is best)"),
            ("log_loss", "log loss (0 is best)"),
            ("ece", "expected calibration error"),
            ("ece_if_perfect", "— mean of it under perfect calibration"),
            ("ece_if_perfect_95", "— 95th percentile of it under perfect calibration"),
            ("in_the_large", "calibration in the large (0 is right)"),
            ("slope", "calibration slope (1 is right, less is too sure)"),
        )
    ]
    words = "each fold's own, in the table of folds" if content.folds else fit.words
    note = "" if content.folds else fit.note
    sentence = (
        f"Correction: {words}. Every probability in this report, in predictions.csv and of "
        f"predict.py has had it; the operating point is on the same scale. {note}"
    )
    return pieces.section(
        "Calibration",
        pieces.paragraph(sentence),
        pieces.table(("figure", *columns), rows),
        pieces.paragraph(found[0].note, muted=True),
    )


def decisions(content: ReportContent) -> str:
    """Decision curve and predictive values at other prevalences."""
    truth, score = _positives(content, content.testing)
    threshold = content.threshold
    curve = decision_curve(truth, score)
    low, high = curve.useful_range()
    sentence = "On testing, acting on the score beats acting on everybody and on nobody "
    sentence += f"from {low:.2f} to {high:.2f}." if low == low else "at no threshold."
    rows = [
        (
            f"{100 * row['prevalence']:.3g}%",
            decimal(row["positive_predictive_value"]),
            interval(*row["positive_limits"]),
            decimal(row["negative_predictive_value"]),
            interval(*row["negative_limits"]),
            decimal(row["calls_per_hundred"], 1),
        )
        for row in predictive_rows(
            truth,
            score,
            threshold,
            content.testing.patients,
            sorted({*PREVALENCES, float(truth.mean()), *content.prevalences}),
            seed=content.seed,
        )
    ]
    header = (
        "prevalence",
        "right if positive",
        "95 %",
        "right if negative",
        "95 %",
        "calls in 100",
    )
    return pieces.section(
        "What a call is worth",
        embedded(
            content, "decision_curve", "Decision curve on testing. It presumes calibrated scores."
        ),
        pieces.paragraph(sentence),
        "<h3>Predictive values where positives are rarer or more frequent</h3>",
        pieces.table(header, rows),
        pieces.paragraph(
            "They carry sensitivity and specificity over, as if positives and negatives looked "
            "alike there.",
            muted=True,
        ),
    )


def patient_level(content: ReportContent) -> str:
    """How well one score a patient ranks the patients."""
    truth, score = _positives(content, content.testing)
    threshold = content.threshold
    found = patient_metrics(
        patient_scores(truth, score, threshold, content.testing.patients), seed=content.seed
    )
    rows = [
        (name, decimal(row["roc_auc"]), interval(*row["limits"]))
        for name, row in found.scores.items()
    ]
    error = found["area_error"]
    sentence = (
        f"{found['positive_patients']} of {found['patients']} testing patients have a positive "
        f"image. The share of images called positive misses the true share by "
        f"{error['mean_absolute']:.3f} on average (bias {error['mean']:+.3f})."
    )
    return pieces.section(
        "Patients as units",
        pieces.paragraph(sentence),
        pieces.paragraph(found.note)
        if found.note
        else pieces.table(("score of a patient", "AUC over patients", "95 % interval"), rows),
    )


def _before(split: Scored, temperature: float) -> Scored:
    """The probabilities as the network gave them: the correction undone."""
    return dataclasses.replace(split, probabilities=scale(split.probabilities, 1 / temperature))


def _positives(content: ReportContent, split: Scored) -> tuple[np.ndarray, np.ndarray]:
    columns = content.assessment.positive_indices
    return (
        scores.positive_truth(split, columns),
        scores.positive_score(split.probabilities, columns),
    )
