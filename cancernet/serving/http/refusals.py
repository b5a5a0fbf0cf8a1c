"""Requests that cannot be served: a status and one sentence, never a path or a traceback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

from starlette.responses import Response

from cancernet.serving.answers import Problem, Unreadable


class Refusal(Exception):
    """An answer that is not the one that was asked for.

    Attributes:
        status: HTTP status, 400 to 599.
        sentence: what was wrong and what to do, for a person to read.
        headers: further headers of the answer.
        results: where every file of several was refused, why each.
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
        problem = Problem(error=self.sentence, results=results)
        return Response(
            problem.model_dump_json(exclude_none=True),
            status_code=self.status,
            headers=self.headers,
            media_type="application/json",
        )


def busy(what: str, *, seconds: int = 1) -> Refusal:
    """503 with the time after which trying again is worth it."""
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
