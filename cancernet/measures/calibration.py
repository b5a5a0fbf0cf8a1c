"""Calibration: fits the correction of probabilities, and measures how far they are from right.

With few validating patients the best temperature says more about them than about the
next patient, so it is drawn towards 1: log T counts p / (p + PRIOR_PATIENTS) with p
validating patients, as the mean of a normal distribution would move.
"""

import dataclasses
from typing import Any

import numpy as np

from cancernet.config import CALIBRATIONS
from cancernet.measures.calls import Calls, check_patients, check_probabilities, check_truth
from cancernet.measures.decisions import NONE, SMALLEST, Calibration
from cancernet.measures.intervals import UNDEFINED
from cancernet.measures.metrics import ByName, ratio
from cancernet.measures.remarks import CALIBRATION_ERROR, FEW_PATIENTS, Kind, Remark, remark

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0
# How many patients the prior that 1 is right counts for (benchmarks/QUALITY.md).
PRIOR_PATIENTS = 10
FEW_IMAGES = 1000
SIMULATIONS = 200
# Scores are kept this far from 0 and 1 where a logarithm is taken.
_SURE = 1e-12


def fit_calibration(
    truth: Any,
    probabilities: Any,
    *,
    method: str,
    positive: int | None = None,
    patients: Any = None,
) -> Calibration:
    """Fits a correction on validation.

    Args:
        truth: (images,) class indices.
        probabilities: (images, classes), rows adding up to 1.
        method: one of `CALIBRATIONS`.
        positive: index of the positive class, needed by "isotonic".
        patients: (images,) name of every image's patient; the fewer they are, the more a
            temperature is drawn towards 1. Without them it is taken as found.

    Returns:
        The fit; no correction, with a remark, for a single class or without any error.

    Raises:
        ValueError: an unknown method, isotonic for more than two classes, bad input.
    """
    if method not in CALIBRATIONS:
        raise ValueError(f"unknown calibration {method!r}; known are {', '.join(CALIBRATIONS)}")
    classes = np.shape(probabilities)[-1]
    truth = check_truth(truth, classes)
    probabilities = check_probabilities(probabilities, len(truth), classes)
    if method == "isotonic" and (classes != 2 or positive not in (0, 1)):
        raise ValueError("isotonic calibration is for two classes of which one is positive")
    if method == "none":
        return NONE
    if truth.min() == truth.max():
        return Calibration(method="none", remarks=(remark(Kind.NOT_CALIBRATED_ON_ONE_CLASS),))
    count = None if patients is None else len(set(check_patients(patients, len(truth))))
    few: tuple[Remark, ...] = ()
    if count is not None and count < FEW_PATIENTS:
        few = (remark(Kind.FEW_PATIENTS_FITTED, patients=count),)
    if method == "temperature":
        return _fit_temperature(truth, probabilities, count, few)
    assert positive is not None
    if len(truth) < FEW_IMAGES:
        few = (*few, remark(Kind.FEW_IMAGES_FITTED, images=len(truth)))
    knots = isotonic_knots(truth == positive, probabilities[:, positive])
    shares = tuple((np.bincount(truth) / len(truth)).tolist())
    return Calibration(
        method="isotonic", positive=positive, knots=knots, shares=shares, remarks=few
    )


def isotonic_knots(truth: np.ndarray, score: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Fits a rising line to 0/1 truth; returns the corners it is drawn through.

    Between corners `numpy.interp` goes straight and beyond the ends stays level, as
    scikit-learn's IsotonicRegression(out_of_bounds="clip") does.
    """
    from scipy.optimize import isotonic_regression

    scores, place = np.unique(score, return_inverse=True)
    images = np.bincount(place).astype(np.float64)
    share = np.bincount(place, weights=truth) / images
    fitted = isotonic_regression(share, weights=images).x
    # Inside a level stretch no corner is needed.
    inner = (fitted[1:-1] != fitted[:-2]) | (fitted[1:-1] != fitted[2:])
    kept = np.concatenate([[True], inner, [True]])[: len(scores)]
    return tuple((float(x), float(y)) for x, y in zip(scores[kept], fitted[kept], strict=True))


def best_temperature(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Returns the temperature of the least log loss, within the bounds."""
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    logs = np.log(np.maximum(probabilities, SMALLEST))
    own = logs[np.arange(len(truth)), truth]

    def loss(log_temperature: float) -> float:
        cold = np.exp(-log_temperature)
        return float(np.mean(logsumexp(logs * cold, axis=1) - own * cold))

    bounds = (np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-8})
    return float(np.exp(found.x))


