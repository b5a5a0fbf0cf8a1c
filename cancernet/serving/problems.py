"""Says why a request is not served: a sentence to the client, a line to the log.

Never in either: a path, a traceback, image content, file names, addresses of clients, tokens,
and the messages of unexpected errors, which may quote any of these.
"""

import asyncio
import contextlib
import dataclasses
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import IO, Self

from starlette.responses import Response

from cancernet.base.files import json_text
from cancernet.runs.run_folder import now
from cancernet.serving.answers import Problem, Unreadable


class Refusal(Exception):
    """A refusal in place of the answer: what was wrong and what to do.

    `results` says why each of several files was refused.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        headers: Mapping[str, str] | None = None,
        results: Sequence[Unreadable] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = dict(headers or {})
        self.results = results

    def response(self) -> Response:
        """Returns the answer: a `Problem` as JSON."""
        results = None if self.results is None else list(self.results)
        return Response(
            Problem(error=self.sentence, results=results).model_dump_json(exclude_none=True),
            status_code=self.status,
            headers=self.headers,
            media_type="application/json",
        )


def busy(what: str, *, seconds: int = 1) -> Refusal:
    """Returns a 503 with the time after which trying again is worthwhile."""
    return Refusal(503, f"{what}; try again in {seconds} s", headers={"Retry-After": str(seconds)})


@contextlib.asynccontextmanager
async def time_limit(what: str, seconds: float) -> AsyncIterator[None]:
    """Ends a block after some seconds.

    Raises:
        Refusal: 504, it took longer.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Refusal(
            504, f"{what} took longer than {seconds:g} s; try again or send less"
        ) from None


class Gone(Exception):
    """The client closed the connection; there is nobody to answer."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """An unexpected error without its message: its kind and the last places it came through."""

    kind: str
    at: list[str]

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Takes what may be disclosed about an error."""
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        at = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]
        return cls(type(error).__name__, at)


class Journal:
    """Writes what was asked and how it ended as JSON, one object a line."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        """Takes the stream to write to; stdout by default."""
        self._stream = stream if stream is not None else sys.stdout
        self._lock = threading.Lock()

    def write(self, event: str, **fields: object) -> None:
        """Writes one line; serving goes on even if the reader of the log has gone."""
        line = json_text({"time": now(), "event": event, **fields}, ascii_only=True) + "\n"
        with contextlib.suppress(OSError, ValueError), self._lock:
            self._stream.write(line)
            self._stream.flush()

    def failure(self, fault: Fault, **fields: object) -> None:
        """Writes an unexpected error."""
        self.write("failure", **dataclasses.asdict(fault), **fields)
