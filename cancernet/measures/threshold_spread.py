"""How far the operating point itself would move with other validation patients."""

import dataclasses

import numpy as np

from cancernet.measures.calls import Calls
from cancernet.measures.decisions import Rule
from cancernet.measures.intervals import UNDEFINED, draw_weights, strata
from cancernet.measures.operating_point import Candidates, candidates, preferred
from cancernet.measures.remarks import Kind, Remark, remark, sentence

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
    calls: Calls, rule: Rule, *, resamples: int = 500, seed: int = 7
) -> ThresholdSpread:
    """Chooses the operating point again on resampled patients of the validation set."""
    if rule.name == "fixed":
        return _nothing(Kind.THRESHOLD_GIVEN)
    if calls.of_one_class:
        return _nothing(Kind.NO_SPREAD_OF_ONE_CLASS)
    if len(calls.names) < 2:
        return _nothing(Kind.NO_SPREAD_OF_ONE_PATIENT)
    once = candidates(calls)
    weights = draw_weights(strata(calls), resamples, seed)
    rows = max(1, BLOCK // len(calls))
    chosen = [
        preferred(rule, found, min(calls.patients_by_class))
        for start in range(0, resamples, rows)
        for found in _resampled(once, calls, weights[start : start + rows])
        if found is not None
    ]
    if not chosen:
        return _nothing(Kind.NO_DRAW_OF_BOTH_CLASSES)
    return ThresholdSpread(
        threshold=_middle(once.threshold[chosen]),
        sensitivity=_middle(once.sensitivity[chosen]),
        specificity=_middle(once.specificity[chosen]),
        resamples=len(chosen),
    )


def _nothing(why: Kind) -> ThresholdSpread:
    limits = dict.fromkeys(("threshold", "sensitivity", "specificity"), UNDEFINED)
    return ThresholdSpread(**limits, resamples=0, reason=remark(why))


def _resampled(once: Candidates, calls: Calls, weights: np.ndarray) -> list[Candidates | None]:
    """Gives the thresholds of `once` the shares they reach in every draw; None for one class."""
    order = np.argsort(calls.score, kind="stable")
    # Images below each threshold, in ascending order of score.
    below = np.searchsorted(calls.score[order], once.threshold, side="left")
    drawn = np.take(weights, calls.patient_index[order], axis=1).astype(np.int64)
    positive = calls.truth[order] == 1
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
