"""One page that holds everything about a run and needs nothing else to be read."""

from pathlib import Path

from cancernet.evaluation import html_pieces as pieces
from cancernet.evaluation import report_background as background
from cancernet.evaluation import report_evidence as evidence
from cancernet.evaluation import report_parts as parts
from cancernet.evaluation.report_content import ReportContent
from cancernet.files import write_bytes

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
        parts.figures_table,
        parts.operating_point,
        parts.curves,
        evidence.calibration,
        evidence.decisions,
        parts.classes,
        background.data_flow,
        background.patients,
        evidence.patient_level,
        background.learning,
        background.repeat,
        parts.limits,
    )
    title = pieces.text(content.title)
    body = "".join(part(content) for part in sections)
    # A table header is the one thing that browsers repeat on every printed page.
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Nothing may be fetched, whatever a name in the data tries.
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{title} — CancerNet report</title><style>{pieces.STYLE}</style></head><body>"
        f'<table class="page" role="presentation"><thead><tr><td>{_banner(content)}</td></tr>'
        f"</thead><tbody><tr><td><h1>{title}</h1>"
        f"{pieces.paragraph('Report of ' + content.created, muted=True)}"
        f"{parts.warnings(content)}{body}"
        f'<p class="notice">{pieces.text(content.notice)}</p>'
        "</td></tr></tbody></table></body></html>\n"
    )


def _banner(content: ReportContent) -> str:
    lines = [f'<div class="notice">{pieces.text(content.notice)}</div>']
    if content.drawn:
        lines.append('<div class="notice drawn">Drawn data: not real tissue.</div>')
    if content.leak:
        lines.append('<div class="notice drawn">Leaking split: figures are too good.</div>')
    return "".join(lines)
