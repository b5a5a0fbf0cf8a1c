"""Fits the correction of probabilities on validation; `calibration.py` applies it.

With few validating patients the best temperature says more about them than about the
next patient, so it is drawn towards 1: log T counts p / (p + PRIOR_PATIENTS) with p
validating patients, as the mean of a normal distribution would move.
"""

import dataclasses
from typing import Any

import numpy as np

from cancernet.config import CALIBRATIONS
from cancernet.measures import checks
from cancernet.measures.validation.calibration import NONE, Calibration

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0
# What the expectation that 1 is right counts for, in patients (benchmarks/README.md).
PRIOR_PATIENTS = 10
FEW_PATIENTS = 10
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
        The fit; with one class only, or without a single error, none, and a note.

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
        return Calibration(
            method="none",
            note="Not calibrated: all validation images are of one class, which shows nothing.",
        )
    note = _few(len(truth), patients, method)
    if method == "temperature":
        fitted = _fit_temperature(truth, probabilities, note)
        return fitted if patients is None else drawn_towards_one(fitted, patients)
    assert positive is not None
    knots = isotonic_knots(truth == positive, probabilities[:, positive])
    return Calibration(method="isotonic", positive=positive, knots=knots, note=note)


def drawn_towards_one(found: Calibration, patients: Any) -> Calibration:
    """Returns the temperature T as T^(p / (p + PRIOR_PATIENTS)) with p patients."""
    if found.method != "temperature":
        return found
    count = len(np.unique(np.asarray(patients).astype(str)))
    trust = count / (count + PRIOR_PATIENTS)
    temperature = float(found.temperature**trust)
    note = (
        f"The {count} validating patients alone ask for a temperature of "
        f"{found.temperature:.3g}; so few are trusted by {trust:.0%}, which makes it "
        f"{temperature:.3g}. {found.note}"
        if count < FEW_PATIENTS
        else found.note
    )
    return dataclasses.replace(found, temperature=temperature, note=note.strip())


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


def _fit_temperature(truth: np.ndarray, probabilities: np.ndarray, note: str) -> Calibration:
    from scipy.optimize import minimize_scalar

    logs = np.log(np.maximum(probabilities, _SMALLEST))
    own = logs[np.arange(len(truth)), truth]
    if (logs.argmax(axis=1) == truth).all():
        return Calibration(
            method="none",
            note="Not calibrated: no validation image is misclassified, so that no temperature "
            "is too low.",
        )

    def loss(log_temperature: float) -> float:
        cold = np.exp(-log_temperature)
        top = (logs * cold).max(axis=1)
        total = top + np.log(np.exp(logs * cold - top[:, np.newaxis]).sum(axis=1))
        return float(np.mean(total - own * cold))

    bounds = (np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-8})
    temperature = float(np.exp(found.x))
    if temperature > 0.99 * HIGHEST_TEMPERATURE:
        note = f"{note} The best temperature is at its bound: these scores know nothing.".strip()
    return Calibration(method="temperature", temperature=temperature, note=note)


def _few(images: int, patients: Any, method: str) -> str:
    notes = []
    if patients is not None:
        count = len(checks.check_patients(patients, images)[0])
        if count < FEW_PATIENTS:
            notes.append(f"The fit rests on {count} patients only; on others it may well be wrong.")
    if method == "isotonic" and images < FEW_IMAGES:
        notes.append(
            f"Isotonic calibration on {images} images follows their chance; temperature is safer."
        )
    return " ".join(notes)
