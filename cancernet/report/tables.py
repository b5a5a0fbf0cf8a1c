"""Testing class by class and patient by patient, and the tables that are written of them."""

import csv
import dataclasses
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.files import write_bytes, write_text
from cancernet.measures.class_measures import ClassRow, ClassTable, class_table, fold
from cancernet.measures.metrics import confusion_table
from cancernet.measures.patients import patient_scores
from cancernet.measures.scored import predicted_indices
from cancernet.report.content import ReportContent
from cancernet.report.portrait import SplitFigures

PATIENTS = "patients.csv"
SIDES = ("negative", "positive")
_PATIENT = (
    "patient", "images", "positives", "true_share", "mean_score", "area_fraction",
    "mean_of_the_top_10", "accuracy", "sensitivity", "specificity", "roc_auc",
    "tn", "fp", "fn", "tp",
)  # fmt: skip


def testing_counts(content: ReportContent) -> np.ndarray:
    """Returns testing's counts, rows truth, columns call, as `predictions.csv` has them."""
    assessment, testing = content.assessment, content.testing
    called = predicted_indices(
        testing.probabilities, assessment.positive_indices, content.threshold
    )
    return confusion_table(testing.truth, called, len(assessment.classes))


def class_tables(content: ReportContent) -> dict[str, ClassTable]:
    """Returns the measures of each class and, beyond two classes, of the two sides, by title."""
    assessment, counts = content.assessment, testing_counts(content)
    tables = {"Class by class": class_table(counts, assessment.words)}
    if content.several_classes:
        sides = fold(counts, assessment.positive_indices)
        tables["Folded to two sides"] = class_table(sides, SIDES)
    return tables


def write_tables(content: ReportContent, folder: Path) -> None:
    """Writes `classes.csv` and, where there is a portrait, `splits.csv` and `network.txt`."""
    _write_csv(
        folder / "classes.csv",
        ["table", *_names(ClassRow)],
        (
            (title, *dataclasses.astuple(row))
            for title, table in class_tables(content).items()
            for row in (*table.classes, *table.means)
        ),
    )
    if content.portrait is not None:
        write_text(folder / "network.txt", content.portrait.summary)
        rows = map(dataclasses.astuple, content.portrait.splits)
        _write_csv(folder / "splits.csv", _names(SplitFigures), rows)


def rows_with_scores(content: ReportContent) -> list[dict[str, Any]]:
    """Returns the rows of `patient_rows`, each with the patient's scores beside.

    Added are `area_fraction` (share of images called positive), `mean_score` and
    `mean_of_the_top_10` (fewer where there are fewer images), each 0-1.
    """
    truth, score = content.positives(content.testing)
    found = patient_scores(truth, score, content.threshold, content.testing.patients)
    by_patient = {
        str(name): {
            words.replace(" ", "_"): float(values[place]) for words, values in found.scores.items()
        }
        for place, name in enumerate(found.patients)
    }
    return [{**row, **by_patient[row["patient"]]} for row in content.assessment.per_patient]


def write_patients(content: ReportContent, folder: Path) -> None:
    """Writes `patients.csv` into a folder: every testing patient, the worst first."""
    rows = ([row[name] for name in _PATIENT] for row in rows_with_scores(content))
    _write_csv(folder / PATIENTS, _PATIENT, rows)


def _names(record: type) -> list[str]:
    return [field.name for field in dataclasses.fields(record)]


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    # A patient's name may hold bytes that are not text.
    write_bytes(path, text.getvalue().encode("utf-8", errors="surrogateescape"))
