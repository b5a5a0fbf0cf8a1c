"""What a terminal gets and a pipe or a file does not: colour, and lines broken to fit it."""

import os
import re
import shutil
import sys
import textwrap
from typing import TextIO

BOLD, RED, YELLOW = "1", "1;31", "33"  # as terminals number them (ECMA-48, SGR)


def coloured(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Returns a text in a colour where the stream, stdout by default, is a terminal that has it.

    The variable `NO_COLOR` forbids it (no-color.org).
    """
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if plain or os.name == "nt" or not (stream or sys.stdout).isatty():
        return text
    return f"\033[{colour}m{text}\033[0m"


def fitted(text: str, stream: TextIO | None = None) -> str:
    """Returns a text, without colour, whose long lines are broken where the stream is a terminal.

    Text in backquotes stays whole, so that a command can be copied. In a row of a table only the
    last cell is broken.
    """
    if not (stream or sys.stdout).isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(_broken(line, width) for line in text.split("\n"))


def _broken(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    gap = re.match(r" *\S.* {2,}(?=\S)", line[: width * 2 // 3])
    indent = gap.end() if gap else len(line) - len(line.lstrip()) + 2
    return wrapped(line, width, indent=indent)


def wrapped(text: str, width: int, *, indent: int = 0) -> str:
    """Returns a text in lines of `width` columns; text in backquotes stays whole."""
    whole = re.sub("`[^`]*`", lambda code: re.sub(r"\s", "\0", code[0]), text)
    lines = textwrap.wrap(
        whole, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines).replace("\0", " ")
