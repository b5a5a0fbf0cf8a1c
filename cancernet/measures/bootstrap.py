"""Draws patients with replacement and judges every draw, without touching an image twice.

Patches of one patient resemble each other; drawing patches would count the same evidence
many times. A draw is a row of weights, how often each patient was taken. Counts are then
one matrix product; the areas under the curves need two running sums (`ranking`).
"""

import numpy as np

from cancernet.measures.calls import Calls
from cancernet.measures.metrics import METRICS, count_metrics, ratio
from cancernet.measures.ranking import weighted_areas

# Weights held at once, so that a data set where every image is a patient still fits.
BLOCK = 4_000_000

Judged = dict[str, np.ndarray]


def bootstrap(calls: Calls, resamples: int, seed: int) -> tuple[Judged, Judged]:
    """Judges all patients once, (1,) of every metric, and in every draw, (resamples,)."""
    weights = draw_weights(strata(calls), resamples, seed)
    return judge_once(calls), judge_weighted(calls, weights)


def judge_once(calls: Calls) -> Judged:
    """Judges all patients, each counted once; arrays of shape (1,)."""
    return judge_weighted(calls, np.ones((1, len(calls.names)), np.int64))


def judge_weighted(calls: Calls, weights: np.ndarray) -> Judged:
    """Judges every weighting of the patients: an array of (weightings,) for every metric.

    `weights` are (weightings, patients), how often each counts, whole numbers.
    """
    rows = max(1, BLOCK // len(calls.names))
    parts = [
        _judge_block(calls, weights[start : start + rows]) for start in range(0, len(weights), rows)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def strata(calls: Calls) -> np.ndarray:
    """Returns for every patient the group within which it is drawn, shape (patients,).

    Where every patient has images of one class only, the share of positive patients was
    fixed by whoever collected them, and a draw keeps it. Otherwise there is one group.
    """
    positive = calls.positives > 0
    mixed = positive & (calls.negatives > 0)
    return np.zeros(len(mixed), np.int64) if mixed.any() else positive.astype(np.int64)


def draw_weights(group: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Draws patients with replacement, within their groups, (patients,).

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


def _judge_block(calls: Calls, weights: np.ndarray) -> Judged:
    real = weights.astype(np.float64)
    tn, fp, fn, tp = (real @ calls.counts).T
    found = count_metrics(tn, fp, fn, tp)
    found["roc_auc"], found["pr_auc"] = weighted_areas(calls.ranking, calls.patient_index, weights)
    found["brier"] = ratio(real @ calls.squares, tn + fp + fn + tp)
    return found
