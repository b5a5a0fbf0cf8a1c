"""How far the operating point itself would move with other validation patients."""

import dataclasses
from typing import Any

import numpy as np

from cancernet.measures import checks
from cancernet.measures.remarks import Kind, Remark, remark
from cancernet.measures.resampling.bootstrap import draw_weights, patient_sums, strata
from cancernet.measures.validation.candidates import Candidates, candidates
from cancernet.measures.validation.operating_point import patients_by_class
from cancernet.measures.validation.rules import Rule
from cancernet.measures.words import sentence

BLOCK = 500_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThresholdSpread:
    """Operating points chosen on resampled validation patients.

    Attributes:
        threshold: (low, high), the middle 95 % of the thresholds chosen.
        sensitivity: (low, high) of what each would have given on the validation set.
        specificity: likewise.
        resamples: number of draws in which both classes occurred.
        reason: why there are no figures; None when there are.
    """

    threshold: tuple[float, float]
    sensitivity: tuple[float, float]
    specificity: tuple[float, float]
    resamples: int
    reason: Remark | None = None

    @property
    def note(self) -> str:
        """The reason in a sentence; empty when there are figures."""
        return sentence(self.reason) if self.reason else ""


def threshold_spread(
    truth: Any,
    score: Any,
    patients: Any,
    *,
    rule: str,
    target_sensitivity: float = 0.95,
    cost_ratio: float = 5.0,
    resamples: int = 500,
    seed: int = 7,
) -> ThresholdSpread:
    """Chooses the operating point again on resampled patients of the validation set.

    Args:
        truth: (images,) 1 for positive, 0 for the rest.
        score: (images,) 0-1.
        patients: (images,) name of every image's patient.
        rule: as in `choose_operating_point`.
        target_sensitivity: likewise.
        cost_ratio: likewise.
        resamples: number of draws.
        seed: of the draws.

    Raises:
        ValueError: bad input, as in `choose_operating_point`.
    """
    truth = checks.check_truth(truth)
    score = checks.check_score(score, len(truth))
    how = Rule(rule, target_sensitivity, cost_ratio)
    if rule == "fixed":
        return _nothing(Kind.THRESHOLD_GIVEN)
    if truth.min() == truth.max():
        return _nothing(Kind.NO_SPREAD_OF_ONE_CLASS)
    sums = patient_sums(truth, score, 0.5, patients)
    if len(sums.counts) < 2:
        return _nothing(Kind.NO_SPREAD_OF_ONE_PATIENT)
    once = candidates(truth, score)
    weights = draw_weights(strata(sums), resamples, seed)
    fewer = min(patients_by_class(truth, sums.patient_index))
    chosen = []
    rows = max(1, BLOCK // len(truth))
    for start in range(0, resamples, rows):
        block = weights[start : start + rows]
        for found in _resampled(once, truth, score, sums.patient_index, block):
            if found is not None:
                chosen.append(how.preferred(found, fewer))
    if not chosen:
        return _nothing(Kind.NO_DRAW_OF_BOTH_CLASSES)
    return ThresholdSpread(
        threshold=_middle(once.threshold[chosen]),
        sensitivity=_middle(once.sensitivity[chosen]),
        specificity=_middle(once.specificity[chosen]),
        resamples=len(chosen),
    )


def _nothing(why: Kind) -> ThresholdSpread:
    none = (float("nan"), float("nan"))
    return ThresholdSpread(
        threshold=none, sensitivity=none, specificity=none, resamples=0, reason=remark(why)
    )


def _resampled(
    once: Candidates,
    truth: np.ndarray,
    score: np.ndarray,
    patient_index: np.ndarray,
    weights: np.ndarray,
) -> list[Candidates | None]:
    """Gives the thresholds of `once` the shares they reach in every draw; None for one class."""
    order = np.argsort(score, kind="stable")
    # Images below each threshold, in ascending order of score.
    below = np.searchsorted(score[order], once.threshold, side="left")
    drawn = np.take(weights, patient_index[order], axis=1).astype(np.int64)
    positive = truth[order] == 1
    sums = [_sums(np.where(positive, drawn, 0)), _sums(np.where(positive, 0, drawn))]
    draws: list[Candidates | None] = []
    for positives, negatives in zip(*sums, strict=True):
        if positives[-1] == 0 or negatives[-1] == 0:
            draws.append(None)
            continue
        draws.append(
            Candidates(
                once.threshold,
                1 - positives[below] / positives[-1],
                negatives[below] / negatives[-1],
                once.width,
                positives[-1] / (positives[-1] + negatives[-1]),
            )
        )
    return draws


def _sums(drawn: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((len(drawn), 1), np.int64), np.cumsum(drawn, axis=1)], axis=1)


def _middle(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
