"""Arguments of a call as settings, its record, and whether it says what it does."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cancernet.base.errors import CancerNetError
from cancernet.base.settings import kind_of, setting_fields
from cancernet.base.words import did_you_mean


def as_given(settings: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns arguments as the fields of a settings class take them: paths, tuples.

    Raises:
        CancerNetError: there is no such field.
    """
    fields = {field.name: field for field in setting_fields(settings)}
    for name in given:
        if name not in fields:
            raise CancerNetError(f"there is no setting {name!r}{did_you_mean(name, fields)}")
    return {name: _as_field(fields[name], value) for name, value in given.items()}


def _as_field(field: dataclasses.Field[Any], value: Any) -> Any:
    kind, several = kind_of(field)
    if several:
        values = value if isinstance(value, list | tuple) else [value]
        return tuple(Path(each) if kind is Path else each for each in values)
    return Path(value) if kind is Path and value is not None else value


def called(name: str, given: Mapping[str, Any]) -> str:
    """Returns a call as it could be typed, for a record."""
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in plain.items())})"


@contextlib.contextmanager
def reporting(progress: bool) -> Iterator[None]:
    """Prints what the package logs, and its progress bars, where that is asked for."""
    if not progress:
        yield
        return
    from cancernet.commands.command_line import log_to_console

    with log_to_console():
        yield
