"""Figures of classified images: the positive classes against the rest.

An undefined ratio is NaN, never 0: a sensitivity of 0 says that every positive was
missed, which is not the same as that there was none.
"""

import dataclasses
from typing import Any

import numpy as np

from cancernet.measures import checks
from cancernet.measures.figures import ConfusionMatrix, Figures
from cancernet.measures.ranking import areas, rank


def binary_metrics(truth: Any, score: Any, threshold: Any, *, patients: Any = None) -> Figures:
    """Judges the scores of positives against the rest; positive iff score >= threshold.

    Args:
        truth: (images,) 1 or True for positive, 0 or False for the rest.
        score: (images,) probability of being positive, 0-1.
        threshold: 0-1; one, or (images,) one for each.
        patients: (images,) name of every image's patient; only counted here.

    Raises:
        ValueError: shapes that differ, values that are not numbers or outside 0-1.
    """
    truth = checks.check_truth(truth)
    score = checks.check_score(score, len(truth))
    matrix = confusion_counts(truth, score >= checks.check_threshold(threshold))
    counts = (np.float64(count) for count in dataclasses.astuple(matrix))
    ratios = {name: float(value) for name, value in count_metrics(*counts).items()}
    roc_auc, average_precision = areas(rank(truth, score))
    of_patients = None if patients is None else checks.check_patients(patients, len(truth))[0]
    return Figures(
        images=len(truth),
        patients=None if of_patients is None else len(of_patients),
        accuracy=ratios["accuracy"],
        sensitivity=ratios["sensitivity"],
        specificity=ratios["specificity"],
        balanced_accuracy=ratios["balanced_accuracy"],
        precision=ratios["precision"],
        f1=ratios["f1"],
        mcc=ratios["mcc"],
        roc_auc=roc_auc,
        pr_auc=average_precision,
        brier=float(np.mean((score - truth) ** 2)),
        confusion_matrix=matrix,
    )


def confusion_counts(truth: np.ndarray, called: np.ndarray) -> ConfusionMatrix:
    """Counts truth 0/1 and calls True/False, both of shape (images,)."""
    return ConfusionMatrix(*map(int, np.bincount(2 * truth + called, minlength=4)))


def confusion_table(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Returns counts of shape (classes, classes): rows truth, columns prediction."""
    return np.bincount(classes * truth + predicted, minlength=classes**2).reshape(classes, classes)


def count_metrics(tn: Any, fp: Any, fn: Any, tp: Any) -> dict[str, np.ndarray]:
    """Every metric that needs the confusion matrix only.

    Args:
        tn: true negatives, float64, a number or an array of any shape.
        fp: false positives, likewise.
        fn: false negatives, likewise.
        tp: true positives, likewise.

    Returns:
        `accuracy, sensitivity, specificity, balanced_accuracy, precision, f1, mcc`, each
        of the same shape, NaN where undefined.
    """
    positives, negatives, called = tp + fn, tn + fp, tp + fp
    sensitivity, specificity = ratio(tp, positives), ratio(tn, negatives)
    # F1 as Dice: 2 tp / (2 tp + fp + fn). 0 when positives exist and none was called.
    f1 = np.where(positives > 0, ratio(2 * tp, called + positives), np.nan)
    # Matthews 1975, doi:10.1016/0005-2795(75)90109-9. Roots first: no overflow.
    spread = np.sqrt(positives * negatives) * np.sqrt(called * (tn + fn))
    return {
        "accuracy": ratio(tp + tn, positives + negatives),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "precision": ratio(tp, called),
        "f1": f1,
        "mcc": ratio(tp * tn - fp * fn, spread),
    }


def ratio(numerator: Any, denominator: Any) -> np.ndarray:
    """Divides; NaN, without a warning, where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result
