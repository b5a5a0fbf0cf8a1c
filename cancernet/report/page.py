"""One page that holds everything about a run and needs nothing else to be read."""

import datetime
from pathlib import Path

from cancernet.base.files import write_bytes
from cancernet.report import html as pieces
from cancernet.report.content import ReportContent
from cancernet.report.sections import background, evidence, groups, portrait
from cancernet.report.sections import headline as parts
from cancernet.report.sections import slides as slide_maps
from cancernet.report.worst_errors import worst_errors

REPORT = "report.html"


def write_report(content: ReportContent, folder: Path) -> Path:
    """Writes `report.html` into the folder, beside and then renamed; returns its path."""
    path = Path(folder) / REPORT
    # File names may hold bytes that are no text; they are shown as \\udc.. escapes.
    write_bytes(path, page(content).encode("utf-8", errors="backslashreplace"))
    return path


def page(content: ReportContent) -> str:
    """Returns the report as one HTML document without any outside address."""
    sections = (
        parts.key_figures,
        parts.asked,
        background.data_flow,
        background.audit,
        parts.figures_table,
        groups.beside,
        groups.folds,
        parts.operating_point,
        parts.curves,
        evidence.calibration,
        evidence.decisions,
        portrait.classes,
        portrait.examples,
        portrait.data_pictures,
        background.patients,
        worst_errors,
        evidence.patient_level,
        slide_maps.slides,
        groups.subgroups,
        *(() if content.folds else (background.learning,)),
        portrait.measures,
        portrait.splits,
        portrait.network,
        background.repeat,
        parts.limits,
    )
    body = (
        pieces.paragraph("Report of " + _to_the_minute(content.created), muted=True)
        + parts.warnings(content)
        + "".join(part(content) for part in sections)
    )
    return document(
        content.title,
        body,
        drawn=content.drawn,
        leak=content.leaking,
        notice=content.notice,
    )


def document(title: str, body: str, *, drawn: bool, leak: bool, notice: str) -> str:
    """Returns a page with the notice, and what must not be overlooked, above every sheet.

    Args:
        title: heading; escaped here.
        body: HTML.
        drawn: the data were drawn by a program.
        leak: a split leaks, or the run knew the images.
        notice: the sentence on intended use.
    """
    heading = pieces.text(title)
    # A table header is the one thing that browsers repeat on every printed page.
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Nothing may be fetched, whatever a name in the data tries.
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{heading} — CancerNet report</title><style>{pieces.STYLE}</style></head><body>"
        f'<table class="page" role="presentation"><thead><tr><td>{_banner(notice, drawn, leak)}'
        f"</td></tr></thead><tbody><tr><td><h1>{heading}</h1>{body}"
        f'<p class="notice">{pieces.text(notice)}</p>'
        "</td></tr></tbody></table></body></html>\n"
    )


def _to_the_minute(moment: str) -> str:
    """`2026-01-02T03:04:05+00:00` as `2026-01-02 03:04 UTC`; anything else as it is."""
    try:
        when = datetime.datetime.fromisoformat(moment).astimezone(datetime.UTC)
    except ValueError:
        return moment
    return when.strftime("%Y-%m-%d %H:%M UTC")


def _banner(notice: str, drawn: bool, leak: bool) -> str:
    lines = [f'<div class="notice">{pieces.text(notice)}</div>']
    if drawn:
        lines.append('<div class="notice drawn">Drawn data: not real tissue.</div>')
    if leak:
        lines.append('<div class="notice drawn">Leaking split: figures are too good.</div>')
    return "".join(lines)
