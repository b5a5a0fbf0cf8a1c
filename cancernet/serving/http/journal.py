"""Log lines as JSON, one a line on stdout: what was asked and how it ended.

Never in a log line: image content, file names, addresses of clients, tokens, and the
messages of unexpected errors, which may quote any of these.
"""

import dataclasses
import sys
import threading
import traceback
from typing import IO, Self

from cancernet.base.files import json_text
from cancernet.runs.run_folder import now


@dataclasses.dataclass(frozen=True)
class Fault:
    """An unexpected error without its message: its kind and the last places it came through."""

    kind: str
    at: list[str]

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Takes what may be told of an error."""
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        at = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]
        return cls(type(error).__name__, at)


class Journal:
    """Writes log lines."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        """Takes the stream to write to; stdout by default."""
        self._stream = stream if stream is not None else sys.stdout
        self._lock = threading.Lock()

    def write(self, event: str, **fields: object) -> None:
        """Writes one line; a reader that has gone is no reason to stop serving."""
        line = json_text({"time": now(), "event": event, **fields}, ascii_only=True) + "\n"
        try:
            with self._lock:
                self._stream.write(line)
                self._stream.flush()
        except (OSError, ValueError):
            pass

    def failure(self, fault: Fault, **fields: object) -> None:
        """Writes an unexpected error."""
        self.write("failure", **dataclasses.asdict(fault), **fields)
