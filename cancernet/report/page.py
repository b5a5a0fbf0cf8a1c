"""The report of a run, an evaluation or a cross-validation, and what is written beside it."""

import datetime
from pathlib import Path

from cancernet.base.files import write_bytes
from cancernet.measures.class_measures import fold, overall_accuracy
from cancernet.report import sections
from cancernet.report.checklist import GUIDELINES
from cancernet.report.content import ReportContent
from cancernet.report.figures.drawings import FIGURES, Figures
from cancernet.report.headline import asked_rows, chosen_on_validation, headline, two_sides
from cancernet.report.pictures import small_picture
from cancernet.report.rendering import page_bytes, render
from cancernet.report.tables import (
    class_tables,
    rows_with_scores,
    testing_counts,
    write_patients,
    write_tables,
)
from cancernet.report.worst_errors import MOST_OF_A_PATIENT, worst_errors

REPORT, MODEL_CARD, CHECKLIST = "report.html", "model_card.md", "checklist.md"
DRAWN_ALERT = "Drawn data: not real tissue."
LEAK_ALERT = "Leaking split: figures are too good."
WIDEST_SLIDE = 1400  # pixels; the picture at full size is in figures/


def write_report(content: ReportContent, folder: Path) -> None:
    """Writes `figures/`, `report.html` and `patients.csv` into a folder."""
    figures = Figures(content)
    figures.write(folder / FIGURES)
    write_tables(content, folder / FIGURES)
    write_bytes(folder / REPORT, page_bytes(report_page(content, figures)))
    write_patients(content, folder)


def write_cards(content: ReportContent, folder: Path) -> None:
    """Writes `model_card.md` and `checklist.md` into a folder."""
    write_bytes(folder / MODEL_CARD, page_bytes(model_card(content)))
    write_bytes(folder / CHECKLIST, page_bytes(checklist(content)))


def report_page(content: ReportContent, figures: Figures | None = None) -> str:
    """Returns the report as one HTML document that fetches nothing.

    Args:
        content: what it is made from.
        figures: those that have been drawn already.
    """
    counts = testing_counts(content)
    sides = fold(counts, content.assessment.positive_indices)
    return render(
        "report.html.j2",
        title=content.title,
        notice=content.notice,
        alerts=alerts(drawn=content.drawn, leaking=content.leaking),
        content=content,
        figures=figures or Figures(content),
        created=_to_the_minute(content.created),
        asked=asked_rows(content),
        headline=headline(content.assessment),
        sides=two_sides(content.assessment),
        chosen=chosen_on_validation(content),
        flow=sections.data_flow(content),
        fold_rows=sections.fold_rows(content.folds),
        fold_means=sections.fold_means(content),
        # Pooled folds have no one operating point that could move.
        spread=None if content.folds else sections.operating_point_spread(content),
        calibrations=sections.calibrations(content),
        decisions=sections.decisions(content),
        class_tables=class_tables(content),
        accuracy={"classes": overall_accuracy(counts), "sides": overall_accuracy(sides)},
        patients=rows_with_scores(content),
        worst=worst_errors(content),
        most_of_a_patient=MOST_OF_A_PATIENT,
        units=sections.patients_as_units(content),
        slides=[
            (slide, small_picture(slide.path, longest=WIDEST_SLIDE, kind="jpeg"))
            for slide in content.slides
        ],
        training=sections.training_rows(content),
        settings={name: str(value) for name, value in content.settings.items()},
    )


def model_card(content: ReportContent) -> str:
    """Returns the model card as Markdown; what a program cannot know is left to a person."""
    return render(
        "model_card.md.j2",
        content=content,
        asked=asked_rows(content),
        headline=headline(content.assessment),
    )


def checklist(content: ReportContent) -> str:
    """Returns both reporting checklists as Markdown."""
    return render("checklist.md.j2", content=content, guidelines=GUIDELINES)


def alerts(*, drawn: bool, leaking: bool) -> list[str]:
    """Returns what must not be overlooked, to stand above every sheet of a page."""
    return [DRAWN_ALERT] * drawn + [LEAK_ALERT] * leaking


def _to_the_minute(moment: str) -> str:
    """`2026-01-02T03:04:05+00:00` as `2026-01-02 03:04 UTC`; anything else as it is."""
    try:
        when = datetime.datetime.fromisoformat(moment).astimezone(datetime.UTC)
    except ValueError:
        return moment
    return when.strftime("%Y-%m-%d %H:%M UTC")
