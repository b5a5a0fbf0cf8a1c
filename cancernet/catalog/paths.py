"""What a path says of an image: its class, its split, its patient, whether it is a mask."""

import re
from collections.abc import Sequence
from pathlib import PurePath, PurePosixPath

from cancernet.catalog.entry import Identity, LeftOut, Reason

# Names that the folders of a split have, anywhere in a path.
SPLIT_NAMES = {
    "training": ("train", "training", "trainset", "train_set"),
    "validation": ("val", "valid", "validation", "validate", "dev", "valset", "val_set"),
    "testing": ("test", "testing", "testset", "test_set", "holdout", "eval"),
}
_SPLIT_OF = {name: split for split, names in SPLIT_NAMES.items() for name in names}

_MASK = re.compile(r"[_\-\s]mask([_\-\s]?\d+)?$", re.IGNORECASE)
_MASK_FOLDERS = ("mask", "masks")


def shipped_split(path: PurePosixPath) -> tuple[str, PurePosixPath]:
    """Returns the split that the nearest folder of that kind names, and the path without it.

    The split is empty where no folder names one.
    """
    parts = path.parts
    for place in reversed(range(len(parts) - 1)):
        split = _SPLIT_OF.get(parts[place].casefold().replace("-", "_"))
        if split:
            return split, PurePosixPath(*parts[:place], *parts[place + 1 :])
    return "", path


def class_folder(path: PurePosixPath, classes: Sequence[str]) -> str:
    """Returns the class that the file's folder names; raises LeftOut if it names none."""
    if len(path.parts) < 2 or path.parts[-2] not in classes:
        raise LeftOut(Reason.NO_CLASS, f"expected {', '.join(classes[:-1])} or {classes[-1]}")
    return path.parts[-2]


def patient_above_class(path: PurePosixPath, classes: Sequence[str]) -> Identity:
    """Reads `…/<patient>/<class>/<file>`; the folder of a split is neither, wherever it is.

    Raises:
        LeftOut: the file's folder names no class, or no folder above it names a patient.
    """
    part, rest = shipped_split(path)
    label = class_folder(rest, classes)
    above = rest.parts[-3:-2]
    if not above or shipped_split(PurePosixPath(*above, rest.name))[0]:
        raise LeftOut(Reason.NO_PATIENT, f"expected the patient's folder above {label}")
    return Identity(above[0], label, part=part)


def group_of(path: PurePosixPath, pattern: str | re.Pattern[str]) -> str | None:
    """Returns the group that a pattern of `--group-by` finds in a path, or None.

    That is the pattern's group `patient`, else its first group that is not empty, else all
    that it matches; for an empty match the path itself.
    """
    found = re.search(pattern, str(path))
    if found is None:
        return None
    named = found.groupdict().get("patient") or next(filter(None, found.groups()), None)
    return named or found[0] or str(path.with_suffix(""))


def is_mask(path: PurePath) -> bool:
    """Tells whether this is a segmentation mask: `benign (1)_mask.png`, or in a folder `masks`."""
    in_folder = any(part.casefold() in _MASK_FOLDERS for part in path.parts[:-1])
    return in_folder or _MASK.search(path.stem) is not None


def refuse_mask(path: PurePosixPath) -> None:
    """Raises LeftOut for a segmentation mask."""
    if is_mask(path):
        raise LeftOut(Reason.MASK)


def without_mask(stem: str) -> str:
    """Returns the name of the image that a mask belongs to."""
    return _MASK.sub("", stem)


def key_path(path: PurePosixPath) -> str:
    """Takes every path for an image of its own: no second copies are known."""
    return str(path)


def key_name(path: PurePosixPath) -> str:
    """Takes files of one name for copies of one image, in whatever folders they are."""
    return path.name
