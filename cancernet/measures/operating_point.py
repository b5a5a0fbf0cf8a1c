"""The threshold that turns a score into a call, chosen on validation and nowhere else.

`candidates` lists the thresholds that validation can tell apart; `preferred` takes the one
that a rule wants most: of equally good ones that in the widest gap, then the lowest.
"""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from cancernet.measures.calls import Calls
from cancernet.measures.decisions import SHIFT, STAND_IN, OperatingPoint, Rule, log_odds
from cancernet.measures.ranking import curve_counts
from cancernet.measures.remarks import FEW_PATIENTS, Kind, Remark, remark

MARGIN = 2e-6
# The shifts averaged over: beyond REACH scales less than 0.002 % of the distribution is left.
REACH = 12
# How many patients the expected threshold counts for, as a prior (benchmarks/QUALITY.md).
PRIOR_PATIENTS = 1
EQUAL = 1e-12


@dataclasses.dataclass(frozen=True)
class Candidates:
    """Thresholds from low to high and the share of each class they call right.

    Attributes:
        threshold: (candidates,).
        sensitivity: (candidates,) falling.
        specificity: (candidates,) rising.
        width: (candidates,) width of the gap between scores, in log odds.
        prevalence: share of positives.
    """

    threshold: np.ndarray
    sensitivity: np.ndarray
    specificity: np.ndarray
    width: np.ndarray
    prevalence: float


def choose_operating_point(calls: Calls, rule: Rule = Rule()) -> OperatingPoint:
    """Chooses a threshold on validation.

    Args:
        calls: of validation; their threshold does not count. The fewer patients are known, the
            less they are trusted.

    Returns:
        The operating point. With one class only no rule can choose: the expected threshold stands
        in (or the fixed one holds), with a remark that says so.
    """
    chosen, remarks = _chosen(calls, rule)
    stands_in = calls.of_one_class and rule.name != "fixed"
    called = calls.score >= chosen
    return OperatingPoint(
        threshold=chosen,
        rule_name=STAND_IN if stands_in else rule.name,
        rule_number=chosen if stands_in else rule.number,
        sensitivity=_share(called[calls.truth == 1]),
        specificity=_share(~called[calls.truth == 0]),
        images=len(calls),
        patients=None if calls.patients is None else len(calls.names),
        remarks=tuple(remarks),
    )


def given_point(threshold: float) -> OperatingPoint:
    """Returns an operating point that was given, where nothing validates it."""
    return OperatingPoint(
        threshold=threshold,
        rule_name="fixed",
        rule_number=threshold,
        sensitivity=math.nan,
        specificity=math.nan,
        images=0,
        patients=0,
    )


def _chosen(calls: Calls, rule: Rule) -> tuple[float, list[Remark]]:
    if rule.name == "fixed":
        return float(rule.threshold), []
    numbers = None if calls.patients is None else calls.patients_by_class
    if calls.of_one_class:
        said = remark(Kind.VALIDATION_OF_ONE_CLASS, only=calls.only, threshold=rule.expected)
        return rule.expected, [said]
    few = []
    if numbers is not None and min(numbers) < FEW_PATIENTS:
        negatives, positives = numbers
        few = [remark(Kind.FEW_PATIENTS_CHOSE, with_positives=positives, with_negatives=negatives)]
    found = candidates(calls)
    best = preferred(rule, found, None if numbers is None else min(numbers))
    remarks = _remarks(found, best, rule, int(calls.truth.sum()))
    return float(found.threshold[best]), [*remarks, *few]


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


def _share(hits: np.ndarray) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


