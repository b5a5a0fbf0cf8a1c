"""`patients.csv`: every testing patient with its scores, the worst first."""

import csv
from pathlib import Path
from typing import Any

from cancernet.base.files import written_beside
from cancernet.measures import scored as scores
from cancernet.measures.patients import patient_scores
from cancernet.report.content import ReportContent

PATIENTS = "patients.csv"
_COUNTS = ("patient", "images", "positives", "true_share")
_JUDGED = ("accuracy", "sensitivity", "specificity", "roc_auc", "tn", "fp", "fn", "tp")


def rows_with_scores(content: ReportContent) -> list[dict[str, Any]]:
    """Returns the rows of `patient_rows`, each with the patient's scores beside.

    Added are `area_fraction` (share of images called positive), `mean_score` and
    `mean_of_the_top_10` (fewer where there are fewer images), each 0-1.
    """
    columns = content.assessment.positive_indices
    found = patient_scores(
        scores.positive_truth(content.testing, columns),
        scores.positive_score(content.testing.probabilities, columns),
        content.threshold,
        content.testing.patients,
    )
    by_patient = {
        str(name): {
            words.replace(" ", "_"): float(values[place]) for words, values in found.scores.items()
        }
        for place, name in enumerate(found.patients)
    }
    return [{**row, **by_patient[row["patient"]]} for row in content.assessment.per_patient]


def write_patients(content: ReportContent, folder: Path) -> Path:
    """Writes `patients.csv` into the folder, beside and then renamed; returns its path."""
    path = Path(folder) / PATIENTS
    rows = rows_with_scores(content)
    own = [name for name in rows[0] if name.startswith(("area_", "mean_"))]
    with (
        written_beside(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.DictWriter(
            file, [*_COUNTS, *own, *_JUDGED], extrasaction="ignore", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(rows)
    return path
