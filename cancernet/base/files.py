"""Writing files so that nothing is ever half-written: beside, then renamed."""

import contextlib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cancernet.base.records import as_json

# What `written_beside` calls a file while it is being written.
_UNFINISHED = re.compile(r"\..*\.[0-9a-f]{8}\.part(\..*)?", re.DOTALL)


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes as 64 hex digits, with flat memory."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_file(path: Path) -> bool:
    """Tells whether there is such a file; also of names too long or not possible at all."""
    return os.path.isfile(path)  # noqa: PTH113, `Path.is_file` raises


def plain_name(name: str, *, most: int = 160) -> str:
    """Makes a text of a file name, bytes that are none as `\\udcff`, of at most so many bytes.

    What is cut gets eight digits of its SHA-256, so that two long names stay two.
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
        _flush_to_disk(temporary)
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
    with written_beside(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


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
    """Reads a JSON file in UTF-8 that anybody may have written.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not valid JSON, or nested deeper than Python follows.
    """
    return parse_json(Path(path).read_text(encoding="utf-8"))


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
