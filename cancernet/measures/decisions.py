"""What validation decides, as records: the operating point and the correction of probabilities.

Every prediction reads both, so this file is light to load. `operating_point` and
`calibration` make them.

Temperature scaling divides the log probabilities by one number and makes them add up to
1 again (Guo et al. 2017, arXiv:1706.04599); it works for any number of classes and never
changes which class is the most probable, nor the order of two images of two classes.
A network trained with class weights takes every class for as frequent as the others; its
probabilities are then multiplied by the shares of the classes, which fits nothing (Elkan 2001,
"The foundations of cost-sensitive learning", theorem 2). That moves all log odds of two classes
alike; of more, the most probable class may be another.
Isotonic regression (Zadrozny & Elkan 2002, doi:10.1145/775047.775151) is a rising step
line through the scores, for two classes and many images; it makes ties.

The model files hold the network as trained: whoever uses them without this program gets the
probabilities before the correction.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cancernet.base.records import Record, Written
from cancernet.config import CALIBRATIONS, RULES, TrainConfig
from cancernet.measures import remarks as words
from cancernet.measures.remarks import Kind, Remark

# float32 softmax ends near here; a probability of 0 would have no logarithm.
SMALLEST = 1e-30
# A probability of 0 or 1 has no finite log odds; it is first moved this far away from 0 or 1.
_SURE = 1e-7
# How far the scores of one patient lie from those of another, in log odds: the scale of
# a logistic distribution. Leaving out one IDC patient after the other, stain and scanner
# moved the best threshold by about this and more (benchmarks/QUALITY.md).
SHIFT = 1.0
FALLBACK = 0.5
# The `rule_name` of an operating point where the expected one stands in: no rule could choose.
STAND_IN = "stand-in"


@dataclasses.dataclass(frozen=True)
class Rule:
    """How a threshold is chosen: a rule of `cancernet.config.RULES` with its numbers.

    Attributes:
        name: "youden" for most sensitivity + specificity; "smoothed" for most of the two
            expected when the scores of the next patient are shifted at random; "sensitivity"
            for the highest threshold that reaches `target_sensitivity`; "cost" for the least
            cost when a missed positive costs `cost_ratio` false alarms, at the prevalence of
            the validation images; "fixed" for `threshold`.
        target_sensitivity: in (0, 1].
        cost_ratio: above 0.
        threshold: 0-1.
        expected: threshold expected before validation is seen, above 0 and below 1: "smoothed" is
            pulled towards it, and it stands in where no rule can choose.

    Raises:
        ValueError: an unknown rule, or a number out of bounds.
    """

    name: str = "youden"
    target_sensitivity: float = 0.95
    cost_ratio: float = 5.0
    threshold: float = FALLBACK
    expected: float = FALLBACK

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
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"the threshold must lie between 0 and 1, but is {self.threshold}")

    @property
    def words(self) -> str:
        """The rule for a reader."""
        return words.rule(self.name, self.number)

    @property
    def number(self) -> float:
        """The number that the rule goes by; NaN where it needs none."""
        numbers = {
            "smoothed": SHIFT,
            "sensitivity": self.target_sensitivity,
            "cost": self.cost_ratio,
            "fixed": self.threshold,
        }
        return numbers.get(self.name, math.nan)


def rule_of(settings: Mapping[str, Any]) -> Rule:
    """Returns the rule of a training's settings; what an older run lacks is the default."""
    names = ("operating_rule", "target_sensitivity", "cost_ratio", "threshold")
    return Rule(*(settings.get(name, getattr(TrainConfig, name)) for name in names))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Remarked:
    """Base of records with remarks. Files hold the values for programs and `note` for people."""

    remarks: tuple[Remark, ...] = ()

    @classmethod
    def upgraded(cls, entries: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the entries of version 0.1.0, which wrote sentences only, in today's form."""
        note = entries.get("note")
        if "remarks" in entries or not isinstance(note, str) or not note:
            return entries
        return {**entries, "remarks": [{"kind": Kind.SENTENCE.value, "values": {"text": note}}]}

    @Written
    def note(self) -> str:
        """The remarks in sentences."""
        return " ".join(words.sentences(self.remarks))


@dataclasses.dataclass(frozen=True, kw_only=True)
class OperatingPoint(Record, Remarked):
    """A threshold (positive iff score >= threshold) and what it promised on validation.

    Attributes:
        threshold: 0-1.
        rule_name: one of `cancernet.config.RULES`, or `STAND_IN`.
        rule_number: `Rule.number`, or what stands in; NaN also in the record of an earlier version.
        rule_sentence: the rule in words, of a record that knew it as a sentence only.
        sensitivity: on validation; NaN without positives.
        specificity: on validation; NaN without negatives.
        images: of the validation set.
        patients: of the validation set, or None when not known.
        remarks: what a reader must know about this choice.
    """

    threshold: float
    rule_name: str
    rule_number: float = math.nan
    rule_sentence: str | None = None
    sensitivity: float
    specificity: float
    images: int
    patients: int | None

    @classmethod
    def upgraded(cls, entries: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the entries of version 0.1.0, which wrote sentences, in today's form."""
        if "rule" in entries and not {"rule_number", "rule_sentence"} & entries.keys():
            entries = {**entries, "rule_number": None, "rule_sentence": entries["rule"]}
        return super().upgraded(entries)

    @Written
    def rule(self) -> str:
        """The rule in words."""
        return self.rule_sentence or words.rule(self.rule_name, self.rule_number)

    @Written
    def chosen_on(self) -> str | None:
        """What the threshold was chosen on: "validation"; None if it was given or stands in."""
        return None if self.rule_name in ("fixed", STAND_IN) else "validation"

    @property
    def origin(self) -> str:
        """Where the threshold is from, in words."""
        return words.ORIGINS.get(self.rule_name, words.CHOSEN)

    @property
    def is_fallback(self) -> bool:
        """Whether a threshold stands in because validation had one class only.

        Records of earlier versions name the rule that could not choose, and remark on it.
        """
        remarked = any(each.kind == Kind.VALIDATION_OF_ONE_CLASS for each in self.remarks)
        return self.rule_name == STAND_IN or remarked


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibration(Remarked):
    """A fitted correction of probabilities, applied wherever one is read.

    Attributes:
        method: one of `cancernet.config.CALIBRATIONS`.
        temperature: above 0; 1 changes nothing, above 1 makes less sure.
        positive: index of the positive class, for "isotonic".
        knots: ((score, probability), …) rising, for "isotonic".
        shares: of the classes, adding up to 1, that the corrected probabilities hold for. Where
            class weights are taken out, after the temperature, they are those of the images that
            training draws; for "isotonic" those of validation, which its line brings along;
            empty where neither is.
        remarks: what a reader must know about this fit.

    Raises:
        ValueError: an unknown method, or numbers that no fit gives.
    """

    method: str
    temperature: float = 1.0
    positive: int | None = None
    knots: tuple[tuple[float, float], ...] = ()
    shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.method not in CALIBRATIONS:
            raise ValueError(f"the method {self.method!r:.40} is not known")
        if not 0 < self.temperature < np.inf:
            raise ValueError(f"the temperature {self.temperature} is not above 0 and finite")
        if not all(0 < share < 1 for share in self.shares):
            raise ValueError("`shares` must lie between 0 and 1")
        if self.method == "isotonic":
            inside = all(0 <= x <= 1 and 0 <= y <= 1 for x, y in self.knots)
            if self.positive not in (0, 1):
                raise ValueError("an isotonic calibration needs its positive class, 0 or 1")
            if not self.knots or not inside or list(self.knots) != sorted(self.knots):
                raise ValueError("an isotonic calibration needs knots that rise from 0 to 1")

    def apply(self, probabilities: Any) -> np.ndarray:
        """Corrects probabilities of shape (images, classes), rows adding up to 1."""
        given = np.asarray(probabilities, dtype=np.float64)
        if self.method == "isotonic":
            assert self.positive is not None
            score, probability = np.array(self.knots).T
            found = np.interp(given[:, self.positive], score, probability)
            return both_classes(found, self.positive)
        return scale(given, self.temperature, self.shares or 1.0) if self.changes else given

    def undo(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns what the network gave, of corrected probabilities; not for "isotonic"."""
        if self.shares:
            probabilities = scale(probabilities, 1.0, 1 / np.array(self.shares))
        return scale(probabilities, 1 / self.temperature)

    def even(self, positive: Sequence[int]) -> float:
        """Returns the probability of positives where the network finds every class alike.

        That is their share among the images that the probabilities hold for, where it is known:
        there a call by it gains most sensitivity + specificity. `positive` has their columns.
        """
        return sum(self.shares[column] for column in positive) if self.shares else FALLBACK

    def expecting(self, rule: Rule, positive: Sequence[int]) -> Rule:
        """Returns the rule for corrected probabilities; `positive` has the columns of positives."""
        return dataclasses.replace(rule, expected=self.even(positive))

    @property
    def changes(self) -> bool:
        """Whether it changes any probability."""
        return self.method != "none" or bool(self.shares)

    @property
    def words(self) -> str:
        """What is done to the probabilities, for a reader."""
        said = words.CORRECTIONS_WITHOUT_WEIGHTS if self.shares else words.CORRECTIONS
        return said[self.method].format(temperature=self.temperature, corners=len(self.knots))


NONE = Calibration(method="none")


def scale(probabilities: np.ndarray, temperature: float, shares: Any = 1.0) -> np.ndarray:
    """Divides log probabilities by the temperature; rows add up to 1 again.

    `shares`, (classes,), multiply the probabilities then.
    """
    logs = np.log(np.maximum(probabilities, SMALLEST)) / temperature + np.log(shares)
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def both_classes(probability: np.ndarray, positive: int) -> np.ndarray:
    """Returns the probabilities of two classes, shape (..., 2), from those of the positive one.

    `positive` is its column.
    """
    columns = (1 - probability, probability) if positive == 1 else (probability, 1 - probability)
    return np.stack(columns, axis=-1)


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Returns ln(p / (1 - p)), finite for 0 and 1 too."""
    inside = np.clip(np.asarray(probability, np.float64), _SURE, 1 - _SURE)
    return np.log(inside) - np.log1p(-inside)
