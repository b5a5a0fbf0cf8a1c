"""The thresholds that a validation set can tell apart.

A threshold lies midway (in log odds) between two neighbouring scores, at least
`MARGIN` from either, so that rounding a score, or running the same network through
another program, flips no decision on the images it was chosen on. Scores nearer to each
other than twice the margin are not told apart.
"""

import dataclasses

import numpy as np

from cancernet.measures.ranking import curve_counts, rank

MARGIN = 2e-6
# Log odds are taken of scores at least this far from 0 and 1.
_SMALLEST = 1e-7


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


def candidates(truth: np.ndarray, score: np.ndarray) -> Candidates:
    """Lists every threshold that tells two scores apart by a margin, and one beyond each end.

    Args:
        truth: (images,) 0 or 1, both present.
        score: (images,) 0-1.
    """
    ranking = rank(truth, score)
    true_positives, false_positives = (count[::-1] for count in curve_counts(ranking))
    scores = ranking.scores[::-1]
    positives = float(truth.sum())
    negatives = len(truth) - positives
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
        positives / len(truth),
    )


def log_odds(score: np.ndarray) -> np.ndarray:
    """Returns log(score / (1 - score)), finite for 0 and 1 too."""
    inside = np.clip(score, _SMALLEST, 1 - _SMALLEST)
    return np.log(inside) - np.log1p(-inside)
