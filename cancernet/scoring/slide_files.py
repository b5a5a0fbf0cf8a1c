"""The patches of one slide that lie together on the disk, found by their names.

They lie in one folder or, where that is the folder of a class (`<patient>/0`, `testing/1`,
`Non-Cancer`), in all class folders beside it: those of one patient or one split. The folder of a
neighbour, which is its label, is never used.
"""

import functools
import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cancernet.base.patch_name import patient_key, read_place
from cancernet.context.neighbours import Places
from cancernet.images.formats import SUFFIXES

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

    def path(self, number: int) -> str:
        """Returns where a patch lies."""
        for folder, names in self._folders.items():
            if number < len(names):
                return os.path.join(folder, names[number])
            number -= len(names)
        raise IndexError(number)


class Around(NamedTuple):
    """Where the patches of a folder's slides lie."""

    above: str  # what holds the slides or their class folders
    own: str  # the folder itself
    folders: tuple[str, ...]  # all folders of the slides


class SlideFolders:
    """Finds out which folders hold the slides of a folder, and which files a slide has."""

    def __init__(self, classes: Sequence[str], side: int) -> None:
        """Takes the names that class folders have, and the side of a patch in pixels."""
        self._classes = classes
        self._side = side
        self._listing = functools.lru_cache(KEPT_LISTINGS)(_names_by_patient)
        self.around = functools.lru_cache(KEPT_LISTINGS)(self._around)

    def files(self, around: Around, patient: str) -> SlideFiles:
        """Returns the files of a patient's slide."""
        listed = {folder: self._listing(folder).get(patient, []) for folder in around.folders}
        return SlideFiles(listed, self._side)

    def only(self, folder: str, name: str) -> SlideFiles:
        """Returns an image that belongs to no slide, as it was named."""
        return SlideFiles({folder: [name]}, self._side)

    def _around(self, folder: str) -> Around:
        own = os.path.normpath(Path.cwd() / folder)
        above, name = os.path.split(own)
        if name not in self._classes:
            beside = _class_folders(above, name)
            return Around(above, own, beside) if beside else Around(own, own, (own,))
        return Around(above, own, tuple(os.path.join(above, label) for label in self._classes))


def _class_folders(above: str, own: str) -> tuple[str, ...]:
    """Returns a class folder and those beside it; none where the folder is not of a class.

    Neighbours from the folder of one class alone would tell the label.
    """
    from cancernet.catalog.histology import class_of_folder  # seldom needed

    try:
        with os.scandir(above) as entries:
            named = {each.name: class_of_folder(each.name) for each in entries if each.is_dir()}
    except OSError:
        named = {}
    meant = set(named.values())
    # `IDC` may be the folder of all patches, but not beside one of those without.
    if class_of_folder(own) is None and not (own.casefold() == "idc" and "0" in meant):
        return ()
    folders = {own, *(name for name, label in named.items() if label is not None)}
    return tuple(os.path.join(above, name) for name in sorted(folders))


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


def patient_of(name: str) -> str | None:
    """Returns the patient whose slide a file's name tells; None for another name."""
    mark = name.lower().find(_MARK)
    return patient_key(name[:mark]) if mark > 0 else None
