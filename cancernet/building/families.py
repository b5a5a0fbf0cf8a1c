"""Which images are variants of one, going by their names.

scan.png   scan (1).png   scan - Copy.png   scan_rot90.png   scan-flipped-2.png
scan_jpg.rf.0a1b2c….jpg (Roboflow)
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

_WORDS = (
    r"rot(?:at(?:ed?|ion))?|turn(?:ed)?|[hv]?flip(?:ped)?|flip[_-]?(?:lr|ud|[hv])|mirror(?:ed)?|"
    r"aug(?:ment(?:ed|ation)?)?|crop(?:ped)?|bright(?:er|ness)?|dark(?:er)?|contrast|nois[ey]+|"
    r"blur(?:red)?|zoom(?:ed)?|shift(?:ed)?|translat(?:ed?|ion)|shear(?:ed)?|sharp(?:en(?:ed)?)?|"
    r"gamma|elastic|clahe|resiz(?:ed?)|scaled?|transpos(?:ed?)|copy|duplicate"
)
# `_rot90`, `-rotated1`, ` flipped (2)`, `_bright_1.2`: a word of change, perhaps a number.
_CHANGE = re.compile(rf"[\s_\-.]+(?:{_WORDS})[\s_\-]*\(?[\d.]*\)?$", re.IGNORECASE)
_COUNTED = re.compile(r"\s*\(\d+\)$")
_ROBOFLOW = re.compile(r"\.rf\.[0-9a-z]{16,}$", re.IGNORECASE)


def families(
    paths: Sequence[str], scope: Sequence[int] | np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Sorts images into families by name.

    A number in brackets makes a variant (`scan7 (1)`) only when the name without it holds a
    digit or is there itself: `benign (1)`, `benign (2)` are simply numbered.

    Args:
        paths: of images, with `/`.
        scope: a number an image; only images of one scope can be of one family.

    Returns:
        int64 (n,) family of each image, -1 for one that stands alone, and the families' names.
    """
    stems = [PurePosixPath(path).stem for path in paths]
    there = {(place, stem.casefold()) for place, stem in zip(scope, stems, strict=True)}
    members: dict[tuple[int, str], list[int]] = {}
    changed = np.zeros(len(stems), bool)
    for place, (inside, stem) in enumerate(zip(scope, stems, strict=True)):
        base = base_name(stem, lambda name, inside=inside: (inside, name.casefold()) in there)
        changed[place] = base != stem
        members.setdefault((int(inside), base.casefold()), []).append(place)
    family = np.full(len(stems), -1, np.int64)
    names: list[str] = []
    for (_, base), places in members.items():
        if len(places) > 1 and changed[places].any():
            family[places] = len(names)
            names.append(base)
    return family, names


def base_name(stem: str, is_there=lambda name: False) -> str:  # type: ignore[no-untyped-def]
    """Returns a file's stem without what names its changes.

    Args:
        stem: of the file name.
        is_there: tells whether an image of this stem is there.
    """
    stem = _ROBOFLOW.sub("", stem)
    while True:
        shorter = _CHANGE.sub("", stem)
        if shorter == stem:
            counted = _COUNTED.sub("", stem)
            if counted and (re.search(r"\d", counted) or is_there(counted)):
                shorter = counted
        if not shorter or shorter == stem:
            return stem
        stem = shorter
