"""The page of a comparison: two runs, one testing set, paired by patient."""

from cancernet.base.notice import NOTICE
from cancernet.base.words import images_of
from cancernet.evaluation.compare_runs import WORDS, Side
from cancernet.measures.paired_comparison import Comparison
from cancernet.measures.patients import PatientRow, patient_rows
from cancernet.measures.scored import Scored, positive_indices, positive_score, positive_truth
from cancernet.report import html as pieces
from cancernet.report.content import DRAWN
from cancernet.report.html import decimal
from cancernet.report.page import document

MOST_PATIENTS = 100


def page(found: Comparison, first: Side, second: Side) -> str:
    """Returns one HTML document without any outside address."""
    rows = [
        (
            words,
            decimal(found.first[name]),
            decimal(found.second[name]),
            _signed(found.difference[name]),
            _interval(*found.limits[name]),
        )
        for name, words in WORDS.items()
    ]
    notes = list(found.notes)
    notes += [f"{side.name}: {side.leak}" for side in (first, second) if side.leak]
    notes = [DRAWN, *notes] if first.drawn or second.drawn else notes
    sentence = (
        f"A is {first.name}, B is {second.name}; both were tested on the same "
        f"{images_of(len(first.scored.paths), found.patients)}, each at its own "
        "operating point. The intervals of the difference draw the same patients for both, so "
        "that what patients have in common cancels. An interval that holds 0 shows no "
        "difference that these patients could tell from chance."
    )
    body = (
        pieces.paragraph(sentence)
        + (pieces.bullets(notes) if notes else "")
        + pieces.section(
            "Figures", pieces.table(("figure", "A", "B", "B − A", "95 % interval"), rows)
        )
        + _patients(first, second)
    )
    return document(
        f"{second.name} against {first.name}",
        body,
        drawn=first.drawn or second.drawn,
        leak=bool(first.leak or second.leak),
        notice=NOTICE,
    )


def _patients(first: Side, second: Side) -> str:
    columns = positive_indices(first.classes, first.positive)
    one = {row["patient"]: row for row in _rows(first.scored, first.threshold, columns)}
    other = {row["patient"]: row for row in _rows(second.scored, second.threshold, columns)}
    table = [
        (
            patient,
            row["images"],
            decimal(row["accuracy"]),
            decimal(other[patient]["accuracy"]),
            _signed(other[patient]["accuracy"] - row["accuracy"]),
        )
        for patient, row in one.items()
    ]
    table.sort(key=lambda row: -abs(float(str(row[4]).replace("−", "-"))))
    parts = [
        pieces.table(("patient", "images", "accuracy of A", "of B", "B − A"), table[:MOST_PATIENTS])
    ]
    if len(table) > MOST_PATIENTS:
        parts.append(pieces.paragraph(f"The first {MOST_PATIENTS} of {len(table):,}.", muted=True))
    return pieces.section("Patients, the greatest difference first", *parts)


def _rows(scored: Scored, threshold: float, columns: list[int]) -> list[PatientRow]:
    return patient_rows(
        positive_truth(scored, columns),
        positive_score(scored.probabilities, columns),
        threshold,
        scored.patients,
    )


def _signed(value: float) -> str:
    return "undefined" if value != value else f"{value:+.3f}".replace("-", "−")


def _interval(low: float, high: float) -> str:
    return "—" if low != low else f"[{_signed(low)}, {_signed(high)}]"
