"""The report of a run, an evaluation or a cross-validation, and what is written beside it."""

import dataclasses
import datetime
import functools
from pathlib import Path

from cancernet.base.files import write_bytes, write_text
from cancernet.base.tables import write_table
from cancernet.base.words import DRAWN_IMAGES
from cancernet.config import SPLITS
from cancernet.measures.assess import TESTING, spread_over_folds
from cancernet.measures.call_value import decision_curve
from cancernet.measures.class_measures import ClassRow, fold, overall_accuracy
from cancernet.measures.patients import by_patient, patient_metrics, patient_scores
from cancernet.report import in_context, sections
from cancernet.report.content import ReportContent
from cancernet.report.figures.drawings import FIGURES, Figures
from cancernet.report.portrait import SplitFigures
from cancernet.report.rendering import page_bytes, render, small_picture

REPORT, MODEL_CARD, CHECKLIST = "report.html", "model_card.md", "checklist.md"
PATIENTS = "patients.csv"
LEAK_ALERT = "Leaking split: figures are too good."
WIDEST_SLIDE = 1400  # pixels; the picture at full size is in figures/
# Columns of patients.csv -> the fields of `PatientRow`.
PATIENT_COLUMNS = {
    "patient": "", "images": "", "positives": "", "true_share": "", "mean_score": "",
    "area_fraction": "called_share", "mean_of_the_top_10": "mean_of_top", "accuracy": "",
    "sensitivity": "", "specificity": "", "roc_auc": "", "tn": "", "fp": "", "fn": "", "tp": "",
}  # fmt: skip


def write_report(content: ReportContent, folder: Path, figures: Figures | None = None) -> None:
    """Writes `figures/`, `report.html` and `patients.csv` into a folder.

    `figures` are those of the content, if they have been begun already.
    """
    if figures is None:
        figures = Figures(content)
        figures.begin(functools.partial)
    page = report_page(content, figures)  # computes while other processes still draw
    figures.write(folder / FIGURES)
    write_tables(content, folder / FIGURES)
    write_bytes(folder / REPORT, page_bytes(page))
    write_patients(content, folder)


def write_cards(content: ReportContent, folder: Path) -> None:
    """Writes `model_card.md` and `checklist.md` into a folder."""
    card = render(
        "model_card.md.j2",
        content=content,
        asked=sections.asked_rows(content),
        headline=sections.headline(content.assessment),
        context=in_context.chapter(content.assessment, content.context),
    )
    write_bytes(folder / MODEL_CARD, page_bytes(card))
    write_bytes(folder / CHECKLIST, page_bytes(render("checklist.md.j2", content=content)))


def report_page(content: ReportContent, figures: Figures | None = None) -> str:
    """Returns the report as one HTML document that fetches nothing.

    `figures` are those that have been drawn already.
    """
    assessment, calls = content.assessment, content.assessment.calls()
    counts = sections.testing_counts(assessment)
    sides = fold(counts, assessment.positive_indices)
    touching = content.context.touching[TESTING].tolist() if content.context else None
    wrong = sections.surest_wrong(assessment, neighbours=touching)
    return render(
        "report.html.j2",
        title=content.title,
        notice=content.notice,
        alerts=alerts(drawn=content.drawn, leaking=content.leaking),
        content=content,
        figures=figures or Figures(content),
        created=_to_the_minute(content.created),
        asked=sections.asked_rows(content),
        headline=sections.headline(assessment),
        by_patient=by_patient(assessment.per_patient),
        context=in_context.chapter(assessment, content.context),
        sides=sections.two_sides(assessment),
        splits=SPLITS,
        spread_over_folds=functools.partial(spread_over_folds, content.folds),
        # Pooled folds have no one operating point that could move.
        spread=None if content.folds else sections.operating_point_spread(content),
        calibrations=sections.calibrations(content),
        useful=decision_curve(calls).useful_stretches(),
        mean_score=float(calls.score.mean()),
        useful_at=sections.useful_at(calls),
        predictive=sections.predictive(content),
        class_tables=sections.class_tables(assessment),
        named_right=sections.named_right(content),
        accuracy={"classes": overall_accuracy(counts), "sides": overall_accuracy(sides)},
        wrong=wrong if content.image_folder else None,
        pictures_of=functools.partial(sections.pictures_of, content),
        most_of_a_patient=sections.MOST_OF_A_PATIENT,
        units=patient_metrics(patient_scores(calls), seed=content.seed),
        slides=[
            (slide, small_picture(slide.path, longest=WIDEST_SLIDE, kind="jpeg"))
            for slide in content.slides
        ],
        training=sections.training_rows(content),
        settings={name: str(value) for name, value in content.settings.items()},
    )


def alerts(*, drawn: bool, leaking: bool) -> list[str]:
    """Returns what must not be overlooked, shown at the top of every sheet of a page."""
    return [DRAWN_IMAGES] * drawn + [LEAK_ALERT] * leaking


def write_tables(content: ReportContent, folder: Path) -> None:
    """Writes `classes.csv` and, where there is a portrait, `splits.csv` and `network.txt`."""
    write_table(
        folder / "classes.csv",
        ["table", *_names(ClassRow)],
        (
            (title, *dataclasses.astuple(row))
            for title, table in sections.class_tables(content.assessment).items()
            for row in (*table.classes, *table.means)
        ),
    )
    if content.portrait is not None:
        write_text(folder / "network.txt", content.portrait.summary)
        rows = map(dataclasses.astuple, content.portrait.splits)
        write_table(folder / "splits.csv", _names(SplitFigures), rows)


def write_patients(content: ReportContent, folder: Path) -> None:
    """Writes `patients.csv` into a folder: every testing patient, the worst first."""
    fields = [field or name for name, field in PATIENT_COLUMNS.items()]
    rows = ([row[name] for name in fields] for row in content.assessment.per_patient)
    write_table(folder / PATIENTS, list(PATIENT_COLUMNS), rows)


def _names(record: type) -> list[str]:
    return [field.name for field in dataclasses.fields(record)]


def _to_the_minute(moment: str) -> str:
    """`2026-01-02T03:04:05+00:00` as `2026-01-02 03:04 UTC`; anything else as it is."""
    try:
        when = datetime.datetime.fromisoformat(moment).astimezone(datetime.UTC)
    except ValueError:
        return moment
    return when.strftime("%Y-%m-%d %H:%M UTC")
