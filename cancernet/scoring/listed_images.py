"""The images that a list names, such as the `Testing_set.csv` of a published set."""

from collections import defaultdict
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.files import is_file
from cancernet.base.tables import FILE, plain_path, read_table


def listed_images(table: Path, folders: list[Path]) -> list[Path]:
    """Returns the files that a CSV's column `filename` (or `path`) names, in the list's order.

    A name is a path under one of the folders, or the name of the only file so called
    anywhere below them. One that is nowhere is returned too: scoring it says so.

    Raises:
        CancerNetError: the list cannot be read, names nothing, or a name fits several files.
    """
    names = _read_names(table)
    strangers = [str(folder) for folder in folders if not folder.is_dir()]
    if strangers:
        raise CancerNetError(f"with --list name folders of images; {strangers[0]} is not one")
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


def _read_names(path: Path) -> list[str]:
    table = read_table(path)
    place = table.need(FILE)
    names = [plain_path(row.cells[place]) for row in table.rows if row.cells[place]]
    if not names:
        raise CancerNetError(f"{path} names no file")
    return names
