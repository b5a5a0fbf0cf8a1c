"""The threshold that turns a score into a call, chosen on validation and nowhere else.

It is one of the thresholds that validation can tell apart
(`cancernet.measures.validation.candidates`). Of equally good ones the one in the widest gap is
taken, then the lowest.
"""

import dataclasses
from typing import Any

import numpy as np

from cancernet.config import RULES
from cancernet.measures import checks
from cancernet.measures.validation.candidates import Candidates, candidates, log_odds

FALLBACK = 0.5
FEW_PATIENTS = 10
# How far the scores of one patient lie from those of another, in log odds: the scale of
# a logistic distribution. Leaving out one IDC patient after the other, stain and scanner
# moved the best threshold by about this and more (benchmarks/README.md).
SHIFT = 1.0
# What the expectation that 0.5 is right counts for, in patients (same measurements).
PRIOR_PATIENTS = 1
_EQUAL = 1e-12


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
        note: what a reader must know about this choice; empty when nothing.
        chosen_on: "validation", or None for a threshold that was given.
    """

    threshold: float
    rule: str
    rule_name: str
    sensitivity: float
    specificity: float
    images: int
    patients: int | None
    note: str = ""
    chosen_on: str | None = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        chosen_on = None if self.rule_name == "fixed" else "validation"
        object.__setattr__(self, "chosen_on", chosen_on)

    @property
    def origin(self) -> str:
        """Where the threshold is from, in words."""
        if self.rule_name == "fixed":
            return "given, not chosen on validation"
        return "chosen on validation, never on testing"


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
        rule: "youden" for most sensitivity + specificity; "smoothed" for most of the
            two expected when the scores of the next patient are shifted at random (see
            `smoothed_youden`); "sensitivity" for the highest
            threshold that reaches `target_sensitivity`; "cost" for the least cost when a
            missed positive costs `cost_ratio` false alarms, at the prevalence of these
            images; "fixed" for `threshold`.
        target_sensitivity: in (0, 1].
        threshold: 0-1.
        cost_ratio: above 0.
        patients: (images,) name of every image's patient, to warn when they are few.

    Returns:
        The operating point. With one class only no rule can choose: 0.5 (or the fixed
        threshold) with a note that says so.

    Raises:
        ValueError: an unknown rule, a target or cost out of bounds, bad truth or scores.
    """
    truth = checks.check_truth(truth)
    score = checks.check_score(score, len(truth))
    check_rule(rule, target_sensitivity, cost_ratio)
    words = {
        "youden": "most sensitivity + specificity (Youden)",
        "smoothed": (
            "most sensitivity + specificity (Youden), expected over shifts of "
            f"{SHIFT:g} in log odds between patients, pulled towards 0.5 the more the fewer "
            "patients validate"
        ),
        "sensitivity": f"highest threshold with a sensitivity of at least {target_sensitivity:g}",
        "cost": f"least cost, one missed positive costing {cost_ratio:g} false alarms",
        "fixed": f"fixed threshold {threshold:g}",
    }[rule]
    notes = []
    if rule == "fixed":
        chosen = checks.check_threshold(threshold)
    elif truth.min() == truth.max():
        chosen = FALLBACK
        only = "positive" if truth[0] else "negative"
        notes.append(
            f"The validation images are all {only}: no threshold can be chosen on them, and "
            f"{FALLBACK} is used instead. Validate on images of both classes."
        )
    else:
        found = candidates(truth, score)
        few = None if patients is None else patients_of_rarer_class(truth, patients)
        best = preferred(found, rule, target_sensitivity, cost_ratio, few)
        chosen = float(found.threshold[best])
        notes += _remarks(found, best, rule, target_sensitivity + 1 / truth.sum())
    names = None if patients is None else checks.check_patients(patients, len(truth))
    notes += [] if names is None else _few_patients(truth, names[1], rule)
    called = score >= chosen
    return OperatingPoint(
        threshold=chosen,
        rule=words,
        rule_name=rule,
        sensitivity=_share(called[truth == 1]),
        specificity=_share(~called[truth == 0]),
        images=len(truth),
        patients=None if names is None else len(names[0]),
        note=" ".join(notes),
    )


def check_rule(rule: str, target_sensitivity: float, cost_ratio: float) -> None:
    """Raises ValueError for an unknown rule or a parameter out of bounds."""
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}; known are {', '.join(RULES)}")
    if not 0 < target_sensitivity <= 1:
        raise ValueError(
            f"the target sensitivity must be above 0, at most 1, but is {target_sensitivity}"
        )
    if not 0 < cost_ratio < float("inf"):
        raise ValueError(f"the cost ratio must be above 0, but is {cost_ratio}")


