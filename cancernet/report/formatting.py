"""How numbers look wherever a person reads them: on a page, in a card, on the terminal."""

import math
import re
from collections.abc import Sequence
from typing import Any

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~])")
UNDEFINED, NOTHING = "undefined", "—"


def number(value: float, digits: int = 3) -> str:
    """Returns the number with so many decimals; NaN as `undefined`."""
    return UNDEFINED if math.isnan(value) else f"{value:.{digits}f}"


def interval(limits: Sequence[float], digits: int = 3) -> str:
    """Returns `[low, high]`, or a dash where there is no interval."""
    low, high = limits
    return NOTHING if math.isnan(low) else f"[{low:.{digits}f}, {high:.{digits}f}]"


def signed(value: float, digits: int = 3) -> str:
    """Returns the number with its sign, as a typographer writes it; NaN as `undefined`."""
    return UNDEFINED if math.isnan(value) else f"{value:+.{digits}f}".replace("-", "−")


def signed_interval(limits: Sequence[float]) -> str:
    """Returns `[low, high]` with signs, or a dash where there is no interval."""
    low, high = limits
    return NOTHING if math.isnan(low) else f"[{signed(low)}, {signed(high)}]"


def percent(value: float, digits: int = 1) -> str:
    """Returns a share of 0-1 as `12.3%`; NaN as `undefined`."""
    return UNDEFINED if math.isnan(value) else f"{value:.{digits}%}"


def score(value: float) -> str:
    """Returns a probability, but never 1.000 or 0.000 for what is neither."""
    if 0.9995 <= value < 1:
        return "above 0.9995"
    return "below 0.0005" if 0 < value < 0.0005 else number(value)


def threshold(value: float, digits: int = 6) -> str:
    """Returns a threshold with so many significant digits."""
    return f"{value:.{digits}g}"


def plain(value: Any) -> str:
    """Returns any value as text; None as a dash, NaN as `undefined`, `1,234` for a count."""
    if value is None:
        return NOTHING
    if isinstance(value, float):
        return UNDEFINED if math.isnan(value) else f"{value:g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def listed(names: Sequence[str]) -> str:
    """Returns `a`, `a and b`, or `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def shape(sizes: Sequence[int]) -> str:
    """Returns e.g. `24×24×64`."""
    return "×".join(map(str, sizes))


def markdown(value: Any) -> str:
    """Returns any value as one line of text that means nothing to Markdown or HTML."""
    return _MARKDOWN.sub(r"\\\1", " ".join(plain(value).split()))
