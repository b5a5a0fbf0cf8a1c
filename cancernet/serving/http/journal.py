"""Log lines as JSON, one a line on stdout: what was asked and how it ended.

Never in a log line: image content, file names, addresses of clients, tokens, and the
messages of unexpected errors, which may quote any of these.
"""

import sys
import threading
import traceback
from typing import IO, Any

from cancernet.base.files import json_text
from cancernet.runs.run_folder import now


class Journal:
    """Writes log lines."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        """Takes the stream to write to; stdout by default."""
        self._stream = stream if stream is not None else sys.stdout
        self._lock = threading.Lock()

    def write(self, event: str, **fields: Any) -> None:
        """Writes one line; a reader that has gone is no reason to stop serving."""
        line = json_text({"time": now(), "event": event, **fields}, ascii_only=True) + "\n"
        try:
            with self._lock:
                self._stream.write(line)
                self._stream.flush()
        except (OSError, ValueError):
            pass

    def failure(self, error: BaseException, **fields: Any) -> None:
        """Writes an unexpected error: its kind and where it happened."""
        self.write("failure", **where(error), **fields)


def where(error: BaseException) -> dict[str, Any]:
    """An error's kind and the last places it came through, without its message."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]
    return {"kind": type(error).__name__, "at": places}
