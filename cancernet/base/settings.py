"""Settings spelled once: a field of a dataclass is a flag, its bounds and its help text.

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class ServerSettings:
        port: int = setting(8000, "port to listen on", least=1, most=65535)

        def __post_init__(self) -> None:
            check_settings(self)

`commands.command_line.add_settings` adds the flags (`--port`), `given_settings` reads them.
"""

import dataclasses
import math
import operator
import typing
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from cancernet.base.errors import CancerNetError


class Bounds(TypedDict, total=False):
    """Where the value of a setting must lie; `least` and `most` are allowed themselves."""

    least: float
    most: float
    above: float
    below: float


_BOUNDS = {
    "least": (operator.ge, "at least"),
    "most": (operator.le, "at most"),
    "above": (operator.gt, "above"),
    "below": (operator.lt, "below"),
}


def setting(
    default: Any,
    help: str,
    *,
    choices: Sequence[Any] | None = None,
    metavar: str | tuple[str, ...] = "",
    group: str = "",
    switch: bool = False,
    common: bool = False,
    goes_with: str = "",
    **bounds: Unpack[Bounds],
) -> Any:
    """Describes a field of a settings dataclass; only such fields become flags.

    Args:
        default: of the field; `dataclasses.MISSING` for none.
        metavar: stands for the value in `--help`; one name for each value where a flag
            takes a fixed number of them.
        group: heading of the flag in the help.
        switch: a truth value that the flag only turns on; without, there is `--no-…` too.
        common: whether `--help` shows the flag; `--help-all` shows all.
        goes_with: names of fields, of which one must be given where this one is.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "bounds": bounds,
        "metavar": metavar,
        "group": group,
        "switch": switch,
        "common": common,
        "goes_with": goes_with,
    }
    return dataclasses.field(default=default, metadata=metadata)


def columns_setting(group: str = "", *, goes_with: str) -> Any:
    """Returns the field of a settings dataclass that names the columns of its tables."""
    return setting(
        (),
        "names of a table's columns where they are not usual ones: image=…, label=…, patient=…",
        metavar="KIND=NAME",
        group=group,
        goes_with=goes_with,
    )


def patient_table_setting(named: str, group: str = "", *, goes_with: str = "") -> Any:
    """Returns the field of a settings dataclass that names a table of images and their patients.

    `named` is the flag of what does not name the patients itself.
    """
    return setting(
        None,
        f"table of filename,patient where {named} does not name the patients",
        metavar="FILE",
        group=group,
        goes_with=goes_with,
    )


def labels_setting(group: str = "", *, goes_with: str, of: str = "label of a table") -> Any:
    """Returns the field of a settings dataclass that says what labels mean, and what has them."""
    return setting(
        (),
        f"the class that each {of} means, such as 0=benign 1=malignant",
        metavar="LABEL=CLASS",
        group=group,
        goes_with=goes_with,
    )


def setting_fields(settings: Any) -> list[dataclasses.Field[Any]]:
    """Returns the fields of a settings class, or of an instance, that `setting` describes."""
    return [field for field in dataclasses.fields(settings) if "help" in field.metadata]


def chosen_fields(settings: Any) -> list[dataclasses.Field[Any]]:
    """Returns the fields of an instance that have another value than their default."""
    fields = setting_fields(settings)
    return [field for field in fields if getattr(settings, field.name) != field.default]


def flag_of(name: str) -> str:
    """Returns the flag of a field: `--image-size` for `image_size`, `--class` for `class_`."""
    return "--" + name.rstrip("_").replace("_", "-")


def kind_of(field: dataclasses.Field[Any]) -> tuple[Any, bool]:
    """Returns the type of one value of a field, and whether the field holds several."""
    several = typing.get_origin(field.type) is tuple
    kinds = [kind for kind in typing.get_args(field.type) if kind not in (type(None), ...)]
    return (kinds[0] if kinds else field.type), several


def check_settings(settings: Any) -> None:
    """Raises CancerNetError, naming the flag, when a value is out of bounds or lacks its company.

    None, where it is the default, means that nothing was given; of several values each is checked.
    """
    given = {field.name for field in chosen_fields(settings)}
    for field in setting_fields(settings):
        value, company = getattr(settings, field.name), field.metadata["goes_with"].split()
        if field.name in given and company and given.isdisjoint(company):
            others = " or ".join(map(flag_of, company))
            raise CancerNetError(f"{flag_of(field.name)} goes with {others}")
        for each in value if isinstance(value, tuple) else (value,):
            if each is not None or field.default is not None:
                check_setting(field, each)


def check_setting(field: dataclasses.Field[Any], value: Any) -> None:
    """Raises CancerNetError, naming the flag, when a value is out of its bounds."""
    flag, rule = flag_of(field.name), field.metadata
    if isinstance(value, float) and math.isinf(value):
        raise CancerNetError(f"{flag} is {value}, but must be a finite number")
    if rule["choices"] is not None and value not in rule["choices"]:
        known = ", ".join(map(str, rule["choices"]))
        raise CancerNetError(f"{flag} is {value!r}; choose from {known}")
    for name, bound in rule["bounds"].items():
        holds, words = _BOUNDS[name]
        # `not holds` also refuses NaN, for which every comparison is false.
        if not holds(value, bound):
            raise CancerNetError(f"{flag} is {value}, but must be {words} {bound}")
