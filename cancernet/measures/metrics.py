"""Metrics of classified images: positives against the rest, and class by class.

An undefined ratio is NaN, never 0: a sensitivity of 0 says that every positive was
missed, which is not the same as that there was none.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cancernet.measures import checks
from cancernet.measures.ranking import areas, rank


def binary_metrics(
    truth: Any, score: Any, threshold: Any, *, patients: Any = None
) -> dict[str, Any]:
    """Judges the scores of positives against the rest; positive iff score >= threshold.

    Args:
        truth: (images,) 1 or True for positive, 0 or False for the rest.
        score: (images,) probability of being positive, 0-1.
        threshold: 0-1; one, or (images,) one for each.
        patients: (images,) name of every image's patient; only counted here.

    Returns:
        `images, patients` (None when not given)`, accuracy, sensitivity` (recall of the
        positive)`, specificity` (recall of the rest)`, balanced_accuracy, precision, f1,
        mcc, roc_auc, pr_auc` (average precision)`, brier, confusion_matrix{tn,fp,fn,tp}`.
        NaN where undefined: precision without any called positive, mcc when a row or
        column of the matrix is empty, sensitivity and F1 without positives, the areas
        and the balanced accuracy with one class only.

    Raises:
        ValueError: shapes that differ, values that are no numbers or outside 0-1.
    """
    truth = checks.check_truth(truth)
    score = checks.check_score(score, len(truth))
    counts = confusion_counts(truth, score >= checks.check_threshold(threshold))
    roc_auc, average_precision = areas(rank(truth, score))
    ratios = count_metrics(*(np.float64(counts[name]) for name in ("tn", "fp", "fn", "tp")))
    return {
        "images": len(truth),
        "patients": None
        if patients is None
        else len(checks.check_patients(patients, len(truth))[0]),
        **{name: float(value) for name, value in ratios.items()},
        "roc_auc": roc_auc,
        "pr_auc": average_precision,
        "brier": float(np.mean((score - truth) ** 2)),
        "confusion_matrix": counts,
    }


def confusion_counts(truth: np.ndarray, called: np.ndarray) -> dict[str, int]:
    """Counts `tn, fp, fn, tp` of truth 0/1 and calls True/False, both of shape (images,)."""
    table = np.bincount(2 * truth + called, minlength=4)
    return dict(zip(("tn", "fp", "fn", "tp"), (int(count) for count in table), strict=True))


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


def per_class_metrics(truth: Any, probabilities: Any, classes: Sequence[str]) -> dict[str, Any]:
    """Judges every class against the others; the most probable class is the prediction.

    Args:
        truth: (images,) class indices.
        probabilities: (images, classes), rows adding up to 1. Of equally probable
            classes the first is predicted.
        classes: names in the order of the columns.

    Returns:
        `classes{name: {accuracy, precision, recall, f1, support, roc_auc}}` one against
        the rest; `macro` (plain mean) and `weighted` (mean weighted by support) of
        precision, recall, f1 and roc_auc over the classes that occur and where each is
        defined, as scikit-learn's `zero_division=nan`; `accuracy`; `confusion_matrix`
        (rows truth, columns prediction); `absent` (all but the accuracy is NaN, and no
        average counts them) and `never_predicted` (no precision).

    Raises:
        ValueError: shapes that differ, truth that is no class, probabilities outside 0-1.
    """
    truth = checks.check_truth(truth, len(classes))
    probabilities = checks.check_probabilities(probabilities, len(truth), len(classes))
    predicted = probabilities.argmax(axis=1)
    matrix = confusion_table(truth, predicted, len(classes))
    each = {
        name: _one_class(matrix, index, truth == index, probabilities[:, index])
        for index, name in enumerate(classes)
    }
    support = matrix.sum(axis=1)
    return {
        "classes": each,
        "macro": _average(each, np.ones(len(classes))),
        "weighted": _average(each, support.astype(np.float64)),
        "accuracy": float(np.trace(matrix) / len(truth)),
        "confusion_matrix": matrix.tolist(),
        "absent": [name for name, count in zip(classes, support, strict=True) if not count],
        "never_predicted": [
            name for name, count in zip(classes, matrix.sum(axis=0), strict=True) if not count
        ],
    }


def confusion_table(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Returns counts of shape (classes, classes): rows truth, columns prediction."""
    return np.bincount(classes * truth + predicted, minlength=classes**2).reshape(classes, classes)


def _one_class(
    matrix: np.ndarray, index: int, is_class: np.ndarray, probability: np.ndarray
) -> dict[str, Any]:
    tp = float(matrix[index, index])
    fn, fp = float(matrix[index].sum() - tp), float(matrix[:, index].sum() - tp)
    found = count_metrics(float(matrix.sum()) - tp - fn - fp, fp, fn, tp)
    return {
        "accuracy": float(found["accuracy"]),
        # Without an image of the class every call of it is wrong; that says nothing of the class.
        "precision": float(found["precision"]) if tp + fn else math.nan,
        "recall": float(found["sensitivity"]),
        "f1": float(found["f1"]),
        "support": int(tp + fn),
        "roc_auc": areas(rank(is_class, probability))[0],
    }


def _average(each: dict[str, dict[str, Any]], weights: np.ndarray) -> dict[str, float]:
    averages = {}
    for name in ("precision", "recall", "f1", "roc_auc"):
        values = np.array([row[name] for row in each.values()], dtype=np.float64)
        defined = ~np.isnan(values)
        averages[name] = float(
            ratio((values[defined] * weights[defined]).sum(), weights[defined].sum())
        )
    return averages
