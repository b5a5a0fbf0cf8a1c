"""The figures of one split as `metrics.json` holds them; NaN where undefined."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from cancernet.base.records import Sparse


class ByName(Mapping[str, Any]):
    """A dataclass whose fields are read by name too, as tables and loops over figures do."""

    def __getitem__(self, name: str) -> Any:
        if name not in self._names():
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def _names(self) -> list[str]:
        return [field.name for field in dataclasses.fields(self)]  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True)
class ConfusionMatrix(ByName):
    """Numbers of images by truth and call: true and false negatives and positives."""

    tn: int
    fp: int
    fn: int
    tp: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassFigures(ByName):
    """One class against the others; NaN where undefined, as all but accuracy without images."""

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
        images: that were judged.
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
