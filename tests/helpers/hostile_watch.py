"""Watches what reading a hostile file does besides: writing elsewhere, programs, unpickling."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_WRITES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
_RUNS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "pickle.find_class",
         "socket.connect"}  # fmt: skip
_watched: list[tuple[Path, list[str]]] = []


def _audit_event(event: str, details: tuple[Any, ...]) -> None:
    if not _watched:
        return
    allowed, seen = _watched[-1]
    if event in _RUNS:
        seen.append(f"{event} {details!r:.200}")
    elif (
        event == "open" and isinstance(details[0], str | bytes) and _is_writing(*details[1:3])
    ) or event in _WRITES:
        _note_outside(event, details[0], allowed, seen)


def _is_writing(mode: Any, flags: Any) -> bool:
    flags = flags if isinstance(flags, int) else 0
    return bool(flags & (os.O_WRONLY | os.O_RDWR)) or (isinstance(mode, str) and mode != "r")


def _note_outside(event: str, path: Any, allowed: Path, seen: list[str]) -> None:
    place = str(Path(os.fsdecode(path)).absolute()) if not isinstance(path, int) else ""
    own = "__pycache__" in place or place in ("", os.devnull)
    if not own and not place.startswith(str(allowed)):
        seen.append(f"{event} {place}")


sys.addaudithook(_audit_event)  # cannot be taken away again; without `watched` it does nothing


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Fails when something is written outside of a folder, a program started or unpickled."""
    seen: list[str] = []
    _watched.append((folder, seen))
    try:
        yield
    finally:
        _watched.pop()
    assert not seen, f"reading it did {seen}"
