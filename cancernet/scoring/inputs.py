"""Which images a command line names: files, and folders with all below them."""

import os
from collections.abc import Iterator
from pathlib import Path

from cancernet.base.images import SUFFIXES

ENDINGS = tuple(SUFFIXES)


class Inputs:
    """Walks the named files and folders once, in a fixed order, without listing all first.

    A file that was named is always given out, whatever its suffix, so that a wrong
    one is answered with a reason. In folders only image suffixes count; hidden files
    are passed over. `passed_over` counts the other files met so far.
    """

    def __init__(self, named: list[Path]) -> None:
        """Takes the files and folders in the order of the command line."""
        self._named = named
        self.passed_over = 0

    def __iter__(self) -> Iterator[Path]:
        """Gives every image path once."""
        for path in self._named:
            if path.is_dir():
                yield from self._below(path)
            else:
                yield path

    def _below(self, folder: Path) -> Iterator[Path]:
        # One folder's names are sorted at a time; links to folders are not followed,
        # so a loop of links cannot hang the walk.
        try:
            with os.scandir(folder) as entries:
                found = sorted(
                    (entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries
                )
        except OSError:
            yield folder  # reading it as an image will give the reason
            return
        for name, is_folder in found:
            if name.startswith("."):
                continue
            if is_folder:
                yield from self._below(folder / name)
            elif name.lower().endswith(ENDINGS):
                yield folder / name
            else:
                self.passed_over += 1