def _fit_temperature(
    truth: np.ndarray, probabilities: np.ndarray, patients: int | None, few: tuple[Remark, ...]
) -> Calibration:
    """Fits the temperature T; of p patients T^(p / (p + PRIOR_PATIENTS)) is taken."""
    if (probabilities.argmax(axis=1) == truth).all():
        return Calibration(method="none", remarks=(remark(Kind.NOTHING_MISCLASSIFIED),))
    alone = best_temperature(truth, probabilities)
    if alone > 0.99 * HIGHEST_TEMPERATURE:
        few = (*few, remark(Kind.UNINFORMATIVE_SCORES))
    if patients is None:
        return Calibration(method="temperature", temperature=alone, remarks=few)
    weight = patients / (patients + PRIOR_PATIENTS)
    temperature = alone**weight
    if patients < FEW_PATIENTS:
        values = {"alone": alone, "weight": weight, "temperature": temperature}
        few = (remark(Kind.TEMPERATURE_SHRUNK, patients=patients, **values), *few)
    return Calibration(method="temperature", temperature=temperature, remarks=few)


@dataclasses.dataclass(frozen=True)
class Reliability:
    """Images gathered by score; every array of shape (bins,).

    Attributes:
        edges: (bins + 1,) of the bins; a score at an edge belongs to the upper bin.
        mean_score: NaN in empty bins.
        observed: share of positives; NaN in empty bins.
    """

    edges: np.ndarray
    images: np.ndarray
    mean_score: np.ndarray
    observed: np.ndarray


def reliability(calls: Calls, bins: int = 10) -> Reliability:
    """Gathers images into bins of equal width between 0 and 1."""
    truth, score = calls.truth, calls.score
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


def calibration_metrics(calls: Calls, *, bins: int = 10, seed: int = 7) -> CalibrationFigures:
    """Measures the calibration of scores; `seed` is that of the simulation of `ece_if_perfect`."""
    truth, score = calls.truth, calls.score
    drawn = _simulated_errors(score, bins, seed)
    sure = np.clip(score, _SURE, 1 - _SURE)
    return CalibrationFigures(
        images=len(truth),
        bins=bins,
        brier=float(np.mean((score - truth) ** 2)),
        log_loss=float(-np.mean(np.where(truth == 1, np.log(sure), np.log1p(-sure)))),
        ece=expected_calibration_error(truth, score, bins),
        ece_if_perfect=float(drawn.mean()),
        ece_if_perfect_95=float(np.quantile(drawn, 0.95)),
        in_the_large=in_the_large(truth, score),
        slope=logistic_fit(truth, sure, with_slope=True)[1],
    )


def in_the_large(truth: np.ndarray, score: np.ndarray) -> float:
    """Returns the log odds to add to every score so that the mean fits; NaN with one class only."""
    return logistic_fit(truth, np.clip(score, _SURE, 1 - _SURE), with_slope=False)[0]


def expected_calibration_error(truth: np.ndarray, score: np.ndarray, bins: int = 10) -> float:
    """Returns the mean distance of observed share and mean score, weighted by images."""
    return _error_of_bins(truth, score, _bin_of(score, np.linspace(0, 1, bins + 1)))


def logistic_fit(truth: np.ndarray, score: np.ndarray, *, with_slope: bool) -> tuple[float, float]:
    """Fits log odds of truth = a + b · log odds of score by Newton's method.

    Args:
        truth: (images,) 0 or 1.
        score: (images,) strictly between 0 and 1.
        with_slope: fit b too; otherwise b is 1.

    Returns:
        (a, b); (NaN, NaN) where there is no finite answer.
    """
    from scipy.special import expit

    odds = np.log(score) - np.log1p(-score)
    if truth.min() == truth.max() or (with_slope and _separated(truth, odds)):
        return UNDEFINED
    columns = [np.ones_like(odds), odds] if with_slope else [np.ones_like(odds)]
    design = np.stack(columns, axis=1)
    found = np.array([0.0, 1.0]) if with_slope else np.array([0.0])
    offset = 0 if with_slope else odds
    for _ in range(100):
        expected = expit(design @ found + offset)
        weight = expected * (1 - expected)
        curvature = design.T @ (design * weight[:, np.newaxis])
        try:
            step = np.linalg.solve(curvature, design.T @ (truth - expected))
        except np.linalg.LinAlgError:
            return UNDEFINED
        # Far from the answer Newton overshoots; a bounded step still arrives.
        found = found + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-9:
            return float(found[0]), float(found[1]) if with_slope else 1.0
    return UNDEFINED


def _separated(truth: np.ndarray, odds: np.ndarray) -> bool:
    low, high = odds[truth == 0], odds[truth == 1]
    return bool(low.max() <= high.min() or high.max() <= low.min())


def _bin_of(score: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.clip(np.searchsorted(edges, score, side="right") - 1, 0, len(edges) - 2)


def _error_of_bins(truth: np.ndarray, score: np.ndarray, place: np.ndarray) -> float:
    gaps = np.bincount(place, weights=score - truth)
    return float(np.abs(gaps).sum() / len(score))


def _simulated_errors(score: np.ndarray, bins: int, seed: int) -> np.ndarray:
    generator, place = np.random.default_rng(seed), _bin_of(score, np.linspace(0, 1, bins + 1))
    errors = [
        _error_of_bins(generator.random(len(score)) < score, score, place)
        for _ in range(SIMULATIONS)
    ]
    return np.array(errors)
