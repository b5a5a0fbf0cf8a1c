"""Reads JSON values into frozen dataclasses that check themselves, and turns them back.

Undefined is NaN in memory and `null` in JSON; a field of type `float` reads `null` as NaN.
An entry of a `Record` whose default is None is None where the file lacks it, and is then not
written. Entries that it does not know, as a later version may write, survive in `others`. Words
that files hold for people are `Written` properties: made of the values at each writing, never read.

Our own reader and not msgspec: its float fields refuse `null`, and it would be one more
package to install for prediction and serving.
"""

import dataclasses
import enum
import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

SHOWN = 60  # characters of a wrong value in a message
NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


class EntryError(ValueError):
    """An entry of a JSON file is missing or wrong; the message names it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """Base of what a JSON object is read into; keeps the entries it does not know."""

    others: Mapping[str, object] = dataclasses.field(default_factory=dict, repr=False)


class Sparse:
    """Marks a dataclass whose empty entries are not written where empty is the default."""


class Written(property):
    """A property that files hold too, such as values in words; it is never read from them."""


def as_json(value: Any) -> Any:
    """Returns plain JSON values of a record: objects, lists, texts; NaN and infinity as None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {name: as_json(each) for name, each in _entries_of(value).items()}
    if isinstance(value, Mapping):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    return value


def _entries_of(value: Any) -> dict[str, object]:
    """Returns the entries of a dataclass that are written."""
    found = {}
    for field in dataclasses.fields(value):
        each = getattr(value, field.name)
        is_empty = each is None or (isinstance(value, Sparse) and not each)
        may_miss = isinstance(value, Record | Sparse) and each == field.default
        if not (is_empty and may_miss):
            found[field.name] = each
    others = found.pop("others") if isinstance(value, Record) else {}
    return {**found, **{name: getattr(value, name) for name in _made(value.__class__)}, **others}


def from_json(kind: type[T], value: object, name: str = "") -> T:
    """Makes a value of a type from parsed JSON.

    Args:
        kind: a dataclass, a `StrEnum`, `str`, `int`, `float`, `bool`, or `tuple`, `dict`, `|`
            of them. A dataclass may have a class method `upgraded`, which brings the entries
            of an earlier version into today's form.
        value: what `json.loads` gave.
        name: the entry's name, for messages.

    Raises:
        EntryError: an entry is missing, of another type, or refused by its record.
    """
    return typing.cast(T, _read(kind, value, name))


def _read(kind: Any, value: Any, name: str) -> Any:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _read_either(parts, value, name)
    if kind is float:
        return _number(value, name)
    if origin is tuple:
        return _read_tuple(parts, _of_type(list, value, name), name)
    if origin is list:
        return list(_read_tuple((parts[0], ...), _of_type(list, value, name), name))
    if origin in (dict, Mapping):
        entries = _of_type(dict, value, name).items()
        return {key: _read(parts[1], each, f"{name}.{key}") for key, each in entries}
    if dataclasses.is_dataclass(kind):
        return _read_record(kind, value, name)
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        return _read_choice(kind, value, name)
    return value if kind in (Any, object) else _of_type(kind, value, name)


def _read_choice(kind: type[enum.StrEnum], value: Any, name: str) -> enum.StrEnum:
    try:
        return kind(_of_type(str, value, name))
    except EntryError:
        raise
    except ValueError:
        raise EntryError(f"`{name}` is {value!r:.60}, not one of {', '.join(kind)}") from None


def _read_either(kinds: tuple[Any, ...], value: Any, name: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    for kind in kinds[:-1]:
        try:
            return _read(kind, value, name)
        except EntryError:
            continue
    return _read(kinds[-1], value, name)


def _read_tuple(parts: tuple[Any, ...], values: list[Any], name: str) -> tuple[Any, ...]:
    if parts[-1] is Ellipsis:
        parts = (parts[0],) * len(values)
    if len(parts) != len(values):
        raise EntryError(f"`{name}` has {len(values)} values, not {len(parts)}")
    return tuple(
        _read(kind, each, f"{name}[{place}]")
        for place, (kind, each) in enumerate(zip(parts, values, strict=True))
    )


def _read_record(kind: Any, value: Any, name: str) -> Any:
    entries = _of_type(dict, value, name)
    if hasattr(kind, "upgraded"):
        entries = kind.upgraded(entries)
    found = {}
    for field, (of, required) in _fields(kind).items():
        where = f"{name}.{field}" if name else field
        if field in entries:
            found[field] = _read(of, entries[field], where)
        elif required:
            raise EntryError(f"`{where}` is missing")
    if issubclass(kind, Record):
        known = {*(field.name for field in dataclasses.fields(kind)), *_made(kind)}
        found["others"] = {key: each for key, each in entries.items() if key not in known}
    try:
        return kind(**found)
    except EntryError:
        raise
    except ValueError as error:
        raise EntryError(f"`{name}`: {error}" if name else str(error)) from None


@functools.cache
def _made(kind: Any) -> tuple[str, ...]:
    """Returns the names of the `Written` properties."""
    return tuple(name for name in dir(kind) if isinstance(getattr(kind, name), Written))


@functools.cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Returns the name of every field to be read, its type, and whether it must be there."""
    types_of = typing.get_type_hints(kind)
    return {
        field.name: (
            types_of[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
        if field.name != "others"
    }


def _number(value: Any, name: str) -> float:
    if value is None:
        return math.nan
    if type(value) not in (int, float):
        raise _wrong(float, value, name)
    try:
        return float(value)
    except OverflowError:
        raise EntryError(f"`{name}` is too large a number") from None


def _of_type(kind: Any, value: Any, name: str) -> Any:
    # `type`, since a bool is an int to isinstance.
    if type(value) is not kind:
        raise _wrong(kind, value, name)
    return value


def _wrong(kind: Any, value: Any, name: str) -> EntryError:
    text = repr(value)
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
    return EntryError(f"{f'`{name}`' if name else 'the content'} is {shown}, not {NAMES[kind]}")
