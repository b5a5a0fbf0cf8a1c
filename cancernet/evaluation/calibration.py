"""Probabilities that mean what they say, fitted on validation and stored with the run.

Temperature scaling divides the log probabilities by one number and makes them add up to
1 again (Guo et al. 2017, arXiv:1706.04599); it works for any number of classes and never
changes which class is the most probable, nor the order of two images of two classes.
Isotonic regression (Zadrozny & Elkan 2002, doi:10.1145/775047.775151) is a rising step
line through the scores, for two classes and many images; it makes ties.
"""

import dataclasses
from typing import Any

import numpy as np

from cancernet.evaluation import checks

METHODS = ("none", "temperature", "isotonic")
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0
FEW_PATIENTS = 10
FEW_IMAGES = 1000
# float32 softmax ends near here; a probability of 0 would have no logarithm.
_SMALLEST = 1e-30


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibration:
    """A fitted correction of probabilities.

    Attributes:
        method: one of `METHODS`.
        temperature: above 0; 1 changes nothing, above 1 makes less sure.
        positive: index of the positive class, for "isotonic".
        knots: ((score, probability), …) rising, for "isotonic".
        note: what a reader must know about this fit; empty when nothing.
    """

    method: str
    temperature: float = 1.0
    positive: int | None = None
    knots: tuple[tuple[float, float], ...] = ()
    note: str = ""

    def apply(self, probabilities: Any) -> np.ndarray:
        """Corrects probabilities of shape (images, classes), rows adding up to 1."""
        given = np.asarray(probabilities, dtype=np.float64)
        if self.method == "temperature":
            return scale(given, self.temperature)
        if self.method == "isotonic":
            assert self.positive is not None
            score, probability = np.array(self.knots).T
            found = np.interp(given[:, self.positive], score, probability)
            columns = (1 - found, found) if self.positive == 1 else (found, 1 - found)
            return np.stack(columns, axis=1)
        return given

    def as_dict(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        return {**dataclasses.asdict(self), "knots": [list(knot) for knot in self.knots]}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Calibration":
        """Reads what `as_dict` gave.

        Raises:
            ValueError: an unknown method or numbers that cannot be.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        values = {key: value for key, value in content.items() if key in names}
        values["knots"] = tuple((float(x), float(y)) for x, y in values.get("knots", ()))
        found = cls(**values)
        if found.method not in METHODS or not 0 < found.temperature < np.inf:
            raise ValueError(f"this is no calibration: {content}")
        if found.method == "isotonic" and (found.positive not in (0, 1) or not found.knots):
            raise ValueError("an isotonic calibration needs its positive class and its knots")
        return found


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
        method: one of `METHODS`.
        positive: index of the positive class, needed by "isotonic".
        patients: (images,) name of every image's patient, to warn when they are few.

    Returns:
        The fit; with one class only, or without a single error, none, and a note.

    Raises:
        ValueError: an unknown method, isotonic for more than two classes, bad input.
    """
    if method not in METHODS:
        raise ValueError(f"unknown calibration {method!r}; known are {', '.join(METHODS)}")
    classes = np.shape(probabilities)[-1]
    truth = checks.check_truth(truth, classes)
    probabilities = checks.check_probabilities(probabilities, len(truth), classes)
    if method == "isotonic" and (classes != 2 or positive not in (0, 1)):
        raise ValueError("isotonic calibration is for two classes of which one is positive")
    if method == "none":
        return Calibration(method="none")
    if truth.min() == truth.max():
        return Calibration(
            method="none",
            note="Not calibrated: all validation images are of one class, which shows nothing.",
        )
    note = _few(len(truth), patients, method)
    if method == "temperature":
        return _fit_temperature(truth, probabilities, note)
    assert positive is not None
    knots = isotonic_knots(truth == positive, probabilities[:, positive])
    return Calibration(method="isotonic", positive=positive, knots=knots, note=note)


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divides log probabilities by the temperature; rows add up to 1 again."""
    logs = np.log(np.maximum(probabilities, _SMALLEST)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


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
