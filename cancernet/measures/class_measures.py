"""Class by class, and the same folded to positive against negative.

Folded, calling one benign class another is not an error: only the side counts.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cancernet.measures.calls import Calls, check_probabilities, check_truth
from cancernet.measures.intervals import (
    BLOCK,
    RESAMPLES,
    UNDEFINED,
    Evidence,
    draw_weights,
    effective_patients,
    interval_of,
    spread_of,
    strata,
)
from cancernet.measures.metrics import (
    ClassFigures,
    MeanFigures,
    PerClass,
    confusion_table,
    count_metrics,
    ratio,
)
from cancernet.measures.ranking import areas, rank

MEASURES = ("precision", "recall", "f1")


@dataclasses.dataclass(frozen=True)
class ClassRow:
    """One class against the others, or a mean over classes.

    `accuracy` is the share of all images that are right in this respect, one class against the
    others: where most images are of other classes it is high even when every image of the class
    is missed. `support` is the number of its images; NaN marks what is undefined.
    """

    name: str
    accuracy: float
    precision: float
    recall: float
    f1: float
    support: int


@dataclasses.dataclass(frozen=True)
class ClassTable:
    """The rows of all classes and their means.

    A mean is over the classes that have images and where the measure is defined; the mean
    accuracy is not given.
    """

    classes: list[ClassRow]
    macro: ClassRow
    weighted: ClassRow

    @property
    def means(self) -> tuple[ClassRow, ClassRow]:
        """The plain mean, and the one weighted by images."""
        return self.macro, self.weighted


def class_table(table: Any, words: Sequence[str]) -> ClassTable:
    """Measures every class by itself.

    Args:
        table: (classes, classes) counts, rows truth, columns prediction.
        words: what each class means, in order.
    """
    counts = np.asarray(table, np.float64)
    right, truth, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    found = count_metrics(
        counts.sum() - truth - called + right, called - right, truth - right, right
    )
    # Without an image of the class every call of it is wrong, and every other call is right; that
    # says nothing of the class.
    columns = {
        "accuracy": np.where(truth > 0, found["accuracy"], np.nan),
        "precision": np.where(truth > 0, found["precision"], np.nan),
        "recall": found["sensitivity"],
        "f1": found["f1"],
    }
    rows = [
        ClassRow(
            name=word,
            **{name: float(column[index]) for name, column in columns.items()},
            support=int(truth[index]),
        )
        for index, word in enumerate(words)
    ]

    def mean(name: str, weights: np.ndarray) -> ClassRow:
        means = {measure: _mean(columns[measure], weights) for measure in MEASURES}
        return ClassRow(name, math.nan, **means, support=int(truth.sum()))

    return ClassTable(
        rows,
        macro=mean("macro mean", (truth > 0).astype(np.float64)),
        weighted=mean("weighted mean", truth),
    )


def per_class_metrics(truth: Any, probabilities: Any, classes: Sequence[str]) -> PerClass:
    """Judges every class against the others, as scikit-learn's `zero_division=nan`.

    Args:
        truth: (images,) class indices.
        probabilities: (images, classes), rows adding up to 1. Of equally probable
            classes the first is predicted.
        classes: names in the order of the columns.

    Raises:
        ValueError: shapes that differ, truth that is no class, probabilities outside 0-1.
    """
    truth = check_truth(truth, len(classes))
    probabilities = check_probabilities(probabilities, len(truth), len(classes))
    counts = confusion_table(truth, probabilities.argmax(axis=1), len(classes))
    found = class_table(counts, classes)
    roc_auc = [
        areas(rank(truth == index, probabilities[:, index]))[0] for index in range(len(classes))
    ]
    support, called = counts.sum(axis=1), counts.sum(axis=0)

    def mean(row: ClassRow, weights: np.ndarray) -> MeanFigures:
        return MeanFigures(
            precision=row.precision,
            recall=row.recall,
            f1=row.f1,
            roc_auc=_mean(np.array(roc_auc), weights),
        )

    return PerClass(
        classes={
            row.name: ClassFigures(
                **{name: getattr(row, name) for name in ("accuracy", *MEASURES, "support")},
                roc_auc=area,
            )
            for row, area in zip(found.classes, roc_auc, strict=True)
        },
        macro=mean(found.macro, np.ones(len(classes))),
        weighted=mean(found.weighted, support),
        accuracy=overall_accuracy(counts),
        confusion_matrix=counts.tolist(),
        absent=[name for name, count in zip(classes, support, strict=True) if not count],
        never_predicted=[name for name, count in zip(classes, called, strict=True) if not count],
    )


def fold(table: Any, positive: Sequence[int]) -> np.ndarray:
    """Adds a table of classes up to one of sides: rows truth, columns call, negative first."""
    counts = np.asarray(table, np.int64)
    side = np.isin(np.arange(len(counts)), list(positive)).astype(np.int64)
    folded = np.zeros((2, 2), np.int64)
    np.add.at(folded, (side[:, None], side[None, :]), counts)
    return folded


def overall_accuracy(table: Any) -> float:
    """Returns the share on the diagonal."""
    counts = np.asarray(table, np.float64)
    return float(ratio(np.trace(counts), counts.sum()))


@dataclasses.dataclass(frozen=True)
class Share:
    """A share of 0-1 and its 95 % limits, both NaN where none can be given."""

    value: float
    limits: tuple[float, float]


def over_classes(
    calls: Calls, truth: np.ndarray, predicted: np.ndarray, *, seed: int, resamples: int = RESAMPLES
) -> tuple[Share, Share]:
    """Judges how often the right class is named.

    Args:
        calls: whose patients are resampled, as for every other interval.
        truth, predicted: (images,) class indices.

    Returns:
        The share of images, and the plain mean of the shares of the classes that have images. A
        draw may lack a class, whose share it then leaves out. The interval of the mean rests on
        as many patients as the class with the fewest; it needs a spread in every class, as that
        of the balanced accuracy does.
    """
    present, label = np.unique(truth, return_inverse=True)
    images, right = np.zeros((2, len(calls.names), len(present)))
    np.add.at(images, (calls.patient_index, label), 1)
    np.add.at(right, (calls.patient_index, label), truth == predicted)
    weights = draw_weights(strata(calls), resamples, seed)
    # In parts: as floating-point numbers, the weights are four times as large.
    parts = np.array_split(weights, -(-weights.size // BLOCK))
    drawn_images, drawn_right = (
        np.concatenate([part @ counts for part in parts]) for counts in (images, right)
    )
    classes, total = images.sum(axis=0), images.sum()
    shares, drawn = right.sum(axis=0) / classes, ratio(drawn_right, drawn_images)
    patients = list(map(effective_patients, images.T))
    accuracy = interval_of(
        float(right.sum() / total),
        ratio(drawn_right.sum(axis=1), drawn_images.sum(axis=1)),
        Evidence(patients=effective_patients(images.sum(axis=1)), step=0.5 / total),
    )
    value, mean = float(np.mean(shares)), UNDEFINED
    # A class without a spread would count as certain.
    if all(spread_of(*each) is not None for each in zip(shares, drawn.T, patients, strict=True)):
        mean = interval_of(
            value,
            np.nanmean(drawn, axis=1),
            Evidence(patients=min(patients), step=0.5 / (classes.max() * len(classes))),
        )
    return Share(float(right.sum() / total), accuracy), Share(value, mean)


def epoch_measures(table: Any, positive: Sequence[int]) -> dict[str, float]:
    """Returns precision, recall and F1 of an epoch.

    Of two classes they are the positive one's; of more the plain mean over the classes
    where each is defined.

    Args:
        table: (classes, classes) counts, rows truth, columns prediction.
        positive: indices of the positive classes.
    """
    found = class_table(table, [str(index) for index in range(len(table))])
    row = found.classes[positive[0]] if len(table) == 2 else found.macro
    return {"precision": row.precision, "recall": row.recall, "f1": row.f1}


def score_measures(
    truth: np.ndarray, probabilities: np.ndarray, positive: Sequence[int]
) -> dict[str, float]:
    """Returns `epoch_measures` of scores by the most probable class."""
    table = confusion_table(truth, probabilities.argmax(axis=1), probabilities.shape[1])
    return epoch_measures(table, positive)


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    defined = ~np.isnan(values)
    return float(ratio((values[defined] * weights[defined]).sum(), weights[defined].sum()))


def validation_measures(
    truth: np.ndarray, scores: np.ndarray, positive: list[int]
) -> dict[str, float]:
    """Computes the measures of validation, without class weights or label smoothing.

    `val_loss` is the cross entropy (natural logarithm); `val_balanced_loss` the mean of each
    class's mean, so that it does not follow the prevalence; `val_accuracy` that of the most
    probable class; `val_auc` that of the positive classes against the rest, NaN where
    validation has one of the two alone; `val_precision`, `val_recall` and `val_f1` are those
    of `score_measures`.

    Args:
        truth: class indices, shape (n,).
        scores: probabilities, shape (n, classes).
        positive: indices of the positive classes.
    """
    if not np.isfinite(scores).all():
        # The largest of several NaN would be the first class, and its share an accuracy.
        return dict.fromkeys(validation_measures(truth, np.zeros_like(scores), positive), math.nan)
    loss = -np.log(np.clip(scores[np.arange(len(truth)), truth], 1e-7, 1.0))
    is_positive = np.isin(truth, positive)
    by_class = [loss[truth == label].mean() for label in np.unique(truth)]
    return {
        "val_loss": float(loss.mean()),
        "val_balanced_loss": float(np.mean(by_class)),
        "val_accuracy": float((scores.argmax(axis=1) == truth).mean()),
        **{f"val_{name}": value for name, value in score_measures(truth, scores, positive).items()},
        "val_auc": areas(rank(is_positive, scores[:, positive].sum(axis=1)))[0],
    }
