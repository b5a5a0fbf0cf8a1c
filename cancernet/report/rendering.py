"""Fills the templates: pages with everything escaped, Markdown through its own filter."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.words import counted, images_of, some
from cancernet.report import formatting
from cancernet.report.pictures import data_address

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).with_name("templates")
FILTERS: dict[str, Callable[..., Any]] = {
    "counted": counted,
    "data_address": data_address,
    "images_of": images_of,
    "interval": formatting.interval,
    "listed": formatting.listed,
    "markdown": formatting.markdown,
    "number": formatting.number,
    "percent": formatting.percent,
    "plain": formatting.plain,
    "score": formatting.score,
    "shape": formatting.shape,
    "signed": formatting.signed,
    "signed_interval": formatting.signed_interval,
    "some": some,
    "threshold": formatting.threshold,
}


def render(template: str, **values: Any) -> str:
    """Returns a template filled in; a value that it misses is an error.

    Args:
        template: name of a file in `templates/`.
        values: what it shows, by name.
    """
    return _environment().get_template(template).render(values)


def page_bytes(page: str) -> bytes:
    """Encodes a page; bytes of a file name that are not text show as `\\udcff`."""
    return page.encode("utf-8", errors="backslashreplace")


@functools.cache
def _environment() -> "Environment":
    # Only who writes a page waits for Jinja2.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS)
    return environment
