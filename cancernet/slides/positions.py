"""Which patches of which patient lie in a folder, by their names."""

import dataclasses
import re
from pathlib import Path

from cancernet.errors import CancerNetError
from cancernet.images import SUFFIXES
from cancernet.inference.inputs import Inputs

# As the IDC patches are named; the class is there only where somebody labelled them.
_NAME = re.compile(
    r"^(?P<patient>.+?)_idx\d+_x(?P<x>\d{1,9})_y(?P<y>\d{1,9})(_class(?P<label>[^_]+))?$",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class Place:
    """A patch file: whose, where its upper left corner is (pixels), and its label if named."""

    path: Path
    patient: str
    x: int
    y: int
    label: str | None


@dataclasses.dataclass(frozen=True)
class Found:
    """The patches of one patient, and what was passed over: copies of a place, odd names."""

    places: list[Place]
    copies: int


def read_place(path: Path) -> Place | None:
    """Reads `<patient>_idx5_x<X>_y<Y>[_class<C>].png`; None for another name."""
    name = _NAME.match(path.stem)
    if name is None or path.suffix.lower() not in SUFFIXES:
        return None
    return Place(path, name["patient"], int(name["x"]), int(name["y"]), name["label"])


def find_patients(folders: list[Path]) -> tuple[dict[str, Found], int]:
    """Finds every patient's patches in folders, however deep.

    A place that comes twice (the download may hold everything twice) counts once.

    Returns:
        Patient to patches, sorted by name, and how many images have no place in the name.

    Raises:
        CancerNetError: no patch with a place in its name.
    """
    taken: dict[tuple[str, int, int], Place] = {}
    copies: dict[str, int] = {}
    odd = 0
    for path in Inputs(folders):
        place = read_place(path)
        if place is None:
            odd += 1
        elif taken.setdefault((place.patient, place.x, place.y), place) is not place:
            copies[place.patient] = copies.get(place.patient, 0) + 1
    if not taken:
        raise CancerNetError(
            f"{folders[0]} holds no patches with a place in their names, such as "
            "8863_idx5_x1001_y1051_class0.png"
        )
    patients: dict[str, Found] = {}
    for patient, _, _ in sorted(taken, key=lambda key: (key[0], key[2], key[1])):
        patients.setdefault(patient, Found([], copies.get(patient, 0)))
    for key in sorted(taken, key=lambda key: (key[0], key[2], key[1])):
        patients[key[0]].places.append(taken[key])
    return patients, odd
