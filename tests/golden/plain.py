"""Makes what the programs write comparable: without times, machines and trained figures."""

import csv
import html.parser
import io
import json
import math
import re
from pathlib import Path
from typing import Any

from tests.helpers.strict_json import strict_json

# Values that differ from run to run or from machine to machine, by their key.
VARIES = {
    "listing", "version", "program", "created", "finished", "versions", "machine", "commit",
    "checksum", "onnx_difference", "seconds", "cpu_seconds", "images_per_second", "files",
    "time", "predictions", "run_checksum", "turn", "references",
}  # fmt: skip
# Values that somebody chose, so that their decimals are exact also in a trained run.
CHOSEN = {"config", "command"}
_FLOAT = re.compile(r"-?\d[\d,]*\.\d+(e[-+]?\d+)?|-?\d+e-\d+", re.IGNORECASE)
_PROGRESS = re.compile(r"\|.*\[\d\d:\d\d|^\x1b|^$")
_LAST_EPOCH = re.compile(r"(?<=^last epoch: ).*", re.MULTILINE)
_TENSORFLOW = re.compile(r"^(\d{4}-\d\d-\d\d |[IWEF]\d{4} |WARNING: All log)")
_VARYING_WORDS = (
    (re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(\+00:00| UTC)?)?"), "<time>"),
    (re.compile(r"\d+:\d\d:\d\d(?= left$)", re.MULTILINE), "<time>"),
    (re.compile(r"^((?:\| )?[Pp]rogram commit \|).*", re.MULTILINE), r"\1 <commit>"),
    (re.compile(r"\b\d+(\.\d+){2,}\b"), "<version>"),
    (re.compile(r"^(machine|seconds|images per second) \| .*", re.MULTILINE), r"\1 | <varies>"),
    (re.compile(r"is damaged \(.*?\)\)"), "is damaged (<reason>))"),
)


def plain_text(text: str, *, folder: Path, trained: bool = False) -> str:
    """Returns what was printed, without progress bars and whatever else varies.

    Args:
        text: as printed.
        folder: where the program ran.
        trained: whether decimals come from a training, so that they are masked.
    """
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text)]
    kept = [line for line in lines if not _PROGRESS.search(line) and not _TENSORFLOW.match(line)]
    found = "\n".join(kept).replace(str(folder.resolve()), "<work>").replace(str(folder), "<work>")
    for pattern, instead in _VARYING_WORDS:
        found = pattern.sub(instead, found)
    if trained:
        found = _LAST_EPOCH.sub(lambda line: re.sub(r" [\d.e-]+", " #", line[0]), found)
        # The width of a column depends on its figures.
        found = re.sub(r"(?<=\S) {2,}", "  ", _FLOAT.sub("#", found))
        # So do signs of differences, and whether a probability is told as "below" or "above" one.
        found = re.sub(r"(?:[+−]|\b(?:below|above) )#", "#", found)
    return found + "\n"


def plain_json(value: Any, *, trained: bool = False) -> Any:
    """Returns a JSON value with what varies replaced by its kind."""
    if isinstance(value, dict):
        return {
            key: _kind(entry)
            if key in VARIES
            else plain_json(entry, trained=trained and key not in CHOSEN)
            for key, entry in value.items()
        }
    if isinstance(value, list):
        return [plain_json(entry, trained=trained) for entry in value]
    if isinstance(value, float) and trained:
        return _kind(value)
    if isinstance(value, str):
        return plain_text(value, folder=Path("/nowhere"), trained=trained)[:-1]
    return value


def _kind(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _kind(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_kind(entry) for entry in value]
    if isinstance(value, float):
        return "<undefined>" if math.isnan(value) else "<number>"
    return None if value is None else f"<{type(value).__name__}>"


def json_text(text: str, *, trained: bool = False) -> str:
    """Returns a JSON file's content, sorted and with what varies masked."""
    value = plain_json(strict_json(text), trained=trained)
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def json_lines(text: str, *, trained: bool = False) -> str:
    """Returns JSON objects, one a line, the same way."""
    values = [plain_json(strict_json(line), trained=trained) for line in text.splitlines()]
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


def csv_text(text: str, *, trained: bool = False) -> str:
    """Returns a table; decimals of a training are masked, cell by cell."""
    if not trained:
        return text
    out = io.StringIO()
    rows = ([_FLOAT.sub("#", cell) for cell in row] for row in csv.reader(io.StringIO(text)))
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


class _Words(html.parser.HTMLParser):
    """Collects the words of a page, a line for each block."""

    SILENT = frozenset({"style", "script", "svg"})
    BLOCKS = frozenset({"p", "h1", "h2", "h3", "tr", "li", "div", "section", "figcaption",
                        "details", "summary", "title", "table", "pre", "dt", "dd"})  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.silent = 0
        self.lines = [""]

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.silent += tag in self.SILENT
        if tag in self.BLOCKS:
            self.lines.append("")
        if tag in ("td", "th") and self.lines[-1]:
            self.lines[-1] += " | "

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in self.SILENT
        if tag in self.BLOCKS:
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.lines[-1] += data


def page_text(text: str, *, folder: Path, trained: bool = False) -> str:
    """Returns the words of an HTML page without its markup and pictures."""
    words = _Words()
    words.feed(text)
    lines = (" ".join(line.split()) for line in words.lines)
    return plain_text("\n".join(filter(None, lines)), folder=folder, trained=trained)
