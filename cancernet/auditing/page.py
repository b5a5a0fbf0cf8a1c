"""The audit as one page: verdicts first, then the images side by side; nothing from outside."""

import base64
import io
from pathlib import Path

from cancernet.auditing.audit import Audit
from cancernet.auditing.inventory import Inventory
from cancernet.auditing.verdict import LEAK, OK, WARNING, Check, Finding
from cancernet.base.errors import ImageError
from cancernet.base.images import read_rgb
from cancernet.base.notice import NOTICE
from cancernet.base.words import counted
from cancernet.report import html as pieces

SHOWN = 24  # findings of a check whose images are shown
LISTED = 60  # findings without images that are listed
SIDE = 160  # pixels of the longer side of an image on the page
LEAST_SIDE = 96

STYLE = """
.verdicts td:first-child, .verdict { font-weight: 700; white-space: nowrap; }
.verdict-leak { color: #fff; background: #B3261E; } .verdict-warning { background: #F6D9A8; }
.verdict-ok { background: #D5EBDD; } .verdict-not { background: #e3e7ea; }
.verdicts td, .verdicts th { text-align: left; white-space: normal; padding: .3rem .7rem;
  border-bottom: 1px solid #dde3e8; vertical-align: top; }
.leak { background: #B3261E; color: #fff; font-weight: 700; padding: .6rem 1rem; }
.pairs { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
.pair { border: 1px solid #cfd8df; border-radius: .4rem; padding: .5rem .6rem; flex: 0 1 17.6rem;
  break-inside: avoid; font-size: .8rem; overflow-wrap: anywhere; }
.pair .images { display: flex; gap: .5rem; } .pair .images div { flex: 1 1 0; min-width: 4rem; }
.pair img { display: block; max-width: 100%; image-rendering: auto; border: 1px solid #cfd8df; }
.pair p { margin: .3rem 0 0; } .pair b { color: #B3261E; }
@media print { .verdict, .leak { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
_KIND = {LEAK: "leak", WARNING: "warning", OK: "ok"}


def page(audit: Audit) -> str:
    """Returns the page as one HTML document; every name in it is escaped."""
    inventory = audit.inventory
    title = pieces.text(f"Audit of {inventory.title}")
    leak = ""
    if audit.leaks:
        names = ", ".join(check.name for check in audit.leaks)
        leak = (
            f'<div class="leak">LEAK ({pieces.text(names)}): results on this set are better than '
            "they would be on new patients.</div>"
        )
    drawn = '<div class="notice drawn">Drawn data: not real tissue.</div>' * inventory.drawn
    sections = "".join(_section(inventory, check) for check in audit.checks if _has_more(check))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{pieces.STYLE}{STYLE}</style></head><body>"
        f'<div class="notice">{pieces.text(NOTICE)}</div>{drawn}{leak}<h1>{title}</h1>'
        f"{_facts(inventory)}{_verdicts(audit)}{sections}</body></html>\n"
    )


def _facts(inventory: Inventory) -> str:
    groups = counted(len(inventory.groups), inventory.unit) if inventory.has_groups else "no groups"
    return pieces.paragraph(
        f"{inventory.folder}: {counted(len(inventory), 'image')}, {groups}, "
        f"{counted(len(inventory.labels), 'label')}. Groups: {inventory.grouping}",
        muted=True,
    )


def _verdicts(audit: Audit) -> str:
    rows = "".join(
        f'<tr><td><span class="verdict verdict-{_KIND.get(check.verdict, "not")}">'
        f"&nbsp;{pieces.text(check.verdict)}&nbsp;</span></td><td>{pieces.text(check.name)}</td>"
        f"<td>{pieces.text(check.sentence)}</td></tr>"
        for check in audit.checks
    )
    return (
        '<div class="wide"><table class="verdicts"><thead><tr><th>verdict</th><th>check</th>'
        f"<th>what was found</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _has_more(check: Check) -> bool:
    return bool(check.findings or check.table or check.numbers)


def _section(inventory: Inventory, check: Check) -> str:
    content = [pieces.paragraph(check.sentence)]
    if check.numbers:
        content.append(pieces.pairs(check.numbers))
    if check.table:
        content.append(pieces.table(*check.table, words=True))
    with_images = [finding for finding in check.findings if finding.places]
    without = [finding for finding in check.findings if not finding.places]
    if with_images:
        cards = "".join(_card(inventory, finding) for finding in with_images[:SHOWN])
        content.append(f'<div class="pairs">{cards}</div>')
    rest = with_images[SHOWN:]
    if rest:
        content.append(pieces.paragraph(f"{len(rest):,} more are in audit.json.", muted=True))
    if without:
        rows = [[*finding.paths, finding.words] for finding in without[:LISTED]]
        content.append(pieces.table(["file", "why"], rows, words=True))
    if len(without) > LISTED:
        left = len(without) - LISTED
        content.append(pieces.paragraph(f"{left:,} more are in audit.json.", muted=True))
    return pieces.section(check.name, *content)


def _card(inventory: Inventory, finding: Finding) -> str:
    images = "".join(_image(inventory, place) for place in finding.places)
    return (
        f'<div class="pair"><div class="images">{images}</div>'
        f"<p><b>{pieces.text(finding.words)}</b></p></div>"
    )


def _image(inventory: Inventory, place: int) -> str:
    path = inventory.paths[place]
    caption = [
        f"{inventory.split_name(place)}, label {inventory.label_name(place)}",
        f"{inventory.unit} {inventory.group_name(place)}" if inventory.has_groups else "",
        path.rpartition("/")[2],
    ]
    lines = "<br>".join(pieces.text(line) for line in caption if line)
    address = _data_address(inventory.folder / path)
    picture = f'<img alt="{pieces.text(path)}" src="{address}">' if address else "<i>unreadable</i>"
    return f'<div title="{pieces.text(path)}">{picture}{lines}</div>'


def _data_address(path: Path) -> str:
    """The image as a small PNG in a `data:` address; empty when it cannot be read."""
    from PIL import Image

    try:
        image = read_rgb(path)
    except ImageError:
        return ""
    longer = max(image.size)
    wanted = SIDE if longer > SIDE else max(longer, LEAST_SIDE)
    size = tuple(max(1, round(side * wanted / longer)) for side in image.size)
    method = Image.Resampling.LANCZOS if wanted < longer else Image.Resampling.NEAREST
    stream = io.BytesIO()
    image.resize((size[0], size[1]), method).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
