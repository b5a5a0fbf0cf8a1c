"""From a request's body to the uploaded files, in memory and within limits.

Uploads are never written to disk: what a hospital sends must not end in a temporary
folder. A body is therefore taken into memory, but only up to its limit and only while
all bodies together stay below the server's memory limit.
"""

import asyncio
import contextlib
import dataclasses
import logging
import math
import re
import sys
from collections.abc import AsyncGenerator

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from cancernet.serving.problems import Gone, Refusal, busy

MULTIPART, ANY_IMAGE = "multipart/form-data", "image/*"
OTHER_FIELDS = 100  # parts that a form may hold besides its files
NAME_LENGTH = 255

# The parser reports malformed forms as log lines as well; the client is told, and that is enough.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


@dataclasses.dataclass(frozen=True)
class Upload:
    """An uploaded file: the form's field, the client's name for it, the bytes.

    A file sent by itself has neither field nor name.
    """

    field: str
    name: str
    content: bytes


@dataclasses.dataclass
class Memory:
    """Counts the bytes of all uploads in work."""

    limit: int
    held: int = 0

    def take(self, count: int) -> None:
        """Takes bytes.

        Raises:
            Refusal: 503, the server's memory for uploads is used up.
        """
        if self.held + count > self.limit:
            raise busy("the server has no memory left for uploads", seconds=2)
        self.held += count


class Body:
    """A request's body, read piece by piece, up to its limit and while there is memory."""

    def __init__(self, request: Request, memory: Memory, *, limit: int) -> None:
        """Reads nothing yet; `limit` is the most bytes."""
        self.held = 0
        self._request, self._memory, self._limit = request, memory, limit
        self._size = 0
        self._more = True

    async def uploads(self, *, most: int, seconds: float) -> list[Upload]:
        """Reads the body, a form or one image, and returns its files, at most `most`.

        Raises:
            Refusal: 400 malformed, 408 too slow, 413 too large or too many files, 415 neither
                form nor image, 503 no memory left.
            Gone: the client went away.
        """
        try:
            async with asyncio.timeout(seconds):
                try:
                    return await _parsed(self._request.headers, self._pieces(), most)
                except Refusal:
                    await self._skip()
                    raise
        except TimeoutError:
            raise Refusal(
                408, f"the upload did not arrive within {seconds:g} s; send it again or send less"
            ) from None

    def release(self) -> None:
        """Gives back the memory."""
        self._memory.held -= self.held
        self.held = 0

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        announced = self._request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit:
            raise self._too_large()
        while self._more:
            piece = await self._next()
            if self._size > self._limit:
                raise self._too_large()
            self._memory.take(len(piece))
            self.held += len(piece)
            yield piece

    async def _skip(self) -> None:
        """Reads on for a while and keeps nothing.

        A client in the middle of sending would otherwise see a broken connection and not
        the answer.
        """
        while self._more and self._size <= 4 * self._limit:
            await self._next()

    async def _next(self) -> bytes:
        message = await self._request.receive()
        if message["type"] == "http.disconnect":
            raise Gone
        self._more = bool(message.get("more_body"))
        piece: bytes = message.get("body", b"")
        self._size += len(piece)
        return piece

    def _too_large(self) -> Refusal:
        mebibytes = self._limit / 2**20
        return Refusal(413, f"the upload is larger than the limit of {mebibytes:g} MiB; send less")


async def _parsed(headers: Headers, pieces: AsyncGenerator[bytes, None], most: int) -> list[Upload]:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    async with contextlib.aclosing(pieces):
        if kind.startswith("image/"):
            return [Upload("", "", b"".join([piece async for piece in pieces]))]
        if kind != MULTIPART:
            raise Refusal(
                415,
                f"send the image in a form ({MULTIPART}) or with its own content type, such "
                "as image/png",
            )
        form = _Form(headers, pieces, most=most)
        try:
            found = await form.parse()
        except (MultiPartException, ValueError):  # the latter of python-multipart
            raise _malformed() from None
    if not form.is_whole:
        raise _malformed()
    files = [(field, file) for field, file in found.multi_items() if isinstance(file, UploadFile)]
    if len(files) > most:
        raise _too_many(most)
    return [_upload(field, file) for field, file in files]


class _Form(MultiPartParser):
    """Starlette's parser with files kept in memory, a limit of parts, and a check of the end."""

    spool_max_size = sys.maxsize

    def __init__(self, headers: Headers, pieces: AsyncGenerator[bytes, None], *, most: int) -> None:
        # The body's own limit bounds what is unlimited here.
        super().__init__(
            headers, pieces, max_files=math.inf, max_fields=math.inf, max_part_size=sys.maxsize
        )
        self.is_whole = False
        self._most = most
        self._parts = 0

    def on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > self._most + OTHER_FIELDS:
            raise _too_many(self._most)
        super().on_part_begin()

    def on_end(self) -> None:
        self.is_whole = True


def _upload(field: str, file: UploadFile) -> Upload:
    with file.file as content:
        return Upload(field, safe_name(file.filename or ""), content.read())


def safe_name(name: str) -> str:
    """Returns the last part of a file name, printable, at most 255 characters."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in last)[
        -NAME_LENGTH:
    ]


def _malformed() -> Refusal:
    return Refusal(400, "the form is malformed or cut off; send it again, as a browser does")


def _too_many(most: int) -> Refusal:
    return Refusal(
        413, f"the form holds more than the limit of {most:,} images; send fewer at once"
    )
