"""Heat maps, made in a process of their own.

TensorFlow takes seconds to start and hundreds of megabytes, and may not be installed.
So it lives in a child that starts with the first heat map; the API answers meanwhile,
and goes on when the child dies. Without TensorFlow the child explains by occlusion,
which needs only the ONNX model; so it does when the run comes without model.keras.
"""

import asyncio
import contextlib
import importlib.util
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cancernet
from cancernet.runs.run_folder import Run
from cancernet.serving.http.journal import Journal
from cancernet.serving.http.refusals import Refusal, busy
from cancernet.serving.settings import ServeConfig

LENGTH_BYTES = 8
MOST_ANSWER_BYTES = 16 * 2**20


def method_for(run: Run) -> str:
    """How a run's heat maps are made here: "grad-cam" where TensorFlow and model.keras are."""
    able = run.keras.is_file() and importlib.util.find_spec("tensorflow") is not None
    return "grad-cam" if able else "occlusion"


class HeatMaps:
    """The child process and the line before it."""

    def __init__(self, run: Run, config: ServeConfig, journal: Journal) -> None:
        """Starts nothing yet."""
        self._journal = journal
        self.method = method_for(run)
        self._run = run
        self._config = config
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._in_line = 0

    async def heat_map(self, content: bytes, label: str) -> dict[str, Any]:
        """Explains one image.

        Args:
            content: the image file's bytes.
            label: the class to explain.

        Returns:
            `heatmap` (a JPEG in base64), `explained`, `method`, `layer`, `zero`.

        Raises:
            Refusal: 503 too many wait, the child died or the run was changed, 504 it took too long.
        """
        try:
            async with (
                self._place_in_line(),
                asyncio.timeout(self._config.heat_map_time_limit),
                self._turn,
            ):
                return await self._ask(content, label)
        except TimeoutError:
            raise Refusal(
                504,
                f"the heat map took longer than {self._config.heat_map_time_limit:g} s; try again",
            ) from None

    async def close(self) -> None:
        """Ends the child."""
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    @contextlib.asynccontextmanager
    async def _place_in_line(self) -> AsyncIterator[None]:
        if self._in_line >= self._config.heat_map_queue:
            raise busy("as many heat maps are waiting as may", seconds=3)
        self._in_line += 1
        try:
            yield
        finally:
            self._in_line -= 1

    async def _ask(self, content: bytes, label: str) -> dict[str, Any]:
        if self._child is None or self._child.returncode is not None:
            self._child = await _start(self._run, self._config)
        complete = False
        try:
            answer = await self._exchange(self._child, content, label)
            complete = True
        except (asyncio.IncompleteReadError, OSError):
            raise busy("the process that makes heat maps ended", seconds=3) from None
        finally:
            if not complete:
                # Cut off in the middle of an answer, the child is of no more use.
                await asyncio.shield(self.close())
        if "failure" in answer:
            self._journal.write("failure", process="heat maps", **answer["failure"])
        if "error" in answer:
            raise Refusal(int(answer["status"]), str(answer["error"]))
        return answer

    async def _exchange(
        self, child: asyncio.subprocess.Process, content: bytes, label: str
    ) -> dict[str, Any]:
        assert child.stdin is not None and child.stdout is not None
        question = json.dumps({"label": label, "method": self.method}).encode()
        for part in (question, content):
            child.stdin.write(len(part).to_bytes(LENGTH_BYTES) + part)
        await child.stdin.drain()
        length = int.from_bytes(await child.stdout.readexactly(LENGTH_BYTES))
        if length > MOST_ANSWER_BYTES:
            raise OSError("an impossible length")
        answer: dict[str, Any] = json.loads(await child.stdout.readexactly(length))
        return answer


async def _start(run: Run, config: ServeConfig) -> asyncio.subprocess.Process:
    package = str(Path(cancernet.__file__).resolve().parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    environment.pop("CANCERNET_TOKEN", None)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cancernet.serving.heat_map_process",
        str(run.folder.resolve()),
        str(run.record.checksum),
        str(config.maximum_pixels),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Ctrl-C in a terminal reaches the whole group; the server ends the child itself.
        start_new_session=True,
        env=environment,
    )
