"""Finds the files that a table means, whatever machine or folder its paths are from.

A path in a table means the file that shares the longest end with it. Case counts only where two
files differ in nothing else. Where several files share that end, the caller gets them all. Where
the front of a path is foreign to this folder (`D:/me/set` of `D:/me/set/train/1.png`), everything
behind that front must be here: `D:/me/set/test/1.png` does not mean `train/1.png` just because
the folder `test` is missing.

Where no name of a table means a file, the images may have been converted since: names are then
compared without the suffix of an image, and that is said.
"""

import bisect
import logging
from collections.abc import Iterable
from pathlib import PurePosixPath

from cancernet.images.formats import SUFFIXES

_RELATIVE = "."  # stands before the parts of a relative path
_log = logging.getLogger(__name__)


def plain_path(name: str) -> str:
    """Returns a file's name in a table with `/` and without `./` in front."""
    return name.replace("\\", "/").removeprefix("./")


class NamedFiles:
    """The files of a folder, to be found by the paths that a table gives them."""

    def __init__(self, files: Iterable[str]) -> None:
        """Takes paths with `/`, all relative to one folder or all absolute."""
        self._files = list(files)
        self._whole = _Ends({path: path for path in self._files})
        self._folded: _Ends | None = None
        self._stems: _Ends | None = None

    def find_all(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Returns the files that each name means: none where it is missing, one, or several.

        A name that does not end like an image may lack its suffix.
        """
        names = list(names)
        found = self._find_all({name: name for name in names})
        if any(found.values()):
            return found
        found = self._find_all({name: _without_suffix(name) for name in names})
        if any(found.values()):
            _log.warning(
                "The files have other suffixes than the table says, so names count without them"
            )
        return found

    def _find_all(self, spelled: dict[str, str]) -> dict[str, list[str]]:
        """Takes each name, and how it is looked for."""
        found: dict[str, list[str]] = {}
        front: dict[str, tuple[str, ...]] = {}
        for name, text in spelled.items():
            parts = _parts(text)
            found[name], common = self._longest(parts)
            absolute = name[:1] in ("/", "\\") or ":" in "".join(parts[:1])
            front[name] = (*(() if absolute else (_RELATIVE,)), *parts[: len(parts) - common])
        foreign = {front[name] for name, files in found.items() if files}
        return {
            name: []
            if any(front[name][:end] in foreign for end in range(len(front[name])))
            else files
            for name, files in found.items()
        }

    def _longest(self, parts: list[str]) -> tuple[list[str], int]:
        """Returns the files that have most parts of the end, and how many parts that are."""
        files, common = self._whole.longest(parts)
        if files or not parts:
            return files, common
        parts = [part.casefold() for part in parts]
        if self._folded is None:  # Windows and macOS write a name in any case
            self._folded = _Ends({path: path.casefold() for path in self._files})
        files, common = self._folded.longest(parts)
        if not files and PurePosixPath(parts[-1]).suffix.lower() not in SUFFIXES:
            if self._stems is None:
                self._stems = _Ends(
                    {p: str(PurePosixPath(p).with_suffix("")).casefold() for p in self._files}
                )
            files, common = self._stems.longest(parts)
        return files, common


class _Ends:
    """Paths sorted from their ends, so that those with the same end are neighbours."""

    def __init__(self, spelled: dict[str, str]) -> None:
        """Takes path -> what it is compared by."""
        keyed = sorted((_key(_parts(text)), path) for path, text in spelled.items())
        self._keys = [key for key, _ in keyed]
        self._paths = [path for _, path in keyed]

    def longest(self, parts: list[str]) -> tuple[list[str], int]:
        """Returns the paths that have most parts of this end in common with it, and how many."""
        key = _key(parts)
        place = bisect.bisect_left(self._keys, key)
        same = bisect.bisect_right(self._keys, key)
        if same > place:  # that very path
            return self._paths[place:same], len(parts)
        around = self._keys[max(place - 1, 0) : place + 1]
        common = max((_in_common(parts, other) for other in around), default=0)
        if not common:
            return [], 0
        end = _key(parts[-common:])
        begin = bisect.bisect_left(self._keys, end)
        behind = bisect.bisect_left(self._keys, end[:-1] + chr(ord("/") + 1))
        return self._paths[begin:behind], common


def _without_suffix(name: str) -> str:
    path = PurePosixPath(plain_path(name))
    return str(path.with_suffix("")) if path.suffix.lower() in SUFFIXES else name


def _parts(path: str) -> list[str]:
    return [part for part in plain_path(path).split("/") if part not in ("", ".")]


def _key(parts: list[str]) -> str:
    return "".join(part + "/" for part in reversed(parts))


def _in_common(parts: list[str], key: str) -> int:
    number = 0
    for one, other in zip(reversed(parts), key.split("/"), strict=False):
        if one != other:
            break
        number += 1
    return number
