"""Heat maps, made in a separate process.

TensorFlow takes seconds to start and hundreds of megabytes, and may not be installed.
So it runs in a child process that starts with the first heat map; the API answers
meanwhile, and goes on if the child dies. Without TensorFlow, or for a run without
model.keras, the child explains by occlusion, which needs only the ONNX model.
"""

import asyncio
import contextlib
import importlib.util
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

import cancernet
from cancernet.runs.run_folder import Run
from cancernet.serving.answers import Explained
from cancernet.serving.http.journal import Fault, Journal
from cancernet.serving.http.refusals import Refusal, busy, time_limit
from cancernet.serving.settings import ServeConfig

LENGTH_BYTES = 8
MOST_ANSWER_BYTES = 16 * 2**20


class Question(BaseModel):
    """What the child is asked of an image."""

    label: str
    method: str


class NotExplained(BaseModel):
    """Why the child made no heat map: a refusal, and where it failed if that was unexpected."""

    status: int
    error: str
    fault: Fault | None = None


_ANSWER: TypeAdapter[Explained | NotExplained] = TypeAdapter(Explained | NotExplained)


def method_for(run: Run) -> str:
    """The method of a run's heat maps: "grad-cam" if TensorFlow and model.keras are there."""
    able = run.keras.is_file() and importlib.util.find_spec("tensorflow") is not None
    return "grad-cam" if able else "occlusion"


class HeatMaps:
    """The child process and the queue before it."""

    def __init__(self, run: Run, config: ServeConfig, journal: Journal) -> None:
        """Starts nothing yet."""
        self._journal = journal
        self.method = method_for(run)
        self._run = run
        self._config = config
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def heat_map(self, content: bytes, label: str) -> Explained:
        """Explains one image.

        Args:
            content: the image file's bytes.
            label: the class to explain.

        Raises:
            Refusal: 503 too many wait, the child died or the run was changed, 504 it took too long.
        """
        async with (
            self._place_in_queue(),
            time_limit("the heat map", self._config.heat_map_time_limit),
            self._turn,
        ):
            return await self._ask(content, label)

    async def close(self) -> None:
        """Ends the child."""
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    @contextlib.asynccontextmanager
    async def _place_in_queue(self) -> AsyncIterator[None]:
        if self._waiting >= self._config.heat_map_queue:
            raise busy("too many heat maps are waiting", seconds=3)
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def _ask(self, content: bytes, label: str) -> Explained:
        if self._child is None or self._child.returncode is not None:
            self._child = await _start(self._run, self._config)
        complete = False
        try:
            answer = await self._exchange(self._child, content, label)
            complete = True
        except (asyncio.IncompleteReadError, OSError, ValidationError):
            raise busy("the process that makes heat maps ended", seconds=3) from None
        finally:
            if not complete:
                # After half an answer the child cannot be asked again.
                await asyncio.shield(self.close())
        if isinstance(answer, NotExplained):
            if answer.fault is not None:
                self._journal.failure(answer.fault, process="heat maps")
            raise Refusal(answer.status, answer.error)
        return answer

    async def _exchange(
        self, child: asyncio.subprocess.Process, content: bytes, label: str
    ) -> Explained | NotExplained:
        assert child.stdin is not None and child.stdout is not None
        question = Question(label=label, method=self.method)
        for part in (question.model_dump_json().encode(), content):
            child.stdin.write(len(part).to_bytes(LENGTH_BYTES) + part)
        await child.stdin.drain()
        length = int.from_bytes(await child.stdout.readexactly(LENGTH_BYTES))
        if length > MOST_ANSWER_BYTES:
            raise OSError("an impossible length")
        return _ANSWER.validate_json(await child.stdout.readexactly(length))


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
        # Ctrl-C in a terminal reaches the whole group, but the server ends the child itself.
        start_new_session=True,
        env=environment,
    )
