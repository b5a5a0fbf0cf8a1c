"""The patches of each patient in a folder, by their names."""

import dataclasses
from pathlib import Path

from cancernet import catalog
from cancernet.base.errors import CancerNetError
from cancernet.base.images import SUFFIXES
from cancernet.scoring.inputs import Inputs

EXAMPLE = "8863_idx5_x1001_y1051_class0.png"


@dataclasses.dataclass(frozen=True)
class Place:
    """A patch file: whose, where its upper left corner is (pixels), and its label if named."""

    path: Path
    patient: str
    x: int
    y: int
    label: str | None


@dataclasses.dataclass(frozen=True)
class PatientPatches:
    """The patches of one patient, and what came more than once.

    Attributes:
        places: one patch for every place, by rows; its label None where copies differ in it.
        spares: the further copies of places, in the order they were found.
        disputed: how many places have copies of different labels.
    """

    places: list[Place]
    spares: dict[tuple[int, int], list[Place]] = dataclasses.field(default_factory=dict)
    disputed: int = 0

    @property
    def copies(self) -> int:
        """How many patches have the place of another."""
        return sum(map(len, self.spares.values()))


def read_place(path: Path) -> Place | None:
    """Reads `<patient>_idx5_x<X>_y<Y>[_class<C>].png`; None for another name."""
    place = catalog.read_place(path.name)
    if place is None or path.suffix.lower() not in SUFFIXES:
        return None
    return Place(path, *place)


def find_patients(folders: list[Path]) -> tuple[dict[str, PatientPatches], int]:
    """Finds every patient's patches in folders, however deep.

    A place that comes twice counts once: the download may hold everything twice.

    Returns:
        Patient to patches, sorted by name, and how many images have no place in the name.

    Raises:
        CancerNetError: no patch with a place in its name.
    """
    patients: dict[str, list[Place]] = {}
    unplaced = 0
    for path in Inputs(folders):
        place = read_place(path)
        if place is None:
            unplaced += 1
        else:
            patients.setdefault(place.patient, []).append(place)
    if not patients:
        raise CancerNetError(
            f"{folders[0]} holds no patches with a place in their names, such as {EXAMPLE}"
        )
    return {patient: one_a_place(patients[patient]) for patient in sorted(patients)}, unplaced


def one_a_place(patches: list[Place]) -> PatientPatches:
    """Sorts one patient's patches, of which several may have the same place."""
    there: dict[tuple[int, int], list[Place]] = {}
    for place in patches:
        there.setdefault((place.y, place.x), []).append(place)
    places: list[Place] = []
    spares: dict[tuple[int, int], list[Place]] = {}
    disputed = 0
    for (y, x), copies in sorted(there.items(), key=lambda item: item[0]):
        first = copies[0]
        if len({copy.label for copy in copies} - {None}) > 1:
            first = dataclasses.replace(first, label=None)
            disputed += 1
        elif first.label is None:
            known = next((copy.label for copy in copies if copy.label is not None), None)
            first = dataclasses.replace(first, label=known)
        places.append(first)
        if len(copies) > 1:
            spares[x, y] = copies[1:]
    return PatientPatches(places, spares, disputed)
