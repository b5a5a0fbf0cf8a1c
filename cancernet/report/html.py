"""Small pieces of HTML; every value that comes from outside is escaped here."""

import base64
import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cancernet.report.figures.style import svg_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORT = 14  # rows

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1a1a1a;
  background: #fff; margin: 0 auto; max-width: 62rem; padding: 0 1.2rem 3rem; }
h1 { font-size: 1.6rem; margin: 1rem 0 .2rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem;
  border-bottom: 2px solid #0072B2; padding-bottom: .2rem; break-after: avoid; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; break-after: avoid; }
.page { width: 100%; border-collapse: collapse; } .page > * > tr > td { padding: 0; }
.notice { background: #eef3f7; padding: .4rem .8rem; font-size: .85rem; }
.drawn { background: #D55E00; color: #fff; font-weight: 600; }
.warnings { border-left: 5px solid #D55E00; background: #fdf1ea; padding: .4rem 1rem;
  margin: 1rem 0; break-inside: avoid; }
.key { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0; }
.key div { flex: 1 1 11rem; border: 1px solid #cfd8df; border-radius: .4rem; padding: .6rem .9rem;
  break-inside: avoid; }
.key b { display: block; font-size: 1.7rem; line-height: 1.2; }
.key small { color: #555; display: block; }
table.data { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
.data th, .data td { border-bottom: 1px solid #dde3e8; padding: .25rem .7rem; text-align: right;
  vertical-align: top; }
.data th:first-child, .data td:first-child { text-align: left; }
.data td { white-space: nowrap; } .data td:first-child { white-space: normal; }
.data.words td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.data.words thead th { text-align: left; }
.data.words.cells td { overflow-wrap: break-word; }
.data.words td:first-child { overflow-wrap: normal; min-width: 5rem; }
.data.short { break-inside: avoid; }
.many { columns: 19rem auto; } .many table { width: 100%; margin-top: 0; }
.data thead th { border-bottom: 2px solid #8a97a1; } .data tr { break-inside: avoid; }
.wide { overflow-x: auto; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; flex: 1 1 24rem; max-width: 30rem; break-inside: avoid; }
figure.broad { flex-basis: 100%; max-width: 100%; } figure img { width: 100%; }
figcaption { font-size: .85rem; color: #444; }
.flow { max-width: 46rem; break-inside: avoid; }
.flow .box { border: 1px solid #8a97a1; border-radius: .4rem; padding: .35rem .7rem; }
.flow .row { display: flex; gap: .8rem; align-items: center; }
.flow .row > .box { flex: 1 1 0; } .flow .out { border-style: dashed; font-size: .9rem; }
.flow .arrow { color: #666; text-align: center; line-height: 1.4; }
.flow .row .arrow { flex: 0 0 auto; }
.bad { color: #a33c00; font-weight: 700; }
.patches { display: flex; flex-wrap: wrap; gap: .6rem; }
.patches figure { flex: 0 0 auto; max-width: 15rem; }
.patches img { width: 6.5rem; height: 6.5rem; object-fit: contain; image-rendering: pixelated;
  border: 1px solid #cfd8df; margin-right: .2rem; }
.patches figcaption { font-size: .75rem; max-width: 9rem; }
code, pre { font: .85rem/1.4 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { background: #f4f6f8; padding: .6rem .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.muted { color: #555; font-size: .9rem; }
@page { margin: 14mm 12mm; }
@media print { body { max-width: none; padding: 0; font-size: 9.5pt; } .wide { overflow: visible; }
  .data th, .data td { padding: .12rem .5rem; } .page > thead > tr > td { padding-bottom: 3mm; }
  h2 { margin-top: 1.2rem; }
  .page > thead { display: table-header-group; } .notice { -webkit-print-color-adjust: exact;
  print-color-adjust: exact; } .warnings, .key div { print-color-adjust: exact; }
  figure { flex-basis: 40%; max-width: 47%; } figure.broad { max-width: 100%; }
  .patches figure { flex: 0 0 auto; max-width: 32%; } .patches img { width: 22mm; height: 22mm; } }
"""


def text(value: Any) -> str:
    """Returns any value as escaped text; NaN as `undefined`, None as a dash."""
    if value is None:
        return "—"
    if isinstance(value, float):
        return "undefined" if math.isnan(value) else f"{value:g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return html.escape(str(value))


def decimal(value: float, digits: int = 3) -> str:
    """Returns a number with so many digits; NaN as `undefined`."""
    return "undefined" if math.isnan(value) else f"{value:.{digits}f}"


def table(
    header: Sequence[str], rows: Iterable[Sequence[Any]], *, caption: str = "", words: bool = False
) -> str:
    """Returns a table; cells are escaped. `words` sets the cells flush left."""
    head = "".join(f'<th scope="col">{text(cell)}</th>' for cell in header)
    title = f"<caption>{text(caption)}</caption>" if caption else ""
    lines = list(rows)
    body = "".join(
        "<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in lines
    )
    kind = "data words cells" if words else "data"
    # What fits half a sheet is not torn apart by the printer.
    kind += " short" if len(lines) <= SHORT else ""
    return (
        f'<div class="wide"><table class="{kind}">{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def pairs(values: Mapping[str, Any]) -> str:
    """Returns a table of two columns, name and value, without a header."""
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>'
        for name, value in values.items()
    )
    return f'<div class="wide"><table class="data words"><tbody>{rows}</tbody></table></div>'


def image(figure: "Figure", caption: str, *, broad: bool = False) -> str:
    """Returns a figure inside the page, as SVG in a data address.

    An `img` and not the SVG itself, so that the names inside two figures never meet.
    """
    return picture(svg_text(figure).encode("utf-8"), "svg+xml", caption, broad=broad)


def picture(content: bytes, kind: str, caption: str, *, broad: bool = False) -> str:
    """Returns the bytes of an image file (`kind`: png or svg+xml) inside the page."""
    code = base64.b64encode(content).decode("ascii")
    width = ' class="broad"' if broad else ""
    return (
        f'<figure{width}><img alt="{text(caption)}" src="data:image/{kind};base64,{code}">'
        f"<figcaption>{text(caption)}</figcaption></figure>"
    )


def section(title: str, *content: str) -> str:
    """Returns a section with a heading; content is HTML already."""
    return f"<section><h2>{text(title)}</h2>{''.join(content)}</section>"


def paragraph(sentence: str, *, muted: bool = False) -> str:
    """Returns a paragraph of escaped text."""
    return f"<p{' class=muted' if muted else ''}>{text(sentence)}</p>"


def bullets(sentences: Iterable[str]) -> str:
    """Returns a list of escaped sentences."""
    return "<ul>" + "".join(f"<li>{text(sentence)}</li>" for sentence in sentences) + "</ul>"
