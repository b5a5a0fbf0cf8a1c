"""Runs a server as a process of its own, and loads it with a client that costs little."""

import asyncio
import contextlib
import functools
import os
import secrets
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command: list[object], port: int) -> Iterator[subprocess.Popen]:
    """Starts a server and waits until it answers."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                break
            if process.poll() is not None:
                sys.exit(f"{command} ended with {process.returncode}")
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def resident_mebibytes(process: subprocess.Popen) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def form_request(port: int, content: bytes, *, name: str = "a.png") -> bytes:
    """A whole HTTP request that posts one image to /predict and keeps the connection."""
    boundary = secrets.token_hex(8)
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
    ).encode()
    body += content + f"\r\n--{boundary}--\r\n".encode()
    head = (
        f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\n\r\n"
    ).encode()
    return head + body


class _Client(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last one is complete."""

    def __init__(self, requests: list[bytes], load: "Load", first: int) -> None:
        self._requests, self._load, self._next = requests, load, first
        self._received = b""
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: uvloop's transports are no subclass.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._load.count(head[9:12], time.perf_counter() - self._started)
        self._received = b""
        if self._load.goes_on():
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _send(self) -> None:
        self._started = time.perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += 1


class Load:
    """What a number of clients, each waiting for its answer, got out of a server."""

    def __init__(self, *, seconds: float = float("inf"), answers: float = float("inf")) -> None:
        self._end = time.perf_counter() + seconds
        self._most = answers
        self._begin = time.perf_counter()
        self.latencies: list[float] = []
        self.refused = 0

    def goes_on(self) -> bool:
        return time.perf_counter() < self._end and len(self.latencies) < self._most

    def count(self, status: bytes, seconds: float) -> None:
        self.latencies.append(seconds)
        self.refused += status != b"200"
        self.last = time.perf_counter()

    def figures(self) -> dict[str, float]:
        """Requests a second, and milliseconds that half and 99 % of them took at most."""
        cuts = statistics.quantiles(self.latencies, n=100)
        return {
            "requests_per_second": len(self.latencies) / (self.last - self._begin),
            "p50_milliseconds": 1000 * cuts[49],
            "p99_milliseconds": 1000 * cuts[98],
            "answers": len(self.latencies),
            "refused": self.refused,
        }


async def _press(port: int, requests: list[bytes], clients: int, load: Load) -> None:
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(
            functools.partial(_Client, requests, load, number * 7), "127.0.0.1", port
        )
        for number in range(clients)
    ]
    await asyncio.gather(*(protocol.ended for _, protocol in made))


def press(port: int, requests: list[bytes], clients: int, **ends: float) -> dict[str, float]:
    """Lets clients ask for some `seconds` or `answers`; returns `Load.figures`."""
    load = Load(**ends)
    pressing = _press(port, requests, clients, load)
    try:
        import uvloop
    except ModuleNotFoundError:
        asyncio.run(pressing)
    else:
        uvloop.run(pressing)
    return load.figures()
