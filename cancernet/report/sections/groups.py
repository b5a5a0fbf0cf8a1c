"""The sections of a report that set groups, or other runs, side by side."""

import math
from collections.abc import Mapping
from typing import Any

from cancernet.base.words import images_of, some
from cancernet.measures.pooled import spread_over_folds
from cancernet.report import html as pieces
from cancernet.report.content import ReportContent
from cancernet.report.html import decimal
from cancernet.report.terminal import headline_rows, interval

COLUMNS = ("sensitivity", "specificity", "balanced_accuracy", "roc_auc")
MOST_NAMED = 6
HEADINGS = ("sensitivity", "specificity", "balanced accuracy", "AUC")


def beside(content: ReportContent) -> str:
    """The headline figures beside those of other runs or testing sets."""
    if not content.beside:
        return ""
    testing = content.assessment.testing
    facts = [
        ("split", content.split_method, *(other.split_method for other in content.beside)),
        ("leak", content.leak or "none", *(other.leak or "none" for other in content.beside)),
        ("testing", _size(testing), *(_size(other.metrics) for other in content.beside)),
    ]
    names = list(content.assessment.intervals["testing"].limits)
    rows = []
    for name, (words, value, low, high) in zip(
        names, headline_rows(content.assessment, "testing"), strict=True
    ):
        cells = [f"{decimal(value)} {interval(low, high)}"]
        for other in content.beside:
            cells.append(f"{decimal(other.metrics[name])} {interval(*other.limits[name])}")
        rows.append((words, *cells))
    header = ("", content.title, *(other.name for other in content.beside))
    sentence = (
        "The same images, judged by the same network at another operating point."
        if all(other.same_images for other in content.beside)
        else "The testing images are not the same, so that the difference is not paired: it holds "
        "what the splits, the patients and the luck of a training contribute. A split that leaks "
        "flatters: the same network would do worse on new patients than its figures say."
    )
    return pieces.section(
        "Side by side",
        pieces.table(header, facts, words=True),
        pieces.table(header, rows),
        pieces.paragraph(sentence, muted=True),
    )


def folds(content: ReportContent) -> str:
    """Every fold of a cross-validation: whom it tested, what it promised, what it gave."""
    if not content.folds:
        return ""
    rows = []
    for fold in content.folds:
        names = sorted(set(fold.testing.patients))
        who = some(names, MOST_NAMED)
        found = fold.metrics
        correction = fold.calibration
        rows.append(
            (
                fold.name.removeprefix("fold-").lstrip("0"),
                who,
                f"{found['images']:,}",
                f"{fold.point.threshold:.6g}",
                f"{correction.temperature:.2f}" if correction.method == "temperature" else "—",
                f"{decimal(fold.point.sensitivity)} → {decimal(found['sensitivity'])}",
                f"{decimal(fold.point.specificity)} → {decimal(found['specificity'])}",
                decimal(found["balanced_accuracy"]),
                decimal(found["roc_auc"]),
            )
        )
    header = (
        "fold",
        "tested patients",
        "images",
        "threshold",
        "temperature",
        "sensitivity",
        "specificity",
        "balanced accuracy",
        "AUC",
    )
    sentences = []
    for name, words in (("roc_auc", "AUC"), ("balanced_accuracy", "balanced accuracy")):
        mean, spread, defined = spread_over_folds(content.folds, name)
        sentences.append(
            f"Mean {words} over the {defined} folds where it is defined: {decimal(mean)} (standard "
            f"deviation {decimal(spread)}); pooled: {decimal(content.assessment.testing[name])}."
        )
    note = (
        "Sensitivity and specificity: what validation promised → what the left-out patients gave. "
        "A fold whose patients have images of one side only has no figure that needs both. The "
        "pooled AUC compares scores of different networks; the mean over folds does not."
    )
    return pieces.section(
        "Folds",
        pieces.table(header, rows),
        pieces.paragraph(" ".join(sentences)),
        pieces.paragraph(note, muted=True),
    )


def subgroups(content: ReportContent) -> str:
    """A table for every column of the user's table: each group at the one operating point."""
    if not content.subgroups:
        return ""
    parts = []
    for column, groups in content.subgroups.items():
        rows = []
        for row in groups:
            cells = [
                f"{decimal(row[name])} {interval(*row['limits'][name])}"
                if not math.isnan(row[name])
                else "undefined"
                for name in COLUMNS
            ]
            rows.append((row["group"], row["patients"], row["images"], *cells))
        parts += [
            f"<h3>By {pieces.text(column)}</h3>",
            pieces.table(("group", "patients", "images", *HEADINGS), rows),
        ]
    sentence = (
        "Every group is judged at the one operating point. Many groups of few patients differ by "
        "chance alone; a group without a figure has no images of one side."
    )
    return pieces.section("Subgroups", *parts, pieces.paragraph(sentence, muted=True))


def _size(metrics: Mapping[str, Any]) -> str:
    return images_of(metrics["images"], metrics["patients"])
