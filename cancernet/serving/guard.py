"""Checks every request first and last: who may ask, how many at once, what is logged.

Every answer gets the security headers, and every request is brought to an end.
"""

import asyncio
import contextlib
import hmac
import ipaddress
import re
import secrets
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cancernet.serving.problems import Fault, Gone, Journal, Refusal, busy
from cancernet.serving.settings import ServeConfig

# Open without a token: they contain neither images nor facts about the model.
DOCS = ("/docs", "/redoc")
OPEN_PATHS = frozenset({"/", "/health", "/favicon.ico", "/openapi.json", *DOCS})
OPEN_FOLDER = "/page/"

_HOST = re.compile(r"^(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::\d{1,5})?$")
FAILED = "the server failed; its log says where; try another image"
CLOSED_BY_CLIENT = 499  # in the log only; nobody is there to read it

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


class Guard:
    """Wraps the application: refuses, counts, logs, and never sends the text of an error."""

    def __init__(self, app: ASGIApp, config: ServeConfig, journal: Journal) -> None:
        self._app = app
        self._config = config
        self._journal = journal
        self._expected = None if config.token is None else f"Bearer {config.token}".encode()
        self._in_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; passes start-up and shutdown through."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        scope = self._addressed(scope)
        exchange = Exchange(scope, receive, send)
        started = time.perf_counter()
        posted = scope["method"] == "POST"
        self._in_work += posted
        try:
            self._admit(scope, posted)
            await self._app(scope, exchange.receive, exchange.send)
        except Refusal as refusal:
            await exchange.refuse(refusal)
        except asyncio.CancelledError:  # the server stops, and the time to finish is over
            await exchange.refuse(busy("the server stopped before it could answer", seconds=10))
            raise
        except Gone:
            exchange.status = CLOSED_BY_CLIENT
        except Exception as error:
            self._journal.failure(Fault.of(error), request=exchange.identity)
            await exchange.refuse(Refusal(500, FAILED))
        finally:
            self._in_work -= posted
            self._log(scope, exchange, time.perf_counter() - started)
        await exchange.end()

    def _addressed(self, scope: Scope) -> Scope:
        """Returns a request as the routes know it, whether or not its path ends in a slash.

        Some proxies take their own path (`--root-path`) off the address, others leave it there.
        """
        prefix, path = self._config.prefix, scope["path"]
        if path == prefix or path.startswith(f"{prefix}/"):
            path = path.removeprefix(prefix)
        path = path and (path.rstrip("/") or "/")
        return {**scope, "root_path": prefix, "path": prefix + path}

    def _admit(self, scope: Scope, posted: bool) -> None:
        headers = dict(scope["headers"])
        self._check_host(headers.get(b"host", b"").decode("latin-1"))
        _check_origin(headers, posted=posted)
        path = scope["path"].removeprefix(scope["root_path"])
        if not path:  # the page's own addresses are relative to this
            page = f"{scope['root_path']}/"
            raise Refusal(308, f"the page is at {page}", headers={"Location": page})
        if self._expected is not None and path not in OPEN_PATHS:
            given = headers.get(b"authorization", b"")
            is_page = path.startswith(OPEN_FOLDER) and not posted
            if not is_page and not hmac.compare_digest(given, self._expected):
                raise Refusal(
                    401,
                    "this server requires a token: send it as `Authorization: Bearer …`",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        if posted and self._in_work > self._config.queue:
            raise busy("the server has reached its limit of requests")

    def _check_host(self, host: str) -> None:
        """Refuses names that are not the server's own (DNS rebinding)."""
        found = _HOST.match(host)
        name = found[1].strip("[]").lower() if found else ""
        if name == "localhost" or name in self._config.allowed_hosts:
            return
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(name)
            return
        raise Refusal(
            400,
            "the request is addressed to another host; the operator can allow that host with "
            "--allowed-host",
        )

    def _log(self, scope: Scope, exchange: Exchange, seconds: float) -> None:
        route = scope.get("route")
        self._journal.write(
            "request",
            request=exchange.identity,
            method=scope["method"] if scope["method"].isalpha() else "?",
            # The route, never the path that was asked for: that may hold anything.
            route=getattr(route, "path", None),
            status=exchange.status,
            milliseconds=round(1000 * seconds, 2),
            **scope.get("state", {}).get("log", {}),
        )


def _check_origin(headers: MutableMapping[bytes, bytes], *, posted: bool) -> None:
    """Refuses what a page of another site sends (CSRF); programs send none of these headers.

    A link from elsewhere may lead to the page; a form from elsewhere may not send to it.
    """
    site = headers.get(b"sec-fetch-site")
    followed = headers.get(b"sec-fetch-mode") == b"navigate" and not posted
    origin = headers.get(b"origin")
    foreign = site in (b"cross-site", b"same-site") and not followed
    if origin is not None:
        foreign |= origin.partition(b"://")[2].lower() != headers.get(b"host", b"").lower()
    if foreign:
        raise Refusal(403, "requests from pages of other sites are not served")


def note(scope: MutableMapping[str, Any], **fields: Any) -> None:
    """Adds fields to the request's log line."""
    scope.setdefault("state", {}).setdefault("log", {}).update(fields)
