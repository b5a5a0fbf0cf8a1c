"""Areas under the ROC and the precision-recall curve, for many weightings at once.

The images are sorted once. A weighting (how often each patient was drawn) then costs
two running sums, which makes a bootstrap of the areas affordable. With all weights 1
these are scikit-learn's `roc_auc_score` and `average_precision_score`.
"""

import dataclasses
from typing import Any

import numpy as np

# Values held at once while weightings are worked through in blocks; fits into a cache.
BLOCK = 500_000
MOST_STEPS = 2048  # distinct scores that a bootstrap tells apart


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


def coarsened(ranking: Ranking) -> Ranking:
    """Returns a ranking of at most `MOST_STEPS` steps: neighbouring scores become equal.

    Half of the steps hold about as many images each, the others about as many positives, since
    precision is made where the positives are. An area moves by less than one part in a thousand,
    its spread over drawn patients by far less.
    """
    if len(ranking.ends) <= MOST_STEPS:
        return ranking
    everyone = np.arange(len(ranking.order))
    sides = everyone, everyone[ranking.truth]
    last = np.concatenate([_evenly(among, MOST_STEPS // 2) for among in sides if len(among)])
    kept = np.unique(np.searchsorted(ranking.ends, last))
    return dataclasses.replace(ranking, ends=ranking.ends[kept], scores=ranking.scores[kept])


def _evenly(places: np.ndarray, count: int) -> np.ndarray:
    """Returns so many of the places, the last one among them."""
    return places[np.ceil(np.linspace(0, len(places), count + 1)[1:]).astype(np.int64) - 1]


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
    roc, precision = np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    if ranking.truth.any() and not ranking.truth.all():
        images, positives = _by_step(ranking, patient_index, weights.shape[1])
        rows = max(1, BLOCK // len(ranking.ends))
        for start in range(0, len(weights), rows):
            block = slice(start, start + rows)
            drawn = np.ascontiguousarray(weights[block].T, np.float32)
            roc[block], precision[block] = _areas_of_block(images @ drawn, positives @ drawn)
    return roc, precision


def _by_step(ranking: Ranking, patient_index: np.ndarray, patients: int) -> tuple[Any, Any]:
    """Returns how many images, and how many positives, every patient has in every step.

    Two sparse matrices (steps, patients): their product with weights is a step's weight. Whole
    numbers below 2^24 are exact in float32, which takes half as long as float64.
    """
    from scipy.sparse import csr_array

    patient, shape = patient_index[ranking.order], (len(ranking.ends), patients)
    positives, _ = curve_counts(ranking)
    of_positives = patient[ranking.truth]
    return (
        csr_array(
            (np.ones(len(patient), np.float32), patient, np.append(0, ranking.ends + 1)), shape
        ),
        csr_array(
            (np.ones(len(of_positives), np.float32), of_positives, np.append(0, positives)), shape
        ),
    )


def _areas_of_block(images: np.ndarray, gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Takes the weight of all images and of the positives in every step, (steps, weightings)."""
    called, found = (each.cumsum(axis=0, dtype=np.float64) for each in (images, gain))
    positives, negatives = found[-1], called[-1] - found[-1]
    # Twice the negatives below, and those beside.
    beaten = 2 * (negatives - called + found) + (images - gain)
    both = (positives > 0) & (negatives > 0)
    roc, precision = np.full(len(both), np.nan), np.full(len(both), np.nan)
    np.divide((gain * beaten).sum(axis=0) / 2, positives * negatives, out=roc, where=both)
    # Where nothing is called yet the gain is 0, so that any divisor will do.
    precise = (gain * (found / np.maximum(called, 1))).sum(axis=0)
    np.divide(precise, positives, out=precision, where=both)
    return roc, precision
