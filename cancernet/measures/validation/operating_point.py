"""The threshold that turns a score into a call, chosen on validation and nowhere else.

`candidates` lists the thresholds that validation can tell apart, `rules` prefers one.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from cancernet.measures import checks
from cancernet.measures.remarks import FEW_PATIENTS, Kind, Remark, remark
from cancernet.measures.validation.candidates import Candidates, candidates
from cancernet.measures.validation.point import OperatingPoint
from cancernet.measures.validation.rules import EQUAL, Rule

FALLBACK = 0.5


def choose_operating_point(
    truth: Any,
    score: Any,
    *,
    rule: str = "youden",
    target_sensitivity: float = 0.95,
    threshold: float = FALLBACK,
    cost_ratio: float = 5.0,
    patients: Any = None,
) -> OperatingPoint:
    """Chooses a threshold on validation.

    Args:
        truth: (images,) 1 for positive, 0 for the rest.
        score: (images,) probability of being positive, 0-1.
        rule: name of a `Rule`.
        target_sensitivity: of the rule "sensitivity".
        threshold: of the rule "fixed", 0-1.
        cost_ratio: of the rule "cost".
        patients: (images,) name of every image's patient, to warn when they are few.

    Returns:
        The operating point. With one class only no rule can choose: 0.5 (or the fixed
        threshold) with a remark that says so.

    Raises:
        ValueError: an unknown rule, a target or cost out of bounds, bad truth or scores.
    """
    truth = checks.check_truth(truth)
    score = checks.check_score(score, len(truth))
    how = Rule(rule, target_sensitivity, cost_ratio)
    named = None if patients is None else checks.check_patients(patients, len(truth))
    chosen, remarks = _chosen(truth, score, how, threshold, None if named is None else named[1])
    called = score >= chosen
    return OperatingPoint(
        threshold=chosen,
        rule=how.in_words(threshold),
        rule_name=rule,
        sensitivity=_share(called[truth == 1]),
        specificity=_share(~called[truth == 0]),
        images=len(truth),
        patients=None if named is None else len(named[0]),
        remarks=tuple(remarks),
    )


def patients_by_class(truth: np.ndarray, patient: np.ndarray) -> tuple[int, int]:
    """Returns how many patients have negative and how many have positive images."""
    negative, positive = (len(np.unique(patient[truth == label])) for label in (0, 1))
    return negative, positive


def _chosen(
    truth: np.ndarray, score: np.ndarray, rule: Rule, threshold: float, patient: np.ndarray | None
) -> tuple[float, list[Remark]]:
    if rule.name == "fixed":
        return checks.check_threshold(threshold), []
    numbers = None if patient is None else patients_by_class(truth, patient)
    few = [] if numbers is None else list(_few_patients(*numbers))
    if truth.min() == truth.max():
        only = "positive" if truth[0] else "negative"
        return FALLBACK, [
            remark(Kind.VALIDATION_OF_ONE_CLASS, only=only, threshold=FALLBACK),
            *few,
        ]
    found = candidates(truth, score)
    best = rule.preferred(found, None if numbers is None else min(numbers))
    return float(found.threshold[best]), [*_remarks(found, best, rule, int(truth.sum())), *few]


def _remarks(found: Candidates, best: int, rule: Rule, positives: int) -> Iterator[Remark]:
    """Says where ties force a higher sensitivity than asked for, and where nothing is gained."""
    sensitivity, specificity = float(found.sensitivity[best]), float(found.specificity[best])
    wasteful = rule.target_sensitivity + 1 / positives
    is_last = best + 1 == len(found.threshold)
    if rule.name == "sensitivity" and not is_last and sensitivity >= wasteful - EQUAL:
        following = float(found.sensitivity[best + 1])
        yield remark(Kind.TIED_SCORES, following=following, sensitivity=sensitivity)
    if sensitivity + specificity <= 1 + EQUAL:
        yield remark(Kind.NO_BETTER_THAN_CHANCE, sensitivity=sensitivity, specificity=specificity)


def _few_patients(with_negatives: int, with_positives: int) -> Iterator[Remark]:
    if min(with_positives, with_negatives) < FEW_PATIENTS:
        yield remark(
            Kind.FEW_PATIENTS_CHOSE, with_positives=with_positives, with_negatives=with_negatives
        )


def _share(hits: np.ndarray) -> float:
    return float(hits.mean()) if len(hits) else float("nan")
