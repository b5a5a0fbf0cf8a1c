"""Areas under the ROC and the precision-recall curve, for many weightings at once.

The images are sorted once. A weighting (how often each patient was drawn) then costs
two running sums, which makes a bootstrap of the areas affordable. With all weights 1
these are scikit-learn's `roc_auc_score` and `average_precision_score`.
"""

import dataclasses

import numpy as np

# Values held at once while weightings are worked through in blocks; fits into a cache.
BLOCK = 500_000


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Images from the highest score down; images of equal score form one step.

    Attributes:
        order: indices of the images, descending by score.
        truth: True for positives, in that order.
        ends: position of the last image of every distinct score, in that order.
        scores: the distinct scores, descending.
    """

    order: np.ndarray
    truth: np.ndarray
    ends: np.ndarray
    scores: np.ndarray


def rank(truth: np.ndarray, score: np.ndarray) -> Ranking:
    """Sorts images by score; `truth` is 1 or True for positives."""
    order = np.argsort(-score, kind="stable")
    descending = score[order]
    ends = np.append(np.flatnonzero(np.diff(descending)), len(descending) - 1)
    return Ranking(order, truth[order].astype(bool), ends, descending[ends])


def curve_counts(ranking: Ranking) -> tuple[np.ndarray, np.ndarray]:
    """Returns true and false positives when the threshold is each distinct score."""
    true_positives = np.cumsum(ranking.truth)[ranking.ends]
    return true_positives, ranking.ends + 1 - true_positives


def areas(ranking: Ranking) -> tuple[float, float]:
    """Returns ROC AUC and average precision; NaN when one class is missing."""
    one_patient = np.zeros(len(ranking.order), np.int64)
    roc, precision = weighted_areas(ranking, one_patient, np.ones((1, 1), np.int64))
    return float(roc[0]), float(precision[0])


def weighted_areas(
    ranking: Ranking, patient_index: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns ROC AUC and average precision for every weighting of the patients.

    ROC counts ties as one half (Mann and Whitney; the trapezoid rule). Average precision
    is the sum of precision times gain in recall, not interpolated.

    Args:
        patient_index: (images,) index of every image's patient, in the images' own order.
        weights: (weightings, patients), how often each patient counts, whole numbers.

    Returns:
        Two arrays of shape (weightings,); NaN where one class has no weight.
    """
    patient = patient_index[ranking.order]
    roc, precision = np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    if ranking.truth.any() and not ranking.truth.all():
        rows = max(1, BLOCK // len(patient))
        for start in range(0, len(weights), rows):
            block = slice(start, start + rows)
            roc[block], precision[block] = _areas_of_block(ranking, patient, weights[block])
    return roc, precision


def _areas_of_block(
    ranking: Ranking, patient: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Works on the steps that hold positives only: both areas are sums over these."""
    true_positives_once, _ = curve_counts(ranking)
    steps = np.flatnonzero(np.diff(true_positives_once, prepend=0))
    ends = ranking.ends[steps]
    starts = np.where(steps > 0, ranking.ends[steps - 1] + 1, 0)
    drawn = weights.astype(np.int64)
    called = _running_sums(drawn, patient)
    positive = _running_sums(drawn, patient[ranking.truth])[:, true_positives_once[steps]]
    gain = np.diff(positive, axis=1, prepend=0)
    positives = positive[:, -1]
    negatives = called[:, -1] - positives
    at_end = called[:, ends + 1]
    false_before = called[:, starts] - (positive - gain)
    false_at_end = at_end - positive
    beaten = 2 * negatives[:, np.newaxis] - false_before - false_at_end
    both = (positives > 0) & (negatives > 0)
    # Where nothing is called yet the gain is 0, so that any divisor will do.
    precise = (gain * (positive / np.maximum(at_end, 1))).sum(axis=1)
    concordant = (gain * beaten).sum(axis=1) / 2
    roc, precision = np.full(len(drawn), np.nan), np.full(len(drawn), np.nan)
    np.divide(concordant, positives * negatives, out=roc, where=both)
    np.divide(precise, positives, out=precision, where=both)
    return roc, precision


def _running_sums(weights: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """Returns (weightings, images + 1): the weight of the first 0, 1, 2, … images."""
    sums = np.zeros((len(weights), len(patient) + 1), np.int64)
    np.cumsum(np.take(weights, patient, axis=1), axis=1, out=sums[:, 1:])
    return sums
