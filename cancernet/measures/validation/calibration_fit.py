"""Fits the correction of probabilities on validation; `calibration.py` applies it.

With few validating patients the best temperature says more about them than about the
next patient, so it is drawn towards 1: log T counts p / (p + PRIOR_PATIENTS) with p
validating patients, as the mean of a normal distribution would move.
"""

from typing import Any

import numpy as np

from cancernet.config import CALIBRATIONS
from cancernet.measures import checks
from cancernet.measures.remarks import FEW_PATIENTS, Kind, Remark, remark
from cancernet.measures.validation.calibration import NONE, Calibration

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0
# What the expectation that 1 is right counts for, in patients (benchmarks/README.md).
PRIOR_PATIENTS = 10
FEW_IMAGES = 1000
_SMALLEST = 1e-30


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
        The fit; with one class only, or without a single error, none, with a remark.

    Raises:
        ValueError: an unknown method, isotonic for more than two classes, bad input.
    """
    if method not in CALIBRATIONS:
        raise ValueError(f"unknown calibration {method!r}; known are {', '.join(CALIBRATIONS)}")
    classes = np.shape(probabilities)[-1]
    truth = checks.check_truth(truth, classes)
    probabilities = checks.check_probabilities(probabilities, len(truth), classes)
    if method == "isotonic" and (classes != 2 or positive not in (0, 1)):
        raise ValueError("isotonic calibration is for two classes of which one is positive")
    if method == "none":
        return NONE
    if truth.min() == truth.max():
        return _none(Kind.NOT_CALIBRATED_ON_ONE_CLASS)
    count = None if patients is None else len(checks.check_patients(patients, len(truth))[0])
    few = () if count is None or count >= FEW_PATIENTS else (_few_patients(count),)
    if method == "temperature":
        return _fit_temperature(truth, probabilities, count, few)
    assert positive is not None
    if len(truth) < FEW_IMAGES:
        few = (*few, remark(Kind.FEW_IMAGES_FITTED, images=len(truth)))
    knots = isotonic_knots(truth == positive, probabilities[:, positive])
    return Calibration(method="isotonic", positive=positive, knots=knots, remarks=few)


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

    logs = np.log(np.maximum(probabilities, _SMALLEST))
    own = logs[np.arange(len(truth)), truth]

    def loss(log_temperature: float) -> float:
        cold = np.exp(-log_temperature)
        top = (logs * cold).max(axis=1)
        total = top + np.log(np.exp(logs * cold - top[:, np.newaxis]).sum(axis=1))
        return float(np.mean(total - own * cold))

    bounds = (np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-8})
    return float(np.exp(found.x))


def _fit_temperature(
    truth: np.ndarray, probabilities: np.ndarray, patients: int | None, few: tuple[Remark, ...]
) -> Calibration:
    """Fits the temperature T; of p patients T^(p / (p + PRIOR_PATIENTS)) is taken."""
    if (probabilities.argmax(axis=1) == truth).all():
        return _none(Kind.NOTHING_MISCLASSIFIED)
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


def _none(why: Kind) -> Calibration:
    return Calibration(method="none", remarks=(remark(why),))


def _few_patients(count: int) -> Remark:
    return remark(Kind.FEW_PATIENTS_FITTED, patients=count)
