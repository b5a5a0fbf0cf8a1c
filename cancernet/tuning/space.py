"""What may vary in a search: `--search` on the command line, a dimension each.

learning_rate=1e-4..1e-1:log     any number from 1e-4 to 1e-1, even on a logarithmic scale
epochs=4..20                     any whole number from 4 to 20
batch_size=16,32,64              one of these
horizontal_flip=true,false       one of these
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cancernet.base.errors import CancerNetError
from cancernet.base.settings import check_setting
from cancernet.base.words import unknown
from cancernet.config import TrainConfig

if TYPE_CHECKING:
    import optuna

# The data are given, and a seed that wins a search is luck, not a setting.
NOT_SEARCHED = {
    "dataset": "the data set is given by --data",
    "seed": "a seed that does better does so by luck",
    "cache": "it changes the time and not the result",
    "synchronized": "it is for several workers, and a search trains with one",
    "limit": "it leaves images out, and all trials must be compared on the same ones",
    **dict.fromkeys(
        ("calibration", "operating_rule", "threshold", "target_sensitivity", "cost_ratio"),
        "it applies after the training and does not change the measure",
    ),
}
EXAMPLE = "learning_rate=1e-4..1e-1:log, epochs=4..20 or batch_size=16,32,64"
Value = bool | int | float | str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dimension:
    """One setting and the values it may take.

    Attributes:
        name: a field of `TrainConfig`.
        choices: the values, or empty when it is a range.
        low, high: ends of a range, both included; whole numbers for a range of these.
        log: whether a range is sampled evenly on a logarithmic scale.
        text: as it was typed, for the record.
    """

    name: str
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    text: str = ""

    def suggest(self, trial: "optuna.Trial") -> Value:
        """Asks a trial for a value."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.name, self.low, self.high, log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)

    def holds(self, value: Value) -> bool:
        """Tells whether a value is one that the search could propose."""
        if self.choices:
            return value in self.choices
        return not isinstance(value, str) and self.low <= value <= self.high


def parse_search(texts: Sequence[str]) -> tuple[Dimension, ...]:
    """Reads every `--search`.

    Raises:
        CancerNetError: a text is malformed, names an unknown setting or one twice, or holds a
            value of another kind or outside the setting's bounds.
    """
    dimensions = tuple(_parse(text) for text in texts)
    names = [dimension.name for dimension in dimensions]
    for name in names:
        if names.count(name) > 1:
            raise CancerNetError(f"--search names {name} twice; give all its values at once")
    return dimensions


def _parse(text: str) -> Dimension:
    name, equals, values = text.strip().partition("=")
    name = name.strip().replace("-", "_")
    fields = {field.name: field for field in dataclasses.fields(TrainConfig)}
    if not equals or not values.strip():
        raise CancerNetError(f"--search {text!r} is not of the form NAME=VALUES, such as {EXAMPLE}")
    if name not in fields:
        raise CancerNetError(f"--search names an {unknown('setting', name, fields)}")
    if name in NOT_SEARCHED:
        raise CancerNetError(f"--search cannot vary {name}: {NOT_SEARCHED[name]}")
    field, values = fields[name], values.strip()
    if ".." in values:
        return _parse_range(field, values, text.strip())
    choices = tuple(_value(field, part) for part in values.split(","))
    if len(set(choices)) < 2 or len(set(choices)) < len(choices):
        raise CancerNetError(f"--search {text!r} needs at least two values, all different")
    return Dimension(name=name, choices=choices, text=text.strip())


def _parse_range(field: "dataclasses.Field[Any]", values: str, text: str) -> Dimension:
    ends, _, scale = values.partition(":")
    low_text, _, high_text = ends.partition("..")
    low, high = _value(field, low_text), _value(field, high_text)
    if isinstance(low, bool | str) or isinstance(high, bool | str):
        raise CancerNetError(f"--search {text!r}: a range needs numbers; list the values instead")
    if scale not in ("", "log"):
        raise CancerNetError(f"--search {text!r}: after a range only :log may follow")
    if not low < high:
        raise CancerNetError(f"--search {text!r}: the first end must be below the second")
    if scale == "log" and low <= 0:
        raise CancerNetError(f"--search {text!r}: a logarithmic range must begin above 0")
    return Dimension(name=field.name, low=low, high=high, log=scale == "log", text=text)


def _value(field: "dataclasses.Field[Any]", text: str) -> Value:
    text = text.strip()
    kind: Any = type(field.default)
    value: Value
    try:
        value = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        words = {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "text")
        raise CancerNetError(
            f"--search: {text!r} is not a value of {field.name}, which must be {words}"
        ) from None
    if isinstance(value, float) and not math.isfinite(value):
        raise CancerNetError(f"--search: {field.name} cannot be {text}")
    check_setting(field, value)
    return value
