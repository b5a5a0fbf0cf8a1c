"""Which images a command line names: files, folders with all below them, and lists of names."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from cancernet.base.errors import CancerNetError
from cancernet.base.files import is_file
from cancernet.images.formats import is_hidden, is_image_name


class Inputs:
    """Walks the named files and folders once, in a fixed order, without listing all first.

    A named file is always yielded, whatever its suffix, so that a wrong one is answered with
    a reason. In folders only image suffixes count, and DICOM files without any; what
    `is_hidden` tells is skipped. Masks in folders are left out, as a build leaves them out.

    Attributes:
        passed_over: number of other files met so far.
        links: number of links to folders met so far; they are not followed.
        masks: number of masks left out so far.
        named_like_masks: number of images met so far that are named so and not left out.
    """

    def __init__(self, named: list[Path], *, with_masks: bool = False) -> None:
        """Walks nothing yet; `with_masks` yields the masks in folders too."""
        self._named, self._with_masks = named, with_masks
        self.passed_over = self.links = self.masks = self.named_like_masks = 0

    def __iter__(self) -> Iterator[Path]:
        """Yields every image path once."""
        return map(Path, self.names())

    def names(self) -> Iterator[str]:
        """Yields the same as text, which takes a tenth of the time."""
        for path in self._named:
            for name in self._below(str(path)) if path.is_dir() else [str(path)]:
                self.named_like_masks += is_named_like_mask(name)
                yield name

    def _below(self, folder: str, inside: str = "") -> Iterator[str]:
        # `inside` is the way from the named folder, which may itself be called `masks`.
        # The names are sorted folder by folder. Links to folders are not followed, so that a
        # loop of links cannot hang the walk.
        try:
            with os.scandir(folder) as entries:
                found = sorted(
                    (entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries
                )
        except OSError:
            yield folder  # reading it as an image will give the reason
            return
        for name, is_folder in found:
            if is_hidden(name):
                continue
            path = name if folder == os.curdir else os.path.join(folder, name)
            if is_folder:
                yield from self._below(path, f"{inside}{name}/")
            elif not is_image_name(folder, name):
                is_link = Path(path).is_dir()
                self.links += is_link
                self.passed_over += not is_link
            elif not self._with_masks and _is_mask(inside + name):
                self.masks += 1
            else:
                yield path


def is_named_like_mask(path: str) -> bool:
    """Tells whether an image has the name of a mask, or lies in a folder of masks.

    Folders further up may be outside its data set and say nothing of it.
    """
    return _is_mask(path) and _is_mask(os.path.join(*PurePath(path).parts[-2:]))


def _is_mask(path: str) -> bool:
    if "mask" not in path.casefold():
        return False
    from cancernet.catalog import is_mask  # here, since hardly any prediction needs the catalogue

    return is_mask(PurePath(path))


def listed_images(table: Path, folders: list[Path], *, columns: Sequence[str] = ()) -> list[Path]:
    """Returns the files that a table's column for the image names, in the table's order.

    A name is a path under one of the folders, or means a file below them as `NamedFiles` finds
    it. A file that does not exist is returned too: scoring it says so.

    Args:
        table: with a column for the image.
        folders: that hold the files.
        columns: of `columns_setting`.

    Raises:
        CancerNetError: the list cannot be read, names nothing, or a name fits several files.
    """
    from cancernet.base.tables import Column, read_table
    from cancernet.images.named_files import NamedFiles, plain_path

    content = read_table(table, columns)
    column = content.need(Column.IMAGE)
    names = [plain_path(row.cells[column]) for row in content.rows if row.cells[column]]
    if not names:
        raise CancerNetError(f"{table} names no files; fill its column for the image")
    strangers = [str(folder) for folder in folders if not folder.is_dir()]
    if strangers:
        raise CancerNetError(f"--list needs folders of images, and {strangers[0]} is not a folder")
    there = {
        name: [folder / name for folder in folders if is_file(folder / name)] for name in names
    }
    if not all(there.values()):
        anywhere = NamedFiles(_all_files(folders)).find_all(names)
        there = {name: there[name] or list(map(Path, anywhere[name])) for name in names}
    for name, files in there.items():
        if len(files) > 1:
            raise CancerNetError(
                f"{name} in {table} fits several files, {files[0]} and {files[1]}; name only the "
                "folder that holds the right one"
            )
    return [there[name][0] if there[name] else folders[0] / name for name in names]


def _all_files(folders: list[Path]) -> list[str]:
    # A set, since one of the folders may lie in another.
    paths = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    return sorted(path.as_posix() for path in paths)
