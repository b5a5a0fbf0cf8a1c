"""Which file each row of a table means, and which rows and files have no partner."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.files import is_file
from cancernet.base.patch_name import patient_key
from cancernet.base.tables import Column, read_table
from cancernet.base.words import counted, some
from cancernet.catalog import LeftOutFile, Reason
from cancernet.images.named_files import NamedFiles

_log = logging.getLogger(__name__)
EXAMPLES = 3
NAME_SOURCE = "name the folder that holds them with --source"


@dataclasses.dataclass(frozen=True)
class Joined:
    """The rows of a table and the files they mean.

    Attributes:
        files: name in the table -> the one file it means.
        doubtful: file -> the name that means it and others as well.
        missing: names without a file.
    """

    files: dict[str, str]
    doubtful: dict[str, str]
    missing: list[LeftOutFile]

    def refuse_doubtful(self, table: Path, why: str = "") -> None:
        """Raises CancerNetError where a name of a table means several files."""
        if self.doubtful:
            file, name = next(iter(self.doubtful.items()))
            other = next(f for f, meant in self.doubtful.items() if meant == name and f != file)
            raise CancerNetError(
                f"{name} in {table} fits several files, {file} and {other}{why}; write the path "
                "from the folder of the images into the table"
            )


def join_files(
    lines: Mapping[str, int],
    table: Path,
    images: Sequence[str],
    *,
    folder: str = "",
    advice: str = NAME_SOURCE,
) -> Joined:
    """Finds the file that each name in a table means, as `NamedFiles` does.

    Args:
        lines: name -> line of its row.
        images: paths relative to the source folder.
        folder: of the table's images, whose files come first; or empty.
        advice: what to do where no name means a file, for the message.

    Raises:
        CancerNetError: not one name means a single file.
    """
    meant, there = NamedFiles(images).find_all(lines), set(images)
    files, doubtful, missing = {}, {}, []
    for name, line in lines.items():
        inside = f"{folder}/{name}"
        found = [inside] if inside in there else meant[name]
        found = [file for file in found if folder and f"/{folder}/" in f"/{file}"] or found
        if len(found) == 1:
            files[name] = found[0]
        elif found:
            doubtful.update(dict.fromkeys(found, name))
        else:
            where = f"row {line} of {table.name}"
            missing.append(LeftOutFile(name, Reason.NO_FILE, where, failed=True))
    joined = Joined(files, doubtful, missing)
    if not files:
        joined.refuse_doubtful(table, ", and no row fits one alone")
        raise CancerNetError(
            f"none of {len(lines):,} files that {table} names is in the folder of the images: "
            f"{some(list(lines), EXAMPLES)}; {advice}"
        )
    return joined


def join_beside(lines: Mapping[str, int], table: Path, below: Sequence[str]) -> Joined:
    """Finds the one file of each name below the folder of a table, as a build finds them.

    `below` are the files there, relative to it. Rows without a file are named on the log.

    Raises:
        CancerNetError: no name means a file, or one means several.
    """
    if all(is_file(table.parent / name) for name in lines):
        return Joined({name: name for name in lines}, {}, [])
    joined = join_files(lines, table, below, advice="put the table into the folder of the images")
    joined.refuse_doubtful(table)
    say_missing(table, joined.missing)
    return joined


def say_missing(table: Path, missing: list[LeftOutFile]) -> None:
    """Names the rows of a table without a file on the log."""
    if missing:
        names = [each.source for each in missing]
        _log.warning("%s: %s without a file (%s)", table, counted(len(names), "row"), some(names))


def read_patients(
    table: Path, images: Sequence[str], *, columns: Sequence[str] = (), advice: str = NAME_SOURCE
) -> tuple[dict[str, str], list[LeftOutFile]]:
    """Reads a table of images and their patients.

    Args:
        table: with columns for the image and the patient.
        images: paths relative to the source folder.
        columns: of `columns_setting`.
        advice: of `join_files`.

    Returns:
        File -> patient, and the rows without a file.

    Raises:
        CancerNetError: it cannot be read, lacks a column, or gives a file two patients.
    """
    content = read_table(table, columns, all_there=False)
    image, patient = content.need(Column.IMAGE), content.need(Column.PATIENT)
    lines = {row.cells[image]: row.line for row in reversed(content.rows) if row.cells[image]}
    joined = join_files(lines, table, images, advice=advice)
    patients: dict[str, str] = {}
    for row in content.rows:
        file, named = joined.files.get(row.cells[image]), row.cells[patient]
        if file is None or not named:
            continue
        first = patients.setdefault(file, named)
        if patient_key(first) != patient_key(named):
            raise CancerNetError(
                f"row {row.line} of {table} says that {file} is of patient {named}, an earlier row "
                f"of {first}; take one of them out"
            )
    return patients, joined.missing
