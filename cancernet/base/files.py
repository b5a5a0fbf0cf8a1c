"""Writes files and folders whole or not at all: made beside, then renamed. Also locks.

A folder that is replaced again and again carries the program's mark (`Mark`), so that only
what the program made is ever removed.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cancernet.base.errors import CancerNetError
from cancernet.base.records import as_json

# What `written_beside` calls a file while it is being written.
_UNFINISHED = re.compile(r"\..*\.[0-9a-f]{8}\.part(\..*)?", re.DOTALL)
# `is_locked` of another process may hold a lock for an instant.
PATIENCE_SECONDS, POLL_SECONDS = 0.1, 0.02


class LockedError(Exception):
    """Another process holds the lock."""


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes as 64 hex digits, with flat memory."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_file(path: Path) -> bool:
    """Tells whether there is such a file; also of names too long or not possible at all."""
    return os.path.isfile(path)  # noqa: PTH113, `Path.is_file` raises


def refuse_missing(path: Path, what: str) -> None:
    """Raises CancerNetError where there is no such file; `what` names its kind."""
    if not is_file(path):
        raise CancerNetError(f"there is no {what} {path}")


def plain_name(name: str, *, most: int = 160) -> str:
    """Makes text of a file name, with bytes that are not text as `\\udcff`.

    A name of more than `most` bytes is cut and gets eight digits of its SHA-256, so that two
    long names stay two.
    """
    content = name.encode("utf-8", "backslashreplace")
    if len(content) <= most:
        return content.decode("utf-8")
    digits = hashlib.sha256(content).hexdigest()[:8]
    return f"{content[: most - 9].decode('utf-8', 'ignore')}-{digits}"


class FreeNames:
    """Gives each thing a file name of its own, so that none overwrites another."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        """Returns the name as `plain_name` makes it, with `-2`, `-3`, … where it is taken."""
        name = plain_name(name)
        number, free = 1, name
        while free in self._taken:
            number += 1
            free = f"{name}-{number}"
        self._taken.add(free)
        return free


@contextlib.contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Gives a temporary path in the same folder; renames it to `path` on success.

    After an error the temporary file is removed and whatever stood at `path`
    before is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays: Keras and matplotlib choose the format by it.
    stem = plain_name(path.stem, most=80)
    temporary = path.with_name(f".{stem}.{secrets.token_hex(4)}.part{path.suffix}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def is_unfinished(path: Path) -> bool:
    """Tells by its name whether `written_beside` was writing this file."""
    return _UNFINISHED.fullmatch(path.name) is not None


def remove_unfinished(folder: Path) -> None:
    """Removes the files of a folder that a killed process was writing.

    Only for whoever holds the folder's lock: another process's would go as well.
    """
    for path in Path(folder).iterdir():
        if is_unfinished(path):
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes bytes atomically."""
    with written_beside(path) as temporary:
        temporary.write_bytes(content)


def json_text(content: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Returns JSON that every language reads: records as objects, undefined as `null`."""
    return json.dumps(as_json(content), indent=indent, ensure_ascii=ascii_only, allow_nan=False)


def write_json(path: Path, content: Any) -> None:
    """Writes a record or plain values as JSON, atomically and indented; undefined is `null`."""
    # A file name that is not valid text has lone surrogates; as \udc80 they are sound JSON.
    text = json_text(content, indent=2) + "\n"
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def parse_json(text: str | bytes) -> Any:
    """Reads JSON that anybody may have written.

    Raises:
        ValueError: it is not valid JSON, or nested deeper than Python follows.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> Any:
    """Reads a JSON file in UTF-8; raises OSError, or ValueError as `parse_json` does."""
    return parse_json(Path(path).read_text(encoding="utf-8"))


@contextlib.contextmanager
def lock(
    path: Path, refusal: Exception | None = None, *, patience: float = PATIENCE_SECONDS
) -> Iterator[None]:
    """Holds an exclusive lock on a file for the time of the block, then removes the file.

    The operating system drops the lock when the process ends, however it ends, so a
    file left behind is no obstacle.

    Raises:
        LockedError: another process holds it; or `refusal`, which says so.
    """
    held = _file_lock(path)
    try:
        held.acquire(timeout=patience, poll_interval=POLL_SECONDS)
    except TimeoutError:
        raise refusal or LockedError(str(path)) from None
    try:
        yield
    finally:
        # While it is still held: filelock takes no lock on a file that has lost its name.
        with contextlib.suppress(OSError):
            Path(path).unlink()
        held.release()


def is_locked(path: Path) -> bool:
    """Tells whether a living process holds the lock; takes it for an instant to find out.

    Where the folder may not be written to or there is no file, nothing is locked.
    """
    if not path.exists():
        return False
    try:
        with _file_lock(path).acquire(blocking=False):
            return False
    except TimeoutError:
        return True
    except OSError:
        return False


def _file_lock(path: Path) -> Any:
    import filelock  # here, since it loads asyncio and sqlite3

    # A generator may be closed by another thread than began it.
    return filelock.FileLock(path, thread_local=False)


def beside(folder: Path, what: str) -> Path:
    """Returns the hidden path beside a folder: `.idc.building` for `idc`."""
    return folder.parent / f".{folder.name}.{what}"


def refuse_filled(folder: Path, *, option: str = "") -> None:
    """Raises CancerNetError if a folder that is to be filled holds something, or is a file."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CancerNetError(f"{folder} exists and is not empty; name another folder{option}")


@contextlib.contextmanager
def made_beside(folder: Path) -> Iterator[Path]:
    """Gives a new folder beside `folder`; renames it on success, else removes it.

    Raises:
        CancerNetError: `folder` is there already and not empty.
    """
    refuse_filled(folder, option=" with --output")
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

    `text` is for whoever opens it.
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
