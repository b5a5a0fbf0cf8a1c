"""One process at a time: a lock that vanishes with the process that holds it."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO


class LockedError(Exception):
    """Another process holds the lock."""


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on a file for the time of the block.

    The operating system drops the lock when the process ends, however it ends, so a
    file left behind is no obstacle. The file is removed at the end of the block.

    Raises:
        LockedError: another process holds it.
    """
    with open(path, "a", encoding="utf-8") as file:
        # A holder that just ended may have removed the file between our opening and our
        # locking it; a lock on a file without a name would keep nobody out.
        if not _take_patiently(file) or not _is_named(file, path):
            raise LockedError(str(path))
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()


def is_locked(path: Path) -> bool:
    """Tells whether a living process holds the lock; takes it for an instant to find out.

    A folder that may not be written to, or no file at all, counts as not locked.
    """
    try:
        with open(path, "r+", encoding="utf-8") as file:
            return not _take(file)
    except OSError:
        return False


def _take_patiently(file: IO[str]) -> bool:
    """Tries for a tenth of a second: `is_locked` elsewhere may hold the lock for an instant."""
    for _ in range(5):
        if _take(file):
            return True
        time.sleep(0.02)
    return False


def _take(file: IO[str]) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_named(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False
