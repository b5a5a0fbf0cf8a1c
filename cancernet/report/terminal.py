"""What a training prints when it is done: the figures as text, with words."""

import math
import textwrap
from typing import Any

from cancernet.base.words import counted, images_of
from cancernet.measures.assess import Assessment
from cancernet.measures.figures import Figures
from cancernet.measures.metrics import count_metrics

WIDTH = 100


def text_report(assessment: Assessment, *, unit: str = "patient") -> str:
    """Returns the testing figures as text of at most 100 columns, for screen and log.

    Args:
        assessment: the figures.
        unit: what was not split, in a word: patient, source, group.
    """
    blocks = [
        _opening(assessment, unit),
        *([_warnings(assessment)] if assessment.warnings else []),
        _classification_report(assessment),
        _confusion_matrix(assessment),
        _headline(assessment, unit),
        _operating_point(assessment, unit),
    ]
    return "\n\n".join(blocks) + "\n"


def headline_rows(assessment: Assessment, split: str) -> list[tuple[str, float, float, float]]:
    """Returns (words, value, low, high) of every headline figure of a split."""
    metrics = assessment.testing if split == "testing" else assessment.validation
    limits = assessment.intervals[split].limits
    words = {
        "accuracy": "accuracy",
        "sensitivity": f"sensitivity (recall of {assessment.positive_word})",
        "specificity": f"specificity (recall of {assessment.negative_word})",
        "balanced_accuracy": "balanced accuracy",
        "precision": f"precision (share of {assessment.positive_word} calls that are right)",
        "f1": "F1",
        "mcc": "Matthews correlation",
        "roc_auc": "AUC (area under the ROC curve)",
        "pr_auc": "average precision (precision-recall curve)",
        "brier": "Brier score (0 is best)",
    }
    return [(text, metrics[name], *limits[name]) for name, text in words.items()]


def number(value: float, digits: int = 3) -> str:
    """Returns the number with so many digits, or `undefined`."""
    return "undefined" if math.isnan(value) else f"{value:.{digits}f}"


def interval(low: float, high: float) -> str:
    """Returns `[low, high]`, or a dash where there is none."""
    return "—" if math.isnan(low) else f"[{low:.3f}, {high:.3f}]"


def binary_rows(assessment: Assessment, metrics: Figures) -> dict[str, dict[str, Any]]:
    """Returns precision, recall, f1 and support of both sides at the operating point."""
    cells = metrics["confusion_matrix"]
    tn, fp, fn, tp = (float(cells[name]) for name in ("tn", "fp", "fn", "tp"))
    rows = {}
    for word, found, support in (
        (assessment.negative_word, count_metrics(tp, fn, fp, tn), tn + fp),
        (assessment.positive_word, count_metrics(tn, fp, fn, tp), tp + fn),
    ):
        rows[word] = {
            "precision": float(found["precision"]),
            "recall": float(found["sensitivity"]),
            "f1": float(found["f1"]),
            "support": int(support),
        }
    return rows


def _opening(assessment: Assessment, unit: str) -> str:
    metrics = assessment.testing
    sentence = (
        f"Testing: {images_of(metrics['images'], metrics['patients'], unit)}; "
        f"positive is: {assessment.positive_words}."
    )
    called = f"What is called a patient below is a {unit}." if unit != "patient" else ""
    return textwrap.fill(f"{sentence} {called}".rstrip(), WIDTH, subsequent_indent="  ")


def _warnings(assessment: Assessment) -> str:
    return "\n".join(
        textwrap.fill(f"Warning: {sentence}", WIDTH, subsequent_indent="  ")
        for sentence in assessment.warnings
    )


def _classification_report(assessment: Assessment) -> str:
    metrics = assessment.testing
    rows: dict[str, Any]
    if metrics.per_class:
        rows = dict(zip(assessment.words, metrics.per_class.classes.values(), strict=True))
        how = "most probable class"
    else:
        rows = binary_rows(assessment, metrics)
        threshold = assessment.operating_point.threshold
        own = "each fold's own threshold"
        how = own if math.isnan(threshold) else f"threshold {threshold:.6g}"
    width = max(len(word) for word in (*rows, "class"))
    lines = [f"Classification report ({how})"]
    lines.append(f"  {'class':{width}}  precision     recall         f1     images")
    for word, row in rows.items():
        cells = "".join(f"{number(row[name]):>11}" for name in ("precision", "recall", "f1"))
        lines.append(f"  {word:{width}}{cells}{row['support']:>11,}")
    if metrics.per_class:
        for average in ("macro", "weighted"):
            found = metrics.per_class[average]
            cells = "".join(f"{number(found[name]):>11}" for name in ("precision", "recall", "f1"))
            lines.append(f"  {average + ' mean':{width}}{cells}")
        lines.append(f"  accuracy over all classes: {number(metrics.per_class.accuracy)}")
    return "\n".join(lines)


def _confusion_matrix(assessment: Assessment) -> str:
    cells = assessment.testing["confusion_matrix"]
    table = [[cells["tn"], cells["fp"]], [cells["fn"], cells["tp"]]]
    words = [assessment.negative_word, assessment.positive_word]
    first = max(len("truth " + word) for word in words)
    columns = [f"called {word}" for word in words]
    lines = ["Confusion matrix (rows: truth, columns: call at the operating point)"]
    lines.append(f"  {'':{first}}" + "".join(f"   {column:>10}" for column in columns))
    for word, row in zip(words, table, strict=True):
        counts = "".join(
            f"   {count:>{max(10, len(column))},}"
            for count, column in zip(row, columns, strict=True)
        )
        lines.append(f"  {'truth ' + word:{first}}{counts}")
    return "\n".join(lines)


def _headline(assessment: Assessment, unit: str) -> str:
    found = assessment.intervals["testing"]
    rows = headline_rows(assessment, "testing")
    width = max(len(text) for text, *_ in rows)
    lines = [
        f"Testing figures with {found.level:.0%} intervals "
        f"({counted(found.patients, unit)} resampled {found.resamples:,} times)"
    ]
    for text, value, low, high in rows:
        lines.append(f"  {text:{width}}  {number(value):>9}  {interval(low, high)}".rstrip())
    return "\n".join(lines)


def _operating_point(assessment: Assessment, unit: str) -> str:
    point, testing = assessment.operating_point, assessment.testing
    where = (
        "each fold's own"
        if math.isnan(point.threshold)
        else f"positive from {point.threshold:.6g} upwards"
    )
    chosen_on = counted(point.images, "image")
    if point.patients is not None:
        chosen_on = images_of(point.images, point.patients, unit)
    return "\n".join(
        [
            f"Operating point: {where}",
            f"  rule: {point.rule}",
            f"  {point.origin} ({chosen_on} validate)",
            f"  promised on validation: sensitivity {number(point.sensitivity)}, "
            f"specificity {number(point.specificity)}",
            f"  found on testing:       sensitivity {number(testing['sensitivity'])}, "
            f"specificity {number(testing['specificity'])}",
        ]
    )
