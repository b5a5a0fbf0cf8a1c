"""Is acting on the network's score better than acting on everybody or on nobody?

Net benefit at a probability threshold p (Vickers & Elkin 2006,
doi:10.1177/0272989X06295361): true positives − false positives · p / (1 − p), both as
shares of all images. Whoever acts from p upwards says that way what a false alarm costs.
It means something only for calibrated probabilities, and at this set's prevalence.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from cancernet.measures import checks
from cancernet.report.figures.style import BLUE, GREY, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THRESHOLDS = np.linspace(0.01, 0.99, 99)


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

    def useful_range(self) -> tuple[float, float]:
        """Returns the lowest and highest threshold at which the network beats both others.

        (NaN, NaN) where it never does. Between them it may fail; the curve shows it.
        """
        better = self.thresholds[self.network > np.maximum(self.everybody, 0) + 1e-12]
        return (float(better[0]), float(better[-1])) if len(better) else (np.nan, np.nan)


def decision_curve(truth: Any, score: Any, thresholds: Any = THRESHOLDS) -> DecisionCurve:
    """Computes the net benefit of acting on the score.

    Args:
        truth: (images,) 1 for positive, 0 for the rest.
        score: (images,) calibrated probability, 0-1.
        thresholds: above 0, below 1.

    Raises:
        ValueError: shapes that differ or values out of range.
    """
    truth = checks.check_truth(truth)
    score = checks.check_score(score, len(truth))
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


def draw_decision_curve(
    curve: DecisionCurve, *, threshold: float | None = None, title: str = "", footer: str = ""
) -> "Figure":
    """Draws the net benefit of the network, of acting always, and of never acting."""
    figure, (axes,) = new_figure(width=6.2, height=4.6, footer=footer)
    axes.plot(curve.thresholds, curve.network, color=BLUE, linewidth=2, label="network")
    axes.plot(
        curve.thresholds, curve.everybody, color=ORANGE, linestyle="--", label="act on everybody"
    )
    axes.axhline(0, color=GREY, linestyle=":", label="act on nobody")
    if threshold is not None:
        axes.axvline(threshold, color=GREY, linewidth=1, label=f"operating point {threshold:.3g}")
    top = max(curve.prevalence, 0.05)
    axes.set(
        xlim=(0, 1),
        ylim=(-0.25 * top, 1.08 * top),
        xlabel="probability from which one would act",
        ylabel="net benefit",
    )
    axes.set_title(title or "Decision curve", fontsize=11)
    axes.legend(facecolor="white", edgecolor="none", framealpha=1, fontsize=9, loc="upper right")
    return figure
