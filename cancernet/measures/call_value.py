"""What a call is worth: where positives are rarer or more frequent, and against acting always.

Net benefit at a probability threshold p (Vickers & Elkin 2006,
doi:10.1177/0272989X06295361): true positives − false positives · p / (1 − p), both as
shares of all images. Acting from p upwards states what a false alarm costs.
It means something only for calibrated probabilities, and at this set's prevalence.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from cancernet.measures.calls import Calls
from cancernet.measures.intervals import RESAMPLES, bootstrap, evidence, interval_of
from cancernet.measures.metrics import ByName, ratio

THRESHOLDS = np.linspace(0.01, 0.99, 99)


def predictive_values(
    sensitivity: Any, specificity: Any, prevalence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the share of positive calls that are right, and of negative calls (Bayes).

    Sensitivity and specificity are numbers or arrays; NaN where no such call is ever made.

    Raises:
        ValueError: a prevalence outside 0-1.
    """
    if not 0 <= prevalence <= 1:
        raise ValueError(f"the prevalence must lie between 0 and 1, but is {prevalence}")
    sensitivity, specificity = np.asarray(sensitivity), np.asarray(specificity)
    hits, misses = sensitivity * prevalence, (1 - sensitivity) * prevalence
    alarms, rejections = (1 - specificity) * (1 - prevalence), specificity * (1 - prevalence)
    # NaN in, NaN out: a comparison with NaN is false, so `ratio` leaves it undefined.
    return ratio(hits, hits + alarms), ratio(rejections, rejections + misses)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictiveRow(ByName):
    """Predictive values at one prevalence, with 95 % limits; NaN where undefined.

    `calls_per_hundred` is the number of positive calls among 100 images.
    """

    prevalence: float
    positive_predictive_value: float
    positive_limits: tuple[float, float]
    negative_predictive_value: float
    negative_limits: tuple[float, float]
    calls_per_hundred: float


def predictive_rows(
    calls: Calls, prevalences: Sequence[float], *, resamples: int = RESAMPLES, seed: int = 7
) -> list[PredictiveRow]:
    """Predictive values at stated prevalences, 0-1 each, with intervals over patients.

    They carry sensitivity and specificity over to another prevalence, which holds only
    when positives and negatives look alike there.
    """
    once, draws = bootstrap(calls, resamples, seed)
    # Both rest on sensitivity and specificity, as their mean does.
    rests_on = evidence(calls, "balanced_accuracy")
    rows = []
    for prevalence in prevalences:
        values = predictive_values(once["sensitivity"], once["specificity"], prevalence)
        drawn = predictive_values(draws["sensitivity"], draws["specificity"], prevalence)
        positive, negative = (float(value[0]) for value in values)
        called = once["sensitivity"] * prevalence + (1 - once["specificity"]) * (1 - prevalence)
        rows.append(
            PredictiveRow(
                prevalence=float(prevalence),
                positive_predictive_value=positive,
                positive_limits=interval_of(positive, drawn[0], rests_on),
                negative_predictive_value=negative,
                negative_limits=interval_of(negative, drawn[1], rests_on),
                calls_per_hundred=float(100 * called[0]),
            )
        )
    return rows


@dataclasses.dataclass(frozen=True)
class DecisionCurve:
    """Net benefit at every threshold; arrays of shape (thresholds,), at most the prevalence.

    Attributes:
        thresholds: above 0, below 1.
        network: acting where the score reaches the threshold.
        everybody: acting always.
        prevalence: share of positives.
    """

    thresholds: np.ndarray
    network: np.ndarray
    everybody: np.ndarray
    prevalence: float

    @property
    def useful(self) -> np.ndarray:
        """(thresholds,) bool: where the network beats acting always and acting never."""
        better: np.ndarray = self.network > np.maximum(self.everybody, 0) + 1e-12
        return better

    def useful_stretches(self) -> list[tuple[float, float]]:
        """Returns the first and last threshold of each unbroken stretch of useful ones."""
        steps = np.diff(np.concatenate([[0], self.useful, [0]]))
        starts, ends = np.flatnonzero(steps > 0), np.flatnonzero(steps < 0) - 1
        return [
            (float(self.thresholds[start]), float(self.thresholds[end]))
            for start, end in zip(starts, ends, strict=True)
        ]


def decision_curve(calls: Calls, thresholds: Any = THRESHOLDS) -> DecisionCurve:
    """Computes the net benefit of acting on the score; thresholds lie between 0 and 1."""
    truth, score = calls.truth, calls.score
    thresholds = np.asarray(thresholds, dtype=np.float64)
    if thresholds.ndim != 1 or not ((thresholds > 0) & (thresholds < 1)).all():
        raise ValueError("thresholds of a decision curve must lie between 0 and 1, without these")
    odds = thresholds / (1 - thresholds)
    positives, negatives = np.sort(score[truth == 1]), np.sort(score[truth == 0])
    found = len(positives) - np.searchsorted(positives, thresholds, side="left")
    alarms = len(negatives) - np.searchsorted(negatives, thresholds, side="left")
    prevalence = len(positives) / len(truth)
    return DecisionCurve(
        thresholds,
        (found - alarms * odds) / len(truth),
        prevalence - (1 - prevalence) * odds,
        prevalence,
    )
