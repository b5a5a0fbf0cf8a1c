"""How far probabilities are from what happens: bins, calibration error, slope, log loss."""

import dataclasses
from typing import Any

import numpy as np

from cancernet.measures import checks
from cancernet.measures.figures import ByName
from cancernet.measures.metrics import ratio
from cancernet.measures.words import CALIBRATION_ERROR

SIMULATIONS = 200
_SMALLEST = 1e-12


@dataclasses.dataclass(frozen=True)
class Reliability:
    """Images gathered by score; every array of shape (bins,).

    Attributes:
        edges: (bins + 1,) of the bins; a score at an edge belongs to the upper bin.
        images: in every bin.
        mean_score: NaN in empty bins.
        observed: share of positives; NaN in empty bins.
    """

    edges: np.ndarray
    images: np.ndarray
    mean_score: np.ndarray
    observed: np.ndarray


def reliability(truth: np.ndarray, score: np.ndarray, bins: int = 10) -> Reliability:
    """Gathers images into bins of equal width between 0 and 1."""
    edges = np.linspace(0, 1, bins + 1)
    place = _bin_of(score, edges)
    images = np.bincount(place, minlength=bins)
    return Reliability(
        edges,
        images,
        ratio(np.bincount(place, weights=score, minlength=bins), images),
        ratio(np.bincount(place, weights=truth, minlength=bins), images),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CalibrationFigures(ByName):
    """How far the scores of positives are from what happens.

    Attributes:
        images: that were judged.
        bins: of equal width.
        brier: mean squared distance of score and truth.
        log_loss: natural logarithm, scores kept 1e-12 from 0 and 1.
        ece: mean distance of observed share and mean score over bins, weighted by images
            (Naeini et al. 2015).
        ece_if_perfect: its mean when labels are drawn from the scores.
        ece_if_perfect_95: its 95th percentile then.
        in_the_large: log odds to add to every score so that the mean fits; 0 is right.
        slope: of the log odds; 1 is right, below 1 too sure of itself. Both are NaN with one
            class only, the slope also when the scores separate the classes.
    """

    images: int
    bins: int
    brier: float
    log_loss: float
    ece: float
    ece_if_perfect: float
    ece_if_perfect_95: float
    in_the_large: float
    slope: float

    @property
    def note(self) -> str:
        """How to read the expected calibration error."""
        return CALIBRATION_ERROR


def calibration_metrics(
    truth: Any, score: Any, *, bins: int = 10, seed: int = 7
) -> CalibrationFigures:
    """Measures the calibration of the scores of positives against the rest.

    Args:
        truth: (images,) 1 for positive, 0 for the rest.
        score: (images,) 0-1.
        bins: of equal width.
        seed: of the simulation behind `ece_if_perfect`.

    Raises:
        ValueError: shapes that differ or values out of range.
    """
    truth = checks.check_truth(truth)
    score = checks.check_score(score, len(truth))
    drawn = _simulated_errors(score, bins, seed)
    sure = np.clip(score, _SMALLEST, 1 - _SMALLEST)
    return CalibrationFigures(
        images=len(truth),
        bins=bins,
        brier=float(np.mean((score - truth) ** 2)),
        log_loss=float(-np.mean(np.where(truth == 1, np.log(sure), np.log1p(-sure)))),
        ece=expected_calibration_error(truth, score, bins),
        ece_if_perfect=float(drawn.mean()),
        ece_if_perfect_95=float(np.quantile(drawn, 0.95)),
        in_the_large=logistic_fit(truth, sure, with_slope=False)[0],
        slope=logistic_fit(truth, sure, with_slope=True)[1],
    )


def expected_calibration_error(truth: np.ndarray, score: np.ndarray, bins: int = 10) -> float:
    """Returns the mean distance of observed share and mean score, weighted by images."""
    place = _bin_of(score, np.linspace(0, 1, bins + 1))
    gaps = np.bincount(place, weights=score - truth, minlength=bins)
    return float(np.abs(gaps).sum() / len(score))


def logistic_fit(truth: np.ndarray, score: np.ndarray, *, with_slope: bool) -> tuple[float, float]:
    """Fits log odds of truth = a + b · log odds of score by Newton's method.

    Args:
        truth: (images,) 0 or 1.
        score: (images,) strictly between 0 and 1.
        with_slope: fit b too; otherwise b is 1.

    Returns:
        (a, b); (NaN, NaN) where there is no finite answer.
    """
    undefined = (float("nan"), float("nan"))
    odds = np.log(score) - np.log1p(-score)
    if truth.min() == truth.max() or (with_slope and _separated(truth, odds)):
        return undefined
    columns = [np.ones_like(odds), odds] if with_slope else [np.ones_like(odds)]
    design = np.stack(columns, axis=1)
    found = np.array([0.0, 1.0]) if with_slope else np.array([0.0])
    offset = 0 if with_slope else odds
    for _ in range(100):
        expected = _probability(design @ found + offset)
        weight = expected * (1 - expected)
        curvature = design.T @ (design * weight[:, np.newaxis])
        try:
            step = np.linalg.solve(curvature, design.T @ (truth - expected))
        except np.linalg.LinAlgError:
            return undefined
        # Far from the answer Newton overshoots; a bounded step still arrives.
        found = found + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-9:
            return float(found[0]), float(found[1]) if with_slope else 1.0
    return undefined


def _probability(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(odds, -700, 700)))


def _separated(truth: np.ndarray, odds: np.ndarray) -> bool:
    low, high = odds[truth == 0], odds[truth == 1]
    return bool(low.max() <= high.min() or high.max() <= low.min())


def _bin_of(score: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.clip(np.searchsorted(edges, score, side="right") - 1, 0, len(edges) - 2)


def _simulated_errors(score: np.ndarray, bins: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    errors = [
        expected_calibration_error(generator.random(len(score)) < score, score, bins)
        for _ in range(SIMULATIONS)
    ]
    return np.array(errors)
