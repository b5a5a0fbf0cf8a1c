"""Fills the templates: how numbers and pictures look wherever a person reads them.

Pages have everything escaped; Markdown goes through its own filter.
"""

import base64
import dataclasses
import functools
import io
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.errors import ImageError
from cancernet.base.files import is_file, parse_json
from cancernet.base.words import counted, images_of, joined, score_text, some, unlike_of
from cancernet.images.reading import read_rgb

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~])")
UNDEFINED, NOTHING = "undefined", "—"
# One JSON object a line with `path` and `overlay`.
HEAT_MAPS = "*/explanations.jsonl"


def number(value: float, digits: int = 3) -> str:
    """Returns the number with `digits` decimals; NaN as `undefined`."""
    return UNDEFINED if math.isnan(value) else f"{value:.{digits}f}"


def interval(limits: Sequence[float]) -> str:
    """Returns `[low, high]`, or a dash where there is no interval."""
    low, high = limits
    return NOTHING if math.isnan(low) else f"[{low:.3f}, {high:.3f}]"


def signed(value: float) -> str:
    """Returns the number with its sign, as a typographer writes it; NaN as `undefined`."""
    return UNDEFINED if math.isnan(value) else f"{value:+.3f}".replace("-", "−")


def signed_interval(limits: Sequence[float]) -> str:
    """Returns `[low, high]` with signs, or a dash where there is no interval."""
    low, high = limits
    return NOTHING if math.isnan(low) else f"[{signed(low)}, {signed(high)}]"


def percent(value: float, digits: int = 1) -> str:
    """Returns a share of 0-1 as `12.3 %`, which no line breaks; NaN as `undefined`."""
    return UNDEFINED if math.isnan(value) else f"{100 * value:.{digits}f}\u00a0%"


def threshold(value: float, digits: int = 4) -> str:
    """Returns a threshold with `digits` significant digits."""
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


def stretches(found: Sequence[tuple[float, float]]) -> list[str]:
    """Returns `0.14` or `0.09 to 0.41` of each stretch."""
    return [f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}" for low, high in found]


def shape(sizes: Sequence[int]) -> str:
    """Returns e.g. `24×24×64`."""
    return "×".join(map(str, sizes))


def markdown(value: Any) -> str:
    """Returns any value as one line of text that means nothing to Markdown or HTML."""
    return _MARKDOWN.sub(r"\\\1", " ".join(plain(value).split()))


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image file as it goes into a page.

    Attributes:
        kind: after `image/` in its media type: png, jpeg or svg+xml.
    """

    kind: str
    content: bytes


def data_address(picture: Picture) -> str:
    """Returns a picture as an address that fetches nothing."""
    code = base64.b64encode(picture.content).decode("ascii")
    return f"data:image/{picture.kind};base64,{code}"


def small_picture(
    path: Path, *, longest: int, shortest: int = 0, kind: str = "png"
) -> Picture | None:
    """Returns an image file as a small picture; None if it cannot be read.

    Its longer side has at most `longest` and at least `shortest` pixels; smaller images are
    enlarged in blocks. `kind` is png, or jpeg for what is large and made of colours.
    """
    from PIL import Image

    try:
        image = read_rgb(path)
    except ImageError:
        return None
    longer = max(image.size)
    wanted = min(max(longer, shortest), longest)
    if wanted != longer:
        width, height = (max(1, round(side * wanted / longer)) for side in image.size)
        method = Image.Resampling.LANCZOS if wanted < longer else Image.Resampling.NEAREST
        image = image.resize((width, height), method)
    stream = io.BytesIO()
    if kind == "jpeg":
        image.save(stream, "JPEG", quality=82)
    else:
        image.save(stream, "PNG", optimize=True)
    return Picture(kind, stream.getvalue())


FILTERS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        counted, data_address, images_of, interval, joined, markdown, number, percent, plain,
        score_text, shape, signed, signed_interval, some, stretches, threshold, unlike_of,
    )
}  # fmt: skip


def render(template: str, **values: Any) -> str:
    """Returns a template filled in; a value that it misses is an error."""
    return _environment().get_template(template).render(values)


def page_bytes(page: str) -> bytes:
    """Encodes a page; bytes of a file name that are not text show as `\\udcff`."""
    return page.encode("utf-8", errors="backslashreplace")


@functools.cache
def _environment() -> "Environment":
    # Only who writes a page waits for Jinja2.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS)
    return environment


def heat_map_of(folder: Path) -> Callable[[str], Path | None]:
    """Returns a look-up from an image's path to its heat map's overlay; None where there is none.

    Every folder in the run folder that `predict.py --explain` filled is looked through.
    """
    found: dict[str, Path] = {}
    explained: dict[str, str] = {}
    for lines in sorted(Path(folder).glob(HEAT_MAPS)):
        for line in lines.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                facts = parse_json(line)
                name = Path(facts["path"]).name
                # Two images of one name: nobody knows whose map it is.
                clear = explained.setdefault(name, facts["path"]) == facts["path"]
                overlay = lines.parent / Path(facts["overlay"]).name
                found[name] = overlay if clear else Path()
            except (ValueError, KeyError, TypeError):
                continue  # a cut line hides no other

    def look_up(path: str) -> Path | None:
        place = found.get(Path(path).name)
        return place if place is not None and is_file(place) else None

    return look_up
