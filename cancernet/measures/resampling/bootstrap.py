"""Draws patients with replacement and judges every draw, without touching an image twice.

Patches of one patient resemble each other; drawing patches would count the same evidence
many times. A draw is a row of weights, how often each patient was taken. Counts are then
one matrix product; the areas under the curves need two running sums (`ranking`).
"""

import dataclasses
from typing import Any

import numpy as np

from cancernet.measures import checks
from cancernet.measures.metrics import count_metrics, ratio
from cancernet.measures.ranking import Ranking, rank, weighted_areas

METRICS = (
    "accuracy",
    "sensitivity",
    "specificity",
    "balanced_accuracy",
    "precision",
    "f1",
    "mcc",
    "roc_auc",
    "pr_auc",
    "brier",
)

# Weights held at once, so that a data set where every image is a patient still fits.
BLOCK = 4_000_000


@dataclasses.dataclass(frozen=True)
class PatientSums:
    """All that a bootstrap needs to know of the images.

    Attributes:
        counts: (patients, 4) of `tn, fp, fn, tp`.
        squares: (patients,) sum of (score - truth)².
        patient_index: (images,) index of every image's patient.
        ranking: the images sorted by score.
    """

    counts: np.ndarray
    squares: np.ndarray
    patient_index: np.ndarray
    ranking: Ranking

    @property
    def negatives(self) -> np.ndarray:
        """Negative images of every patient, shape (patients,)."""
        return self.counts[:, 0] + self.counts[:, 1]

    @property
    def positives(self) -> np.ndarray:
        """Positive images of every patient, shape (patients,)."""
        return self.counts[:, 2] + self.counts[:, 3]


def patient_sums(truth: Any, score: Any, threshold: Any, patients: Any) -> PatientSums:
    """Adds up the images of every patient.

    Args:
        truth, score, threshold, patients: as for `binary_metrics`.

    Raises:
        ValueError: shapes that differ or values out of range.
    """
    truth = checks.check_truth(truth)
    score = checks.check_score(score, len(truth))
    names, index = checks.check_patients(patients, len(truth))
    cell = 4 * index + 2 * truth + (score >= checks.check_threshold(threshold))
    counts = np.bincount(cell, minlength=4 * len(names)).reshape(-1, 4).astype(np.float64)
    squares = np.bincount(index, weights=(score - truth) ** 2, minlength=len(names))
    return PatientSums(counts, squares, index, rank(truth, score))


def judge_weighted(sums: PatientSums, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Judges every weighting of the patients.

    Args:
        sums: of the images.
        weights: (weightings, patients), how often each patient counts, whole numbers.

    Returns:
        For every name of `METRICS` an array of shape (weightings,); NaN where undefined.
    """
    rows = max(1, BLOCK // len(sums.counts))
    parts = [
        _judge_block(sums, weights[start : start + rows]) for start in range(0, len(weights), rows)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def strata(sums: PatientSums) -> np.ndarray:
    """Returns for every patient the group within which it is drawn, shape (patients,).

    Where every patient has images of one class only, the share of positive patients was
    fixed by whoever collected them, and a draw keeps it. Otherwise there is one group.
    """
    mixed = (sums.positives > 0) & (sums.negatives > 0)
    return np.zeros(len(mixed), np.int64) if mixed.any() else (sums.positives > 0).astype(np.int64)


def draw_weights(group: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Draws patients with replacement, within their groups.

    Args:
        group: (patients,) group of every patient.
        resamples: number of draws.
        seed: the same seed gives the same draws.

    Returns:
        (resamples, patients) how often each patient was drawn, small whole numbers.
    """
    generator = np.random.default_rng(seed)
    weights = np.zeros((resamples, len(group)), np.uint16)
    for value in np.unique(group):
        members = np.flatnonzero(group == value)
        size = len(members)
        rows = max(1, BLOCK // size)
        for start in range(0, resamples, rows):
            count = min(rows, resamples - start)
            drawn = generator.integers(0, size, size=(count, size))
            drawn += size * np.arange(count)[:, np.newaxis]
            times = np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size)
            weights[start : start + count, members] = times
    return weights


def _judge_block(sums: PatientSums, weights: np.ndarray) -> dict[str, np.ndarray]:
    real = weights.astype(np.float64)
    tn, fp, fn, tp = (real @ sums.counts).T
    found = count_metrics(tn, fp, fn, tp)
    found["roc_auc"], found["pr_auc"] = weighted_areas(sums.ranking, sums.patient_index, weights)
    found["brier"] = ratio(real @ sums.squares, tn + fp + fn + tp)
    return found
