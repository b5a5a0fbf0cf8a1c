"""Which file each row of a table means, and which rows and files have no partner."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.patch_name import patient_key
from cancernet.base.tables import Column, read_table
from cancernet.base.words import some
from cancernet.catalog import LeftOutFile, Reason
from cancernet.images.named_files import NamedFiles

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
        table: the file, for messages.
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
    if not files and doubtful:
        file, name = next(iter(doubtful.items()))
        other = next(other for other in doubtful if other != file and doubtful[other] == name)
        raise CancerNetError(
            f"{name} in {table} fits several files, {file} and {other}, and no row fits one alone; "
            "write the path from the folder of the images into the table"
        )
    if not files:
        raise CancerNetError(
            f"none of {len(lines):,} files that {table} names is in the folder of the images: "
            f"{some(list(lines), EXAMPLES)}; {advice}"
        )
    return Joined(files, doubtful, missing)


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
