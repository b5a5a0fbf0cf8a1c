"""Every setting of the server: a field is a flag, its bounds and its help text."""

import dataclasses
import os
import re
from typing import Any

from cancernet.base.errors import CancerNetError
from cancernet.base.settings import check_settings, setting

MEBIBYTE = 2**20
TOKEN_VARIABLE = "CANCERNET_TOKEN"
LEAST_TOKEN = 16
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _flag(default: Any, text: str, **rules: Any) -> Any:
    return setting(default, f"{text} (default: {default})", **rules)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """How the server listens and what it accepts. Checked when made.

    Attributes:
        token: what clients must send as `Authorization: Bearer …`; None asks for nothing.
        allowed_hosts: names, besides localhost and plain addresses, that requests may
            be addressed to.

    Raises:
        CancerNetError: a value is outside its bounds; the message names the flag.
    """

    token: str | None = dataclasses.field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    host: str = _flag("127.0.0.1", "address to listen on", metavar="ADDRESS", common=True)
    port: int = _flag(
        8000, "port to listen on; 0 takes a free one", least=0, most=65535, common=True
    )
    root_path: str = setting(
        "", "path under which a proxy serves it, such as /cancernet", metavar="PATH"
    )
    maximum_megabytes: int = _flag(16, "largest image file, MiB", least=1)
    maximum_request_megabytes: int = _flag(128, "largest request with many images, MiB", least=1)
    maximum_pixels: int = _flag(25_000_000, "largest image, pixels", least=1)
    maximum_images: int = _flag(10_000, "most images in one request", least=1)
    queue: int = _flag(128, "most requests served at once; more are answered 503", least=1)
    memory_megabytes: int = _flag(
        256, "most memory for uploads, MiB; more are answered 503", least=1
    )
    workers: int = _flag(0, "threads that decode and score; 0 takes one per core", least=0)
    time_limit: float = _flag(
        30.0, "seconds for an upload to arrive, and again for its answer", above=0
    )
    heat_map_time_limit: float = _flag(
        90.0, "seconds for a heat map, including the start of TensorFlow", above=0
    )
    heat_map_queue: int = _flag(8, "most heat maps waiting at once", least=1)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.memory_megabytes < self.maximum_request_megabytes:
            raise CancerNetError(
                f"--memory-megabytes {self.memory_megabytes} is below --maximum-request-megabytes "
                f"{self.maximum_request_megabytes}, so the largest request could never be taken"
            )
        if re.search(r"[^\w.~/-]", self.root_path, re.ASCII):
            raise CancerNetError(
                f"--root-path is {self.root_path!r}, but must be the path of an address, such as "
                "/cancernet"
            )
        if self.token is not None:
            _check_token(self.token)

    @property
    def prefix(self) -> str:
        """The path that a proxy serves: empty, or with a slash at its beginning only."""
        path = self.root_path.strip("/")
        return f"/{path}" if path else ""

    @property
    def image_bytes(self) -> int:
        """Largest image file, bytes."""
        return self.maximum_megabytes * MEBIBYTE

    @property
    def request_bytes(self) -> int:
        """Largest request with many images, bytes."""
        return self.maximum_request_megabytes * MEBIBYTE

    @property
    def memory_bytes(self) -> int:
        """Most bytes of uploads held at once."""
        return self.memory_megabytes * MEBIBYTE

    @property
    def threads(self) -> int:
        """Threads that decode and score."""
        return self.workers or max(1, os.cpu_count() or 1)

    @property
    def is_open(self) -> bool:
        """Whether other machines can reach the server."""
        return self.host not in LOOPBACK and not self.host.startswith("127.")


def _check_token(token: str) -> None:
    if len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise CancerNetError(
            f"the token must be at least {LEAST_TOKEN} visible ASCII characters; make one with "
            "`python -c 'import secrets; print(secrets.token_urlsafe(32))'`"
        )
