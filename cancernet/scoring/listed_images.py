"""The images that a list names, such as the `Testing_set.csv` of a published set."""

import csv
from collections import defaultdict
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.files import is_file

FILENAME = "filename"


def listed_images(table: Path, folders: list[Path]) -> list[Path]:
    """Returns the files that a CSV's column `filename` names, in the list's order.

    A name is a path under one of the folders, or the name of the only file so called
    anywhere below them. One that is nowhere is returned too: scoring it says so.

    Raises:
        CancerNetError: the list cannot be read, names nothing, or a name fits several files.
    """
    names = _read_names(table)
    strangers = [str(folder) for folder in folders if not folder.is_dir()]
    if strangers:
        raise CancerNetError(f"with --list name folders of images; {strangers[0]} is none")
    anywhere: dict[str, list[Path]] | None = None
    found = []
    for name in names:
        there = [folder / name for folder in folders if is_file(folder / name)]
        if not there:
            if anywhere is None:
                anywhere = _by_name(folders)
            there = anywhere.get(Path(name).name, [])
        if len(there) > 1:
            raise CancerNetError(
                f"{name} in {table} fits several files, {there[0]} and {there[1]}; name the one "
                "folder that is meant"
            )
        found.append(there[0] if there else folders[0] / name)
    return found


def _by_name(folders: list[Path]) -> dict[str, list[Path]]:
    found = defaultdict(list)
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                found[path.name].append(path)
    return found


def _read_names(table: Path) -> list[str]:
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            heading = [cell.strip().lower() for cell in next(rows, [])]
            if FILENAME not in heading:
                raise CancerNetError(f"the first line of {table} must name a column {FILENAME}")
            place = heading.index(FILENAME)
            cells = (row[place].strip() for row in rows if len(row) > place)
            names = [cell.replace("\\", "/") for cell in cells if cell]
    except FileNotFoundError:
        raise CancerNetError(f"there is no list {table}") from None
    except IsADirectoryError:
        raise CancerNetError(f"{table} is a folder, not a CSV file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise CancerNetError(f"{table} is no CSV file in UTF-8 ({error})") from None
    if not names:
        raise CancerNetError(f"{table} names no file")
    return names
