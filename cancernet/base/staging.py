"""Folders that are complete or not there: made beside, then renamed.

`made_beside` is for a folder that is made once. A folder that is replaced again and again
carries the program's mark (`Mark`), so that only what the program made is ever removed.
"""

import contextlib
import dataclasses
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from cancernet.base.errors import CancerNetError


def beside(folder: Path, what: str) -> Path:
    """Returns the hidden path beside a folder: `.idc.building` for `idc`."""
    return folder.parent / f".{folder.name}.{what}"


@contextlib.contextmanager
def made_beside(folder: Path) -> Iterator[Path]:
    """Gives a new folder beside, renamed to `folder` when all went well, else removed.

    Raises:
        CancerNetError: `folder` is there already and not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CancerNetError(f"{folder} exists already; name another --output folder")
    staging = folder.with_name(f".{folder.name[:80]}.{secrets.token_hex(4)}.part")
    staging.mkdir(parents=True)
    try:
        yield staging
        rename_whole(staging, folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def rename_whole(staging: Path, folder: Path) -> None:
    """Renames a folder to a name that is free, or that an empty folder has."""
    if folder.is_dir():
        folder.rmdir()  # Windows cannot rename onto it
    staging.rename(folder)


@dataclasses.dataclass(frozen=True)
class Mark:
    """A file that tells the program's own folders: there from their first moment to their last.

    Attributes:
        name: of the file.
        text: for whoever opens it.
    """

    name: str
    text: str

    def is_on(self, folder: Path) -> bool:
        """Tells whether a folder carries the mark."""
        return (folder / self.name).is_file()

    def make(self, folder: Path) -> None:
        """Makes a folder with the mark; there may be an empty one."""
        folder.mkdir(exist_ok=True)  # of a program that was killed right here
        # Written in place: beside and renamed, a kill would leave a folder without a mark.
        (folder / self.name).write_text(self.text, encoding="utf-8")

    def remove(self, folder: Path) -> None:
        """Removes a folder with the mark, the mark last; or an empty one; nothing else."""
        if folder.is_symlink() or not folder.is_dir():
            return
        if self.is_on(folder):
            for entry in os.scandir(folder):
                if entry.name == self.name:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
            (folder / self.name).unlink()
        with contextlib.suppress(OSError):
            folder.rmdir()
