"""What a call means where positives are rarer, or more frequent, than in the data set."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from cancernet.measures.figures import ByName
from cancernet.measures.metrics import ratio
from cancernet.measures.resampling.bootstrap import (
    draw_weights,
    judge_weighted,
    patient_sums,
    strata,
)
from cancernet.measures.resampling.intervals import (
    LEVEL,
    RESAMPLES,
    Evidence,
    effective_patients,
    interval_of,
)


def predictive_values(
    sensitivity: Any, specificity: Any, prevalence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the share of positive calls that are right, and of negative calls (Bayes).

    Args:
        sensitivity: 0-1, number or array.
        specificity: 0-1, likewise.
        prevalence: share of positives expected, 0-1.

    Returns:
        Positive and negative predictive value; NaN where no such call is ever made.

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
    truth: Any,
    score: Any,
    threshold: Any,
    patients: Any,
    prevalences: Sequence[float],
    *,
    resamples: int = RESAMPLES,
    seed: int = 7,
) -> list[PredictiveRow]:
    """Predictive values at stated prevalences with intervals over patients.

    They carry sensitivity and specificity over to another prevalence, which holds only
    when positives and negatives look alike there.

    Args:
        truth, score, threshold, patients: as for `binary_metrics`.
        prevalences: shares of positives expected, 0-1 each.
        resamples: bootstrap draws.
        seed: of the draws.
    """
    sums = patient_sums(truth, score, threshold, patients)
    draws = judge_weighted(sums, draw_weights(strata(sums), resamples, seed))
    once = judge_weighted(sums, np.ones((1, len(sums.counts)), np.int64))
    fewer = min(effective_patients(sums.positives), effective_patients(sums.negatives))
    step = 0.5 / max(min(sums.positives.sum(), sums.negatives.sum()), 1.0)
    rests_on = Evidence(patients=fewer, step=step)
    rows = []
    for prevalence in prevalences:
        positive, negative = (
            float(value[0])
            for value in predictive_values(once["sensitivity"], once["specificity"], prevalence)
        )
        drawn = predictive_values(draws["sensitivity"], draws["specificity"], prevalence)
        calls = once["sensitivity"] * prevalence + (1 - once["specificity"]) * (1 - prevalence)
        rows.append(
            PredictiveRow(
                prevalence=float(prevalence),
                positive_predictive_value=positive,
                positive_limits=interval_of(positive, drawn[0], rests_on, level=LEVEL),
                negative_predictive_value=negative,
                negative_limits=interval_of(negative, drawn[1], rests_on, level=LEVEL),
                calls_per_hundred=float(100 * calls[0]),
            )
        )
    return rows
