"""What a rule prefers among the thresholds that validation can tell apart.

Of equally good thresholds the one in the widest gap is taken, then the lowest.
"""

import dataclasses

import numpy as np

from cancernet.config import RULES
from cancernet.measures import words
from cancernet.measures.validation.candidates import Candidates, log_odds

# How far the scores of one patient lie from those of another, in log odds: the scale of
# a logistic distribution. Leaving out one IDC patient after the other, stain and scanner
# moved the best threshold by about this and more (benchmarks/README.md).
SHIFT = 1.0
# The shifts averaged over: beyond REACH scales less than 0.002 % of the distribution is left.
REACH = 12
# What the expectation that 0.5 is right counts for, in patients (same measurements).
PRIOR_PATIENTS = 1
EQUAL = 1e-12


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule of `cancernet.config.RULES` with what it is told.

    Attributes:
        name: "youden" for most sensitivity + specificity; "smoothed" for most of the two
            expected when the scores of the next patient are shifted at random (see
            `smoothed_youden`); "sensitivity" for the highest threshold that reaches
            `target_sensitivity`; "cost" for the least cost when a missed positive costs
            `cost_ratio` false alarms, at the prevalence of the validation images; "fixed"
            for a threshold that is given.
        target_sensitivity: in (0, 1].
        cost_ratio: above 0.

    Raises:
        ValueError: an unknown rule, or a number out of bounds.
    """

    name: str
    target_sensitivity: float = 0.95
    cost_ratio: float = 5.0

    def __post_init__(self) -> None:
        if self.name not in RULES:
            raise ValueError(f"unknown rule {self.name!r}; known are {', '.join(RULES)}")
        if not 0 < self.target_sensitivity <= 1:
            raise ValueError(
                "the target sensitivity must be above 0 and at most 1, but is "
                f"{self.target_sensitivity}"
            )
        if not 0 < self.cost_ratio < float("inf"):
            raise ValueError(f"the cost ratio must be above 0, but is {self.cost_ratio}")

    def in_words(self, threshold: float) -> str:
        """Returns the rule for a reader; `threshold` is the given one of "fixed"."""
        return words.RULES[self.name].format(
            shift=SHIFT, threshold=threshold, **dataclasses.asdict(self)
        )

    def goal(self, found: Candidates) -> np.ndarray:
        """Returns what the rule wants most of, for every candidate; shape (candidates,)."""
        if self.name == "youden":
            return found.sensitivity + found.specificity - 1
        if self.name == "smoothed":
            return smoothed_youden(found)
        if self.name == "sensitivity":
            reached = found.sensitivity >= self.target_sensitivity - EQUAL
            return np.where(reached, found.threshold, -np.inf)
        if self.name == "cost":
            return -cost(found, self.cost_ratio)
        raise ValueError(f"rule {self.name!r} does not choose")

    def preferred(self, found: Candidates, patients: int | None) -> int:
        """Returns the index of the candidate that the rule prefers.

        Args:
            found: the candidates.
            patients: with images of the class that fewer patients have, so that the
                smoothed rule knows how far to trust them; None trusts them fully.
        """
        best = best_candidate(self.goal(found), found)
        if self.name == "smoothed" and patients is not None:
            return pulled_to_half(best, found, patients)
        return best


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
    reach = REACH * shift
    grid = np.arange(odds.min() - reach, odds.max() + reach + step, step)
    index = np.interp(grid, odds, found.sensitivity + found.specificity - 1)
    offsets = np.arange(-reach, reach + step / 2, step)
    kernel = 1 / np.cosh(offsets / (2 * shift)) ** 2
    padded = np.pad(index, len(offsets) // 2, mode="edge")
    smooth = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return np.interp(odds, grid, smooth)


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
    best = np.flatnonzero(value >= value.max() - EQUAL)
    return int(best[np.argmax(found.width[best])])
