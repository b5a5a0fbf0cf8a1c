"""What draws data, network and classes, and the tables beside them."""

import csv
import dataclasses
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cancernet.base.files import write_text
from cancernet.measures.class_measures import ClassRow, class_rows, fold
from cancernet.measures.metrics import confusion_table
from cancernet.measures.scored import predicted_indices
from cancernet.report.content import ReportContent
from cancernet.report.figures.classes import draw_class_measures
from cancernet.report.figures.curves import draw_confusion_matrix, draw_history, draw_plot
from cancernet.report.figures.data import (
    draw_class_counts,
    draw_examples,
    draw_factors,
    draw_sample_grid,
    factor_counts,
)
from cancernet.report.figures.network import draw_kernels, draw_network
from cancernet.report.portrait import Portrait

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDES = ("negative", "positive")
MEASURES = ("precision", "recall", "f1")


def class_tables(content: ReportContent) -> dict[str, list[ClassRow]]:
    """Returns the rows class by class and, beyond two classes, those of the two sides."""
    assessment = content.assessment
    table = testing_table(content)
    tables = {"Class by class": class_rows(table, assessment.words)}
    if len(assessment.classes) > 2:
        sides = fold(table, assessment.positive_indices)
        tables["Folded to two sides"] = class_rows(sides, SIDES)
    return tables


def testing_table(content: ReportContent) -> np.ndarray:
    """Returns testing's counts, rows truth, columns prediction, as `predictions.csv` calls."""
    assessment, testing = content.assessment, content.testing
    threshold = assessment.operating_point.threshold
    predicted = predicted_indices(
        testing.probabilities,
        assessment.positive_indices,
        threshold if content.thresholds is None else content.thresholds,
    )
    return confusion_table(testing.truth, predicted, len(assessment.classes))


def portrait_drawings(content: ReportContent) -> "dict[str, Callable[..., Figure]]":
    """Returns what draws each of them, by its name in the folder; all take `footer`."""
    assessment = content.assessment
    found: dict[str, Callable[..., Figure]] = {
        "classes": partial(draw_class_measures, class_tables(content))
    }
    if len(assessment.classes) > 2:
        found["confusion_matrix_folded"] = partial(
            draw_confusion_matrix,
            fold(testing_table(content), assessment.positive_indices),
            SIDES,
            title="Testing, most probable class, folded",
        )
    if content.history and "precision" in content.history:
        found["history_measures"] = partial(
            draw_history, content.history, best_epoch=content.best_epoch, measures=MEASURES
        )
    if content.history:
        found["plot"] = partial(draw_plot, content.history)
    if content.portrait is not None:
        found |= _data_and_network(content, content.portrait)
    return found


def write_tables(content: ReportContent, folder: Path) -> None:
    """Writes `classes.csv` and, where there is a portrait, `splits.csv` and `network.txt`."""
    _write_csv(
        folder / "classes.csv",
        ["table", *(field.name for field in dataclasses.fields(ClassRow))],
        [
            [title, *dataclasses.astuple(row)]
            for title, rows in class_tables(content).items()
            for row in rows
        ],
    )
    if content.portrait is not None:
        write_text(folder / "network.txt", content.portrait.summary)
        _write_csv(
            folder / "splits.csv",
            ["split", "images", "of", "loss", "accuracy"],
            [list(dataclasses.astuple(row)) for row in content.portrait.splits],
        )


def _data_and_network(
    content: ReportContent, portrait: Portrait
) -> "dict[str, Callable[..., Figure]]":
    assessment = content.assessment
    found: dict[str, Callable[..., Figure]] = {
        "class_counts": partial(draw_class_counts, portrait.counts, assessment.words),
        "samples": partial(draw_sample_grid, portrait.samples),
        "network": partial(draw_network, portrait.layers),
        "examples": partial(
            draw_examples, portrait.examples, wrong=portrait.wrong, of=len(content.testing.paths)
        ),
    }
    totals = [sum(row) for row in zip(*portrait.counts.values(), strict=True)]
    factors = factor_counts(assessment.classes, assessment.positive, totals)
    if factors:
        found["factors"] = partial(draw_factors, factors)
    if portrait.kernels is not None:
        found["kernels"] = partial(draw_kernels, portrait.kernels)
    return found


def _write_csv(path: Path, header: list[str], rows: list[list[object]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())
