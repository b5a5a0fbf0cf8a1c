"""Listening, warning, and stopping cleanly; Uvicorn's HTTP with the limits that it lacks."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cancernet.base.console import fitted
from cancernet.base.errors import CancerNetError
from cancernet.base.words import DRAWN, NOTICE
from cancernet.runs.run_folder import Run
from cancernet.serving.application import make_application
from cancernet.serving.problems import Journal, Refusal
from cancernet.serving.settings import TOKEN_VARIABLE, ServeConfig

CONNECTIONS = 1024  # open at once; further ones are answered 503
SHUTDOWN_SECONDS = 10
HEAD_BYTES = 65_536
HEAD_SECONDS = 15.0


def serve(run: Run, config: ServeConfig) -> None:
    """Serves a run until SIGTERM or Ctrl-C; current requests are finished first.

    Raises:
        CancerNetError: the server cannot listen on the address or load the model.
    """
    journal = Journal()
    application = make_application(run, config, journal)
    with contextlib.closing(_listen(config)) as listener:
        port = listener.getsockname()[1]
        say_where(run, config, port)
        journal.write("started", run=run.name, port=port)
        server = uvicorn.Server(
            uvicorn.Config(
                application,
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                limit_concurrency=CONNECTIONS,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
                # Addresses in headers can be forged; nothing here depends on them.
                proxy_headers=False,
                http=BoundedProtocol,
                ws="none",
            )
        )
        with _signals_spent():
            server.run(sockets=[listener])
        if not server.started:
            raise CancerNetError("the server could not start; see its log")
    journal.write("stopped")


def _listen(config: ServeConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.host, config.port))
        listener.listen(CONNECTIONS)
    except OSError as error:
        listener.close()
        raise CancerNetError(
            f"cannot listen on {config.host} port {config.port} ({error.strerror or error}); "
            "choose another --host or --port"
        ) from None
    listener.setblocking(False)
    return listener


@contextlib.contextmanager
def _signals_spent() -> Iterator[None]:
    """Ignores the signal that uvicorn sends itself again once it has stopped."""
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = {kind: signal.signal(kind, lambda *_: None) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def say_where(run: Run, config: ServeConfig, port: int) -> None:
    """Prints the server's address on stderr, with a warning if other machines can reach it."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    lines = [f"Run {run.name} at http://{host}:{port} (Ctrl-C stops it)."]
    if run.drawn:
        lines.append(DRAWN)
    if config.is_open and config.token is None:
        lines.append(
            f"warning: {config.host} can be reached from other machines, and no token is set: "
            "anybody there can use the model, and images are sent unencrypted. Set a token "
            f"({TOKEN_VARIABLE}) and put TLS in front (docs/DEPLOY.md)."
        )
    elif config.is_open:
        lines.append(
            f"warning: {config.host} can be reached from other machines, and images and token "
            "are sent unencrypted. Put TLS in front (docs/DEPLOY.md)."
        )
    print(fitted("\n".join([*lines, NOTICE]), sys.stderr), file=sys.stderr, flush=True)


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
