"""From a request's body to the uploaded files, in memory and within limits.

Uploads are never written to disk: what a hospital sends must not end in a temporary
folder. A body is therefore read whole, but only up to its limit and only while all
bodies together stay below the server's memory limit.
"""

import asyncio
import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from cancernet.serving.http.refusals import Gone, Refusal, busy

MULTIPART = "multipart/form-data"
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_PARAMETER = re.compile(r';\s*(name|filename)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))', re.IGNORECASE)
_HEADER_BYTES = 8192
_NAME_LENGTH = 255


@dataclasses.dataclass(frozen=True)
class Upload:
    """One part of a form that holds a file: the field, the client's name for it, the bytes."""

    field: str
    name: str
    content: bytes


class Memory:
    """Counts the bytes of all uploads in work and refuses what would exceed the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """One request's share; given back at the end of the block."""
        share = Share(self)
        try:
            yield share
        finally:
            self._held -= share.held

    def take(self, count: int) -> None:
        """Takes bytes.

        Raises:
            Refusal: 503, the server's memory for uploads is used up.
        """
        if self._held + count > self._limit:
            raise busy("the server is holding as many uploads as it may", seconds=2)
        self._held += count


class Share:
    """What one request holds of the `Memory`, bytes."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.held = 0

    def take(self, count: int) -> None:
        """Takes bytes or raises `Refusal` (503)."""
        self._memory.take(count)
        self.held += count


async def read_body(request: Request, share: Share, *, limit: int, seconds: float) -> bytes:
    """Reads a body whole.

    Args:
        request: the request.
        share: counts the bytes held.
        limit: most bytes.
        seconds: time for the body to arrive.

    Raises:
        Refusal: 408 too slow, 413 too large, 503 no memory left.
        Gone: the client went away.
    """
    chunks: list[bytes] = []
    size = 0
    refused: Refusal | None = None
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        refused = _too_large(limit)
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                chunk = message.get("body", b"")
                size += len(chunk)
                if refused is None and size > limit:
                    refused = _too_large(limit)
                if refused is None:
                    try:
                        share.take(len(chunk))
                    except Refusal as refusal:
                        refused = refusal
                if refused is None:
                    chunks.append(chunk)
                else:
                    # Read on for a while without keeping anything: a client in the middle
                    # of sending would otherwise see a broken connection, not the answer.
                    chunks.clear()
                if not message.get("more_body") or (refused and size > 4 * limit):
                    break
    except TimeoutError:
        raise Refusal(
            408, f"the upload did not arrive within {seconds:g} s; send it again or send less"
        ) from None
    if refused is not None:
        raise refused
    return b"".join(chunks)


def parse_uploads(content_type: str, body: bytes, *, most: int) -> list[Upload]:
    """Takes a multipart body apart (RFC 2046, RFC 7578); parts without a file name are left out.

    Raises:
        Refusal: 415 not multipart, 400 malformed, 413 too many files.
    """
    if content_type.partition(";")[0].strip().lower() != MULTIPART:
        raise Refusal(415, f"send the image as {MULTIPART}, as a form with a file field does")
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise Refusal(
            400, "the form has no boundary in its Content-Type; send it as a browser does"
        )
    delimiter = b"\r\n--" + (found[1] or found[2]).encode("latin-1", "replace")
    if body.count(delimiter) > most + 100:
        raise _too_many(most)
    pieces = (b"\r\n" + body).split(delimiter)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise Refusal(400, "the form is cut off or malformed; send it again")
    uploads = [upload for piece in pieces[1:-1] if (upload := _part(piece)) is not None]
    if len(uploads) > most:
        raise _too_many(most)
    return uploads


def _part(piece: bytes) -> Upload | None:
    head_end = piece.find(b"\r\n\r\n", 0, _HEADER_BYTES)
    line_end = piece.find(b"\r\n")
    if head_end < 0 or piece[:line_end].strip(b" \t"):
        raise Refusal(400, "a part of the form has no proper header; send it as a browser does")
    names: dict[str, str] = {}
    for line in piece[line_end:head_end].decode("utf-8", "replace").split("\r\n"):
        if line.lower().startswith("content-disposition:"):
            names = {
                key.lower(): quoted or plain for key, quoted, plain in _PARAMETER.findall(line)
            }
    if "name" not in names:
        raise Refusal(400, "a part of the form has no name; send it as a browser does")
    if "filename" not in names:
        return None
    return Upload(names["name"], safe_name(names["filename"]), piece[head_end + 4 :])


def safe_name(name: str) -> str:
    """The last part of a file name, printable, at most 255 characters."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in last)[
        -_NAME_LENGTH:
    ]


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"the upload is larger than the limit of {limit / 2**20:g} MiB; send less")


def _too_many(most: int) -> Refusal:
    return Refusal(
        413, f"the form holds more than the limit of {most:,} images; send fewer at once"
    )
