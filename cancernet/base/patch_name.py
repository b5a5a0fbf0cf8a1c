"""Which patient an id means, and what the name of a patch says of its place.

`7`, `7.0`, `7,0`, ` 7` and `007` mean one patient:

pandas writes a column of numbers with gaps as `7.0` (`7,0` where a comma is the decimal sign),
spreadsheets drop leading zeros, and people pad. Two ids that are the same number are one patient
wherever ids are compared; an id that meets no other spelling of itself keeps the one it has.
"""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_NUMBER = re.compile(r"0*([0-9]+)(?:[.,]0*)?")
_PLACE = re.compile(
    r"(?P<patient>.+?)_idx\d+_x(?P<x>\d{1,9})_y(?P<y>\d{1,9})(?:_class(?P<label>[^_]+))?",
    re.IGNORECASE,
)


class Place(NamedTuple):
    """What the name of an IDC patch says.

    `x` and `y` are the patch's upper left corner on its slide in pixels; `label` is None
    in the name of a patch without a label.
    """

    patient: str
    x: int
    y: int
    label: str | None


def read_place(name: str) -> Place | None:
    """Reads `<patient>_idx5_x<X>_y<Y>[_class<C>].png`; None for another name."""
    # Called for every patch: a `PurePath` would take most of the time.
    stem, dot, rest = name.rpartition("/")[2].rpartition(".")
    found = _PLACE.fullmatch(stem if dot else rest)
    if found is None:
        return None
    return Place(found["patient"], int(found["x"]), int(found["y"]), found["label"])


@dataclasses.dataclass(frozen=True)
class Respelled:
    """One patient whose id occurs in several spellings.

    Attributes:
        kept: the plainest spelling, which stands for the patient.
        others: the other spellings that occur, sorted.
    """

    kept: str
    others: tuple[str, ...]


def patient_key(name: str) -> str:
    """Returns the same text for every spelling of an id: `7` for `007` and ` 7.0`."""
    text = name.strip()
    number = _NUMBER.fullmatch(text)
    return number[1] if number else text


def find_respelled(names: Iterable[str]) -> list[Respelled]:
    """Finds the patients whose ids occur in several spellings, in the order of their keys.

    The plainest spelling has neither a fraction nor spaces and the fewest characters, so
    that the answer does not depend on the order of the names.
    """
    spellings = defaultdict(set)
    for name in names:
        spellings[patient_key(name)].add(name)
    found = []
    for _, several in sorted(spellings.items()):
        if len(several) > 1:
            kept, *others = sorted(several, key=lambda name: (not name.isdigit(), len(name), name))
            found.append(Respelled(kept, tuple(sorted(others))))
    return found


def kept_spellings(respelled: Iterable[Respelled]) -> dict[str, str]:
    """Returns each spelling that gives way -> the one that is kept."""
    return {other: one.kept for one in respelled for other in one.others}


def one_spelling(names: Sequence[str]) -> list[str]:
    """Returns the names with one spelling for each patient."""
    kept = kept_spellings(find_respelled(set(names)))
    return [kept.get(name, name) for name in names] if kept else list(names)
