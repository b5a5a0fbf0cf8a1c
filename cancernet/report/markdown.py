"""Small pieces of Markdown; values that come from outside are escaped here."""

import math
import re
from typing import Any

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


def cell(value: Any) -> str:
    """Returns any value as one line of text without meaning to Markdown or HTML."""
    if isinstance(value, float):
        return "undefined" if math.isnan(value) else f"{value:g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return _SPECIAL.sub(r"\\\1", " ".join(str(value).split()))


def row(*cells: str) -> str:
    """Returns a row of a table; the cells are Markdown already."""
    return f"| {' | '.join(cells)} |"