def goal_of(
    found: Candidates, rule: str, target_sensitivity: float, cost_ratio: float
) -> np.ndarray:
    """Returns what a rule wants most of, for every candidate; shape (candidates,)."""
    if rule == "youden":
        return found.sensitivity + found.specificity - 1
    if rule == "smoothed":
        return smoothed_youden(found)
    if rule == "sensitivity":
        reached = found.sensitivity >= target_sensitivity - _EQUAL
        return np.where(reached, found.threshold, -np.inf)
    if rule == "cost":
        return -cost(found, cost_ratio)
    raise ValueError(f"rule {rule!r} does not choose")


def smoothed_youden(found: Candidates, shift: float = SHIFT, step: float = 0.05) -> np.ndarray:
    """Returns the expected sensitivity + specificity - 1 when patients' scores shift.

    The patients who validate are few, and the next one's scores lie higher or lower as
    a whole. The threshold is the same as shifting the scores the other way, so the
    Youden index is averaged over a logistic distribution of shifts in log odds. Unlike
    the plain maximum it does not follow the jumps of single images.

    Args:
        found: the candidates.
        shift: scale of the distribution, log odds.
        step: of the grid on which the average is taken, log odds.
    """
    odds = log_odds(found.threshold)
    reach = 12 * shift
    grid = np.arange(odds.min() - reach, odds.max() + reach + step, step)
    index = np.interp(grid, odds, found.sensitivity + found.specificity - 1)
    offsets = np.arange(-reach, reach + step / 2, step)
    kernel = 1 / np.cosh(offsets / (2 * shift)) ** 2
    padded = np.pad(index, len(offsets) // 2, mode="edge")
    smooth = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return np.interp(odds, grid, smooth)


def preferred(
    found: Candidates,
    rule: str,
    target_sensitivity: float,
    cost_ratio: float,
    patients: int | None,
) -> int:
    """Returns the index of the candidate that a rule prefers.

    `patients` is the number of patients with images of the class that fewer patients
    have, which the smoothed rule needs to know how far to trust them; None trusts them.
    """
    best = best_candidate(goal_of(found, rule, target_sensitivity, cost_ratio), found)
    if rule == "smoothed" and patients is not None:
        return pulled_to_half(best, found, patients)
    return best


def pulled_to_half(best: int, found: Candidates, patients: int) -> int:
    """Returns the candidate nearest to the best one's log odds times p / (p + 1).

    Classes are weighted alike in training, so that 0.5 is what one expects before
    seeing a validation score. p patients shift that expectation as p observations
    shift the mean of a normal distribution whose prior is worth one of them.

    Args:
        best: index of the candidate the rule prefers.
        found: the candidates.
        patients: p, patients with images of the class that fewer patients have.
    """
    odds = log_odds(found.threshold)
    goal = odds[best] * patients / (patients + PRIOR_PATIENTS)
    return int(np.argmin(np.abs(odds - goal)))


def cost(found: Candidates, cost_ratio: float) -> np.ndarray:
    """Returns the mean cost an image in false alarms: ratio·misses + false alarms."""
    missed = found.prevalence * (1 - found.sensitivity)
    return cost_ratio * missed + (1 - found.prevalence) * (1 - found.specificity)


def best_candidate(value: np.ndarray, found: Candidates) -> int:
    """Returns the index of the largest value; of equals the widest gap, then the lowest."""
    best = np.flatnonzero(value >= value.max() - _EQUAL)
    return int(best[np.argmax(found.width[best])])


def _remarks(found: Candidates, best: int, rule: str, wasteful: float) -> list[str]:
    """States a sensitivity of `wasteful` or more, which ties forced, and a useless threshold."""
    sensitivity, specificity = found.sensitivity[best], found.specificity[best]
    notes = []
    if (
        rule == "sensitivity"
        and best + 1 < len(found.threshold)
        and sensitivity >= wasteful - _EQUAL
    ):
        following = found.sensitivity[best + 1]
        notes.append(
            f"The next higher threshold that validation can tell apart reaches {following:.4f} "
            f"only; this one reaches {sensitivity:.4f}."
        )
    if sensitivity + specificity <= 1 + _EQUAL:
        notes.append(
            "On validation this threshold separates the classes no better than chance "
            f"(sensitivity {sensitivity:.3f}, specificity {specificity:.3f})."
        )
    return notes


def patients_of_rarer_class(truth: np.ndarray, patients: Any) -> int:
    """Returns how many patients have images of the class that fewer patients have."""
    index = checks.check_patients(patients, len(truth))[1]
    return min(len(np.unique(index[truth == label])) for label in (0, 1))


def _few_patients(truth: np.ndarray, patient_index: np.ndarray, rule: str) -> list[str]:
    with_positives = len(np.unique(patient_index[truth == 1]))
    with_negatives = len(np.unique(patient_index[truth == 0]))
    if rule == "fixed" or min(with_positives, with_negatives) >= FEW_PATIENTS:
        return []
    return [
        f"The operating point was chosen on positives of {with_positives} and negatives of "
        f"{with_negatives} patients; another validation set of that size may well choose "
        "another threshold."
    ]


def _share(hits: np.ndarray) -> float:
    return float(hits.mean()) if len(hits) else float("nan")
