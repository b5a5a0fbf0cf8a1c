"""Matches the rows of a table of labelled images with files, and notes those without a match."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.files import is_file
from cancernet.base.words import counted, some
from cancernet.catalog import LeftOutFile
from cancernet.dataset.joined import join_files
from cancernet.scoring.inputs import Inputs

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Files:
    """What a table names: its names and their files, those without one, and files without a row.

    The files are relative to the folder of the table, with `/`.
    """

    files: dict[str, str]
    missing: list[LeftOutFile]
    unnamed: int


def files_of(table: Path, lines: Mapping[str, int]) -> Files:
    """Finds the file of each name below the folder of a table, as a build finds them.

    `lines` holds the line of each name. Rows without a file are named on the log.

    Raises:
        CancerNetError: no name means a file, or one means several.
    """
    folder = table.parent
    below = files_below(folder)
    if all(is_file(folder / name) for name in lines):
        return Files({name: name for name in lines}, [], len(set(below) - set(lines)))
    joined = join_files(lines, table, below, advice="put the table into the folder of the images")
    if joined.doubtful:
        file, name = next(iter(joined.doubtful.items()))
        other = next(f for f, meant in joined.doubtful.items() if meant == name and f != file)
        raise CancerNetError(
            f"{name} in {table} fits several files, {file} and {other}; write the path from the "
            "table's folder into it"
        )
    say_missing(table, joined.missing)
    return Files(joined.files, joined.missing, len(set(below) - set(joined.files.values())))


def files_below(folder: Path) -> list[str]:
    """Returns the image files below a folder, relative to it, with `/`."""
    return [file.relative_to(folder).as_posix() for file in Inputs([folder], with_masks=True)]


def say_missing(table: Path, missing: list[LeftOutFile]) -> None:
    """Names the rows of a table without a file on the log."""
    if missing:
        names = [each.source for each in missing]
        _log.warning("%s: %s without a file (%s)", table, counted(len(names), "row"), some(names))
