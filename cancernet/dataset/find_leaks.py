"""Finds what is in more than one split, and which images are variants of one by their names.

scan.png   scan (1).png   scan - Copy.png   scan_rot90.png   scan-flipped-2.png
scan_jpg.rf.0a1b2c….jpg (Roboflow)
"""

import re
from collections import Counter, defaultdict
from collections.abc import Container, Sequence
from pathlib import PurePosixPath

import numpy as np

from cancernet.config import SPLITS
from cancernet.dataset.images import Images
from cancernet.dataset.notices import Leak, LeakKind

EXAMPLES = 8
# Units that no name or table gave: groups found by looking, or each image by itself.
NOT_NAMED = ("group", "image")

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


def find_leaks(images: Images, splits: np.ndarray, unit: str) -> list[Leak]:
    """Returns what is in more than one split.

    Args:
        images: all images of the data set.
        splits: int8, one an image, places in `config.SPLITS`.
        unit: what `images.patients` are, in a word.
    """
    of_patient = images.patient.astype(np.int64)
    leaks = _straddling(LeakKind.UNITS, unit, of_patient, images.patients, splits)
    if len(images.patients) >= len(images) or unit in NOT_NAMED:
        # Where nothing says which images are of one patient, names are all there is to go by.
        family, names = families(images.sources, images.label)
        leaks += _straddling(LeakKind.COPIES, unit, family, names, splits)
    return leaks


def _straddling(
    kind: LeakKind, unit: str, group: np.ndarray, names: list[str], splits: np.ndarray
) -> list[Leak]:
    """Returns a leak of the groups that are in more than one split, if any are."""
    known = group >= 0
    present = np.zeros((len(names), len(SPLITS)), bool)
    present[group[known], splits[known]] = True
    found = [names[place] for place in np.flatnonzero(present.sum(axis=1) > 1).tolist()]
    if not found:
        return []
    examples = tuple(found[:EXAMPLES])
    return [Leak(kind=kind, unit=unit, count=len(found), total=len(names), examples=examples)]


def families(
    paths: Sequence[str], label: np.ndarray, group: np.ndarray | None = None
) -> tuple[np.ndarray, list[str]]:
    """Sorts images into families by name.

    A number in brackets makes a variant (`scan7 (1)`) only if the name without it is there
    too, or has a digit and is not the name of a whole folder: `benign (1)`, `benign (2)` are
    only numbered, and so are `class1 (1)`, `class1 (2)`; see `_folders_are_numbered`.

    Args:
        paths: of images, with `/`.
        label: int (n,); only images of one label can be of one family,
        group: and of one group, where it is given.

    Returns:
        int64 (n,) family of each image, -1 for one that stands alone, and the families' names.
    """
    stems = [PurePosixPath(path).stem for path in paths]
    labels = [int(number) for number in label]
    groups = [0] * len(stems) if group is None else [int(number) for number in group]
    digits_tell = not _folders_are_numbered(stems, labels)
    there: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
    for scope, stem in zip(zip(labels, groups, strict=True), stems, strict=True):
        there[scope].add(stem.casefold())
    members: defaultdict[tuple[tuple[int, int], str], list[int]] = defaultdict(list)
    changed = np.zeros(len(stems), bool)
    for place, stem in enumerate(stems):
        scope = labels[place], groups[place]
        base = base_name(stem, there[scope], digits_tell=digits_tell)
        changed[place] = base != stem
        members[scope, base.casefold()].append(place)
    family = np.full(len(stems), -1, np.int64)
    names: list[str] = []
    for (_, base), places in members.items():
        if len(places) > 1 and changed[places].any():
            family[places] = len(names)
            names.append(base)
    return family, names


def base_name(stem: str, there: Container[str] = (), *, digits_tell: bool = True) -> str:
    """Returns a file's stem without what names its changes.

    A number in brackets names a change where the rest is among `there`, the casefolded stems
    of all images, or where the rest has a digit and `digits_tell`.
    """
    stem = _ROBOFLOW.sub("", stem)
    while True:
        shorter = _CHANGE.sub("", stem)
        if shorter == stem:
            bare = _COUNTED.sub("", stem)
            is_variant = bare.casefold() in there or (digits_tell and re.search(r"\d", bare))
            shorter = bare if is_variant else stem
        if not shorter or shorter == stem:
            return stem
        stem = shorter


def _folders_are_numbered(stems: Sequence[str], labels: Sequence[int]) -> bool:
    """Tells whether numbers in brackets only tell the images of a class apart.

    Windows names files that are renamed together so: `class1 (1)`, `class1 (2)`, …. Each class
    of the set then has one such name, most of the class has it, and no image has the name
    alone. Mammograms that were augmented have many names a class (`20588680 (3)`).
    """
    there = set(zip(labels, (stem.casefold() for stem in stems), strict=True))
    sizes = Counter(labels)
    numbered: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for stem, label in zip(stems, labels, strict=True):
        if "(" not in stem:
            continue
        whole = base_name(stem, digits_tell=False)
        name = _COUNTED.sub("", whole)
        if name != whole and re.search(r"\d", name):
            numbered[label][name.casefold()] += 1
    for label, names in numbered.items():
        name, images = names.most_common(1)[0]
        if len(names) > 1 or 2 * images <= sizes[label] or (label, name) in there:
            return False
    return True
