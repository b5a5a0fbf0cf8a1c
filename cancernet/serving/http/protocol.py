"""Uvicorn's HTTP with the limits that it lacks: on the size and the time of a head."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cancernet.serving.http.refusals import Refusal

HEAD_BYTES = 65_536
HEAD_SECONDS = 15.0


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections whose head (or trailer) never ends; answers malformed ones as JSON."""

    _unread = 0  # bytes since the parser last completed something
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begins to wait for a head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses what arrived; closes if it is too much for a head."""
        self._unread += len(data)
        super().data_received(data)
        if self._unread > HEAD_BYTES and not self.transport.is_closing():
            self._refuse("the request's headers are too large")
            self._stop_waiting()

    def on_message_begin(self) -> None:
        """A further request on the same connection."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._unread = 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body is whole."""
        self._unread = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Says in our own words that the request is malformed."""
        self._refuse("this is not a valid HTTP request")

    def _refuse(self, sentence: str) -> None:
        """Sends one sentence as JSON and closes."""
        content = bytes(Refusal(400, sentence).response().body)
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n" % len(content) + content
        )
        self.transport.close()

    def _await_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