def candidates(calls: Calls) -> Candidates:
    """Lists every threshold that tells two scores apart by a margin, and one beyond each end.

    A threshold lies midway (in log odds) between two neighbouring scores, at least `MARGIN`
    from either, so that rounding a score, or running the same network through another program,
    flips no decision on the images it was chosen on. Scores nearer to each other than twice the
    margin are not told apart. Both classes must be present.
    """
    ranking = calls.ranking
    true_positives, false_positives = (count[::-1] for count in curve_counts(ranking))
    scores = ranking.scores[::-1]
    positives = float(calls.truth.sum())
    negatives = len(calls) - positives
    # Threshold k calls the scores from the k-th upwards; the last calls none.
    sensitivity = np.append(true_positives, 0.0) / positives
    specificity = 1 - np.append(false_positives, 0.0) / negatives
    # Beyond the ends: half the odds of the lowest score, twice those of the highest.
    inner = log_odds(scores)
    low = np.append(-np.inf, scores)
    high = np.append(scores, np.inf)
    odds_low = np.append(inner[0] - 2 * np.log(2), inner)
    odds_high = np.append(inner, inner[-1] + 2 * np.log(2))
    middle = 1 / (1 + np.exp(-(odds_low + odds_high) / 2))
    threshold = np.clip(np.clip(middle, low + MARGIN, high - MARGIN), 0.0, 1.0)
    clear = high - low >= 2 * MARGIN
    # Every score reaches a threshold of 0, so that the lower end needs no margin.
    clear[-1] = scores[-1] + MARGIN <= 1
    return Candidates(
        threshold[clear],
        sensitivity[clear],
        specificity[clear],
        (odds_high - odds_low)[clear],
        positives / len(calls),
    )


def goal(rule: Rule, found: Candidates) -> np.ndarray:
    """Returns what a rule wants most of, for every candidate; shape (candidates,)."""
    match rule.name:
        case "youden":
            return found.sensitivity + found.specificity - 1
        case "smoothed":
            return smoothed_youden(found)
        case "sensitivity":
            reached = found.sensitivity >= rule.target_sensitivity - EQUAL
            return np.where(reached, found.threshold, -np.inf)
        case "cost":
            return -cost(found, rule.cost_ratio)
    raise ValueError(f"rule {rule.name!r} does not choose")


def preferred(rule: Rule, found: Candidates, patients: int | None) -> int:
    """Returns the index of the candidate that a rule prefers.

    `patients` have images of the class that fewer patients have: how far the smoothed rule
    trusts the choice; None trusts it fully.
    """
    best = best_candidate(goal(rule, found), found)
    if rule.name == "smoothed" and patients is not None:
        return pulled(best, found, patients, rule.expected)
    return best


def smoothed_youden(found: Candidates, shift: float = SHIFT, step: float = 0.05) -> np.ndarray:
    """Returns the expected sensitivity + specificity - 1 when patients' scores shift.

    The patients who validate are few, and the next one's scores lie higher or lower as
    a whole. The threshold is the same as shifting the scores the other way, so the
    Youden index is averaged over a logistic distribution of shifts in log odds. Unlike
    the plain maximum it does not follow the jumps of single images.

    `shift` is the scale of the distribution and `step` the grid's, both in log odds.
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


def pulled(best: int, found: Candidates, patients: int, expected: float) -> int:
    """Returns the candidate nearest to p / (p + 1) of the way to the best one, in log odds.

    The way begins at the threshold that one expects before seeing a validation score: 0.5,
    since classes are weighted alike in training, or what it is after a correction
    (`Calibration.even`). p patients
    shift that expectation as p observations shift the mean of a normal distribution whose
    prior is worth one of them. p are the patients with images of the class that fewer patients
    have.
    """
    odds, start = log_odds(found.threshold), log_odds(np.array(expected))
    goal = start + (odds[best] - start) * patients / (patients + PRIOR_PATIENTS)
    return int(np.argmin(np.abs(odds - goal)))


def cost(found: Candidates, cost_ratio: float) -> np.ndarray:
    """Returns the mean cost an image in false alarms: ratio·misses + false alarms."""
    missed = found.prevalence * (1 - found.sensitivity)
    return cost_ratio * missed + (1 - found.prevalence) * (1 - found.specificity)


def best_candidate(value: np.ndarray, found: Candidates) -> int:
    """Returns the index of the largest value; of equals the widest gap, then the lowest."""
    best = np.flatnonzero(value >= value.max() - EQUAL)
    return int(best[np.argmax(found.width[best])])
