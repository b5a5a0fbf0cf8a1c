"""The threshold that turns a score into a call, chosen on validation and nowhere else.

`candidates` lists the thresholds that validation can tell apart, `rules` prefers one.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from cancernet.measures import checks
from cancernet.measures.remarks import FEW_PATIENTS, Kind, Remark, remark
from cancernet.measures.validation.candidates import Candidates, candidates
from cancernet.measures.validation.rules import EQUAL, Rule
from cancernet.measures.words import CHOSEN, GIVEN, sentences

FALLBACK = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A threshold (positive iff score >= threshold) and what it promised on validation.

    Attributes:
        threshold: 0-1.
        rule: the rule in words.
        rule_name: one of `cancernet.config.RULES`.
        sensitivity: on validation; NaN without positives.
        specificity: on validation; NaN without negatives.
        images: of the validation set.
        patients: of the validation set, or None when not known.
        remarks: what a reader must know about this choice.
        note: the same in sentences, for readers of the record.
        chosen_on: "validation", or None for a threshold that was given.
    """

    threshold: float
    rule: str
    rule_name: str
    sensitivity: float
    specificity: float
    images: int
    patients: int | None
    remarks: tuple[Remark, ...] = ()
    note: str = ""
    chosen_on: str | None = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        chosen_on = None if self.rule_name == "fixed" else "validation"
        object.__setattr__(self, "chosen_on", chosen_on)
        if not self.note:
            object.__setattr__(self, "note", " ".join(sentences(self.remarks)))

    @property
    def origin(self) -> str:
        """Where the threshold is from, in words."""
        return GIVEN if self.chosen_on is None else CHOSEN

    @property
    def is_fallback(self) -> bool:
        """Whether 0.5 stands in because validation had one class only."""
        return any(each.kind == Kind.VALIDATION_OF_ONE_CLASS for each in self.remarks)


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
