"""Figures of calls, positive classes against the rest, and the records that hold them.

An undefined ratio is NaN, never 0: a sensitivity of 0 says that every positive was
missed, which is not the same as that there was none.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cancernet.base.records import Sparse
from cancernet.measures.calls import Calls
from cancernet.measures.ranking import areas

METRICS = (
    "accuracy", "sensitivity", "specificity", "balanced_accuracy", "precision", "f1", "mcc",
    "roc_auc", "pr_auc", "brier",
)  # fmt: skip


class ByName(Mapping[str, Any]):
    """A dataclass whose fields are read by name too, as tables and loops over figures do."""

    def __getitem__(self, name: str) -> Any:
        if name not in list(self):
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in dataclasses.fields(self))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(list(iter(self)))


@dataclasses.dataclass(frozen=True)
class ConfusionMatrix(ByName):
    """Numbers of images by truth and call: true and false negatives and positives."""

    tn: int
    fp: int
    fn: int
    tp: int

    @property
    def table(self) -> list[list[int]]:
        """Rows truth, columns call, negative first."""
        return [[self.tn, self.fp], [self.fn, self.tp]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassFigures(ByName):
    """One class against the others; NaN where undefined, as all are without images."""

    accuracy: float
    precision: float
    recall: float
    f1: float
    support: int
    roc_auc: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanFigures(ByName):
    """Means over the classes that occur and where each is defined."""

    precision: float
    recall: float
    f1: float
    roc_auc: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerClass(ByName):
    """Every class, the most probable one being the prediction; `per_class` of `metrics.json`.

    Attributes:
        classes: name -> its figures.
        macro: plain means.
        weighted: means weighted by the images of each class.
        accuracy: share of images whose class is right.
        confusion_matrix: rows truth, columns prediction.
        absent: classes without images, which no average counts.
        never_predicted: classes without precision.
    """

    classes: dict[str, ClassFigures]
    macro: MeanFigures
    weighted: MeanFigures
    accuracy: float
    confusion_matrix: list[list[int]]
    absent: list[str]
    never_predicted: list[str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figures(ByName, Sparse):
    """Figures of one split; NaN where undefined.

    Attributes:
        patients: whose images they are, or None when not known.
        sensitivity: recall of the positive; NaN without positives.
        specificity: recall of the rest.
        balanced_accuracy: mean of the two; NaN with one class only.
        precision: NaN without any called positive.
        f1: NaN without positives.
        mcc: Matthews correlation; NaN when a row or column of the matrix is empty.
        roc_auc: NaN with one class only, as is `pr_auc`.
        pr_auc: average precision.
        brier: mean squared distance of score and truth.
        per_class: of more than two classes, or None.
    """

    images: int
    patients: int | None
    accuracy: float
    sensitivity: float
    specificity: float
    balanced_accuracy: float
    precision: float
    f1: float
    mcc: float
    roc_auc: float
    pr_auc: float
    brier: float
    confusion_matrix: ConfusionMatrix
    per_class: PerClass | None = None


_UNDEFINED: dict[str, Any] = dict.fromkeys(METRICS, math.nan)
# Of a split that was not judged.
NOTHING = Figures(images=0, patients=0, confusion_matrix=ConfusionMatrix(0, 0, 0, 0), **_UNDEFINED)


def binary_metrics(calls: Calls) -> Figures:
    """Judges calls of positives against the rest; patients, where known, are only counted."""
    matrix = ConfusionMatrix(*map(int, np.bincount(2 * calls.truth + calls.called, minlength=4)))
    counts = (np.float64(count) for count in dataclasses.astuple(matrix))
    ratios = {name: float(value) for name, value in count_metrics(*counts).items()}
    roc_auc, average_precision = areas(calls.ranking)
    return Figures(
        images=len(calls),
        patients=None if calls.patients is None else len(calls.names),
        **ratios,  # type: ignore[arg-type]
        roc_auc=roc_auc,
        pr_auc=average_precision,
        brier=float(np.mean((calls.score - calls.truth) ** 2)),
        confusion_matrix=matrix,
    )


def confusion_table(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Returns counts of shape (classes, classes): rows truth, columns prediction."""
    return np.bincount(classes * truth + predicted, minlength=classes**2).reshape(classes, classes)


def count_metrics(tn: Any, fp: Any, fn: Any, tp: Any) -> dict[str, np.ndarray]:
    """Every metric that needs the confusion matrix only; NaN where undefined.

    Args:
        tn, fp, fn, tp: true and false negatives and positives, float64 of one shape.

    Returns:
        `accuracy, sensitivity, specificity, balanced_accuracy, precision, f1, mcc`, each
        of that shape.
    """
    positives, negatives, called = tp + fn, tn + fp, tp + fp
    sensitivity, specificity = ratio(tp, positives), ratio(tn, negatives)
    # F1 as Dice: 2 tp / (2 tp + fp + fn). 0 when positives exist and none was called.
    f1 = np.where(positives > 0, ratio(2 * tp, called + positives), np.nan)
    # Matthews 1975, doi:10.1016/0005-2795(75)90109-9. Roots first: no overflow.
    spread = np.sqrt(positives * negatives) * np.sqrt(called * (tn + fn))
    return {
        "accuracy": ratio(tp + tn, positives + negatives),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "precision": ratio(tp, called),
        "f1": f1,
        "mcc": ratio(tp * tn - fp * fn, spread),
    }


def ratio(numerator: Any, denominator: Any) -> np.ndarray:
    """Divides; NaN, without a warning, where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result
