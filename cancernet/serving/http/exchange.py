"""One request and its answer: the headers of every answer, and an end to every request."""

import asyncio
import contextlib
import secrets

from starlette.types import Message, Receive, Scope, Send

from cancernet.serving.http.refusals import Refusal

# How long a client may go on sending after an answer that came before the end of its request.
# Cut off at once, it would see a broken connection and not the answer.
LINGER_SECONDS = 2.0

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
_RAW_HEADERS = [(k.lower().encode(), v.encode()) for k, v in _HEADERS.items()]


class Exchange:
    """Sends one answer; closes the connection if the request was not read to its end.

    To keep the connection, the server would first have to read the rest of the body at
    whatever speed the client sends it: a thousand such clients would hold every connection.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Takes the ASGI arguments of one request."""
        self._scope, self._receive, self._send = scope, receive, send
        headers = dict(scope["headers"])
        self._unread = (
            headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
        )
        self._open = False
        self.identity = secrets.token_hex(6)
        self.status = 0

    async def receive(self) -> Message:
        """The next piece of the request."""
        message = await self._receive()
        if not message.get("more_body"):  # the last piece, or the client has gone
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        """Sends a piece of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", []),
                *_RAW_HEADERS,
                (b"x-request-id", self.identity.encode()),
                *([(b"connection", b"close")] if self._unread else []),
            ]
        elif self._unread and not message.get("more_body"):
            message = {**message, "more_body": True}  # `end` says that it was the last
            self._open = True
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Sends a refusal, unless an answer has begun: nothing of it can be taken back."""
        if self.status:
            return
        await refusal.response()(self._scope, self.receive, self.send)

    async def end(self) -> None:
        """Closes the connection after an answer to a request that was not read to its end."""
        if not self._open:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while self._unread:
                    await self.receive()  # and keep nothing
        await self._send({"type": "http.response.body", "body": b""})
