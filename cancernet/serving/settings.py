"""Every setting of the server, with the bounds its flag gets."""

import dataclasses
import os

from cancernet.base.errors import CancerNetError

MEBIBYTE = 2**20
TOKEN_VARIABLE = "CANCERNET_TOKEN"
LEAST_TOKEN = 16
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """How the server listens and what it takes. Checked when made.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        token: what clients must send as `Authorization: Bearer …`; None asks for nothing.
        allowed_hosts: names, besides localhost and plain addresses, that requests may
            be addressed to.
        maximum_megabytes: largest image file, MiB.
        maximum_request_megabytes: largest request with many images, MiB.
        maximum_pixels: largest image, pixels.
        maximum_images: most images in one request.
        queue: most requests in work at once; further ones are answered 503.
        memory_megabytes: most bytes of uploads held at once, MiB; beyond it 503.
        workers: threads that decode and score; 0 takes one per core.
        time_limit: seconds for an upload to arrive, and again for its answer.
        heat_map_time_limit: seconds for a heat map, the loading of TensorFlow included.
        heat_map_queue: most heat maps waiting at once.

    Raises:
        CancerNetError: a value is outside its bounds; the message names the flag.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = dataclasses.field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    maximum_megabytes: int = 16
    maximum_request_megabytes: int = 128
    maximum_pixels: int = 25_000_000
    maximum_images: int = 10_000
    queue: int = 128
    memory_megabytes: int = 256
    workers: int = 0
    time_limit: float = 30.0
    heat_map_time_limit: float = 90.0
    heat_map_queue: int = 8

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise CancerNetError(f"--port is {self.port}, but ports go from 0 to 65535")
        for name, least in (
            ("maximum_megabytes", 1),
            ("maximum_request_megabytes", 1),
            ("maximum_pixels", 1),
            ("maximum_images", 1),
            ("queue", 1),
            ("memory_megabytes", 1),
            ("workers", 0),
            ("heat_map_queue", 1),
        ):
            if getattr(self, name) < least:
                flag = "--" + name.replace("_", "-")
                raise CancerNetError(
                    f"{flag} is {getattr(self, name)}, but must be {least} or more"
                )
        for name in ("time_limit", "heat_map_time_limit"):
            if not 0 < getattr(self, name) < float("inf"):
                flag = "--" + name.replace("_", "-")
                raise CancerNetError(
                    f"{flag} is {getattr(self, name)}, but must be above 0 seconds"
                )
        if self.memory_megabytes < self.maximum_request_megabytes:
            raise CancerNetError(
                f"--memory-megabytes {self.memory_megabytes} is below --maximum-request-megabytes "
                f"{self.maximum_request_megabytes}, so the largest request could never be taken"
            )
        if self.token is not None:
            _check_token(self.token)

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
