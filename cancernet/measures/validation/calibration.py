"""A correction of probabilities, fitted on validation, stored in the run, applied everywhere.

Temperature scaling divides the log probabilities by one number and makes them add up to
1 again (Guo et al. 2017, arXiv:1706.04599); it works for any number of classes and never
changes which class is the most probable, nor the order of two images of two classes.
Isotonic regression (Zadrozny & Elkan 2002, doi:10.1145/775047.775151) is a rising step
line through the scores, for two classes and many images; it makes ties.

`cancernet.measures.validation.calibration_fit` fits; evaluation, predict.py and the API all
apply it through `Predictor`, so that a probability is the same number wherever it is read. The
model files hold the network as trained: whoever uses them without this program gets the
probabilities before the correction.
"""

import dataclasses
from typing import Any

import numpy as np

from cancernet.config import CALIBRATIONS
from cancernet.measures.remarks import Remark
from cancernet.measures.words import CORRECTIONS, sentences

# float32 softmax ends near here; a probability of 0 would have no logarithm.
_SMALLEST = 1e-30


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibration:
    """A fitted correction of probabilities.

    Attributes:
        method: one of `cancernet.config.CALIBRATIONS`.
        temperature: above 0; 1 changes nothing, above 1 makes less sure.
        positive: index of the positive class, for "isotonic".
        knots: ((score, probability), …) rising, for "isotonic".
        remarks: what a reader must know about this fit.
        note: the same in sentences, for readers of the record.

    Raises:
        ValueError: an unknown method, or numbers that no fit gives.
    """

    method: str
    temperature: float = 1.0
    positive: int | None = None
    knots: tuple[tuple[float, float], ...] = ()
    remarks: tuple[Remark, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if not self.note:
            object.__setattr__(self, "note", " ".join(sentences(self.remarks)))
        if self.method not in CALIBRATIONS:
            raise ValueError(f"the method {self.method!r:.40} is not known")
        if not 0 < self.temperature < np.inf:
            raise ValueError(f"the temperature {self.temperature} is not above 0 and finite")
        if self.method == "isotonic":
            inside = all(0 <= x <= 1 and 0 <= y <= 1 for x, y in self.knots)
            if self.positive not in (0, 1):
                raise ValueError("an isotonic calibration needs its positive class, 0 or 1")
            if not self.knots or not inside or list(self.knots) != sorted(self.knots):
                raise ValueError("an isotonic calibration needs knots that rise from 0 to 1")

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

    @property
    def words(self) -> str:
        """What is done to the probabilities, for a reader."""
        return CORRECTIONS[self.method].format(
            temperature=self.temperature, corners=len(self.knots)
        )


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divides log probabilities by the temperature; rows add up to 1 again."""
    logs = np.log(np.maximum(probabilities, _SMALLEST)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


NONE = Calibration(method="none")
