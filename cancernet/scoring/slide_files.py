"""The patches of one slide that lie together on the disk, found by their names.

They lie in one folder or, where that is the folder of a class (`<patient>/0`, `testing/1`),
in all class folders beside it: those of one patient or one split. Which of these folders a
neighbour lies in, its label, is never used.
"""

import functools
import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from cancernet.base.formats import SUFFIXES
from cancernet.catalog.histology import read_place
from cancernet.catalog.patient_id import patient_key
from cancernet.context.surroundings import Places

# Listings that are kept: a folder of a whole data set is listed once for all its patients.
KEPT_LISTINGS = 4
_MARK = "_idx"  # what follows the patient in the name of a patch

SlideKey = tuple[str, str]  # the folder that holds the slide or its class folders; the patient


class SlideFiles:
    """The files of one slide.

    Attributes:
        places: where the patches lie, in the order of their folders and names.
    """

    def __init__(self, folders: dict[str, list[str]], side: int) -> None:
        """Reads places off names.

        Args:
            folders: folder -> names of the patches in it, sorted.
            side: of a patch, pixels of the slide.
        """
        self._folders = folders
        found = [read_place(name) for names in folders.values() for name in names]
        slides = ["" if place is None else patient_key(place.patient) for place in found]
        self.places = Places.at(found, slides, side)

    def __len__(self) -> int:
        return len(self.places.columns)

    def find(self, folder: str, name: str) -> int | None:
        """Returns the number of a patch; None for another file."""
        first = 0
        for own, names in self._folders.items():
            if own == folder:
                number = bisect_left(names, name)
                there = number < len(names) and names[number] == name
                return first + number if there else None
            first += len(names)
        return None

    def has_place(self, number: int) -> bool:
        """Tells whether a patch has a place on the slide."""
        return bool(self.places.columns[number] >= 0)

    def path(self, number: int) -> Path:
        """Returns where a patch lies."""
        for folder, names in self._folders.items():
            if number < len(names):
                return Path(folder, names[number])
            number -= len(names)
        raise IndexError(number)


class SlideFolders:
    """Finds out which slide an image belongs to, and which files that slide has."""

    def __init__(self, classes: Sequence[str], side: int) -> None:
        """Takes the names that class folders have, and the side of a patch in pixels."""
        self._classes = classes
        self._side = side
        self._listing = functools.lru_cache(KEPT_LISTINGS)(_names_by_patient)
        self._around = functools.lru_cache(KEPT_LISTINGS)(self._folders_around)

    def slide_of(self, path: Path) -> SlideKey | None:
        """Returns the slide that a name tells; None for another name."""
        patient = _patient(path.name)
        return None if patient is None else (self._around(path.parent)[0], patient)

    def files_of(self, path: Path) -> SlideFiles:
        """Returns the files of the slide of a path that `slide_of` knows."""
        patient = _patient(path.name) or ""
        folders = self._around(path.parent)[2]
        return SlideFiles(
            {folder: self._listing(folder).get(patient, []) for folder in folders}, self._side
        )

    def number_of(self, path: Path, files: SlideFiles) -> int | None:
        """Returns the number of an image in its slide; None where it was not there."""
        return files.find(self._around(path.parent)[1], path.name)

    def only(self, path: Path) -> SlideFiles:
        """Returns an image that belongs to no slide, as it was named."""
        return SlideFiles({str(path.parent): [path.name]}, self._side)

    def _folders_around(self, folder: Path) -> tuple[str, str, tuple[str, ...]]:
        """Returns what holds the slide, the folder itself, and all folders of the slide."""
        own = os.path.normpath(folder.absolute())
        above, name = os.path.split(own)
        if name not in self._classes:
            return own, own, (own,)
        return above, own, tuple(os.path.join(above, label) for label in self._classes)


def _names_by_patient(folder: str) -> dict[str, list[str]]:
    """Lists the images of a folder: patient -> sorted names; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return {}
    by_spelling: dict[str, list[str]] = defaultdict(list)
    for name in names:
        lower = name.lower()
        mark = lower.find(_MARK)
        if mark > 0 and lower.endswith(tuple(SUFFIXES)) and not lower.startswith("."):
            by_spelling[name[:mark]].append(name)
    found: dict[str, list[str]] = defaultdict(list)
    for spelling, some in by_spelling.items():
        found[patient_key(spelling)] += some
    return {patient: sorted(some) for patient, some in found.items()}


def _patient(name: str) -> str | None:
    mark = name.lower().find(_MARK)
    return patient_key(name[:mark]) if mark > 0 else None
