"""Heat maps, made in a separate process.

TensorFlow takes seconds to start and hundreds of megabytes, and may not be installed.
So it runs in a child process that starts with the first heat map; the API answers
meanwhile, and goes on if the child dies. Without TensorFlow, or for a run without
model.keras, the child explains by occlusion, which needs only the ONNX model.

    python -m cancernet.serving.heat_maps RUN CHECKSUM MAXIMUM_PIXELS

is the child. It reads questions on stdin and answers on stdout; the parts of both are 8 bytes
of length (big-endian) and that many bytes. A question is a `Question` as JSON and an image
file, an answer is `Explained` or `NotExplained` as JSON. The child ends when stdin is closed,
so it never outlives the server.
"""

import asyncio
import contextlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image
from pydantic import BaseModel, TypeAdapter, ValidationError

import cancernet
from cancernet.base.errors import CancerNetError, ImageError, RunError
from cancernet.images.reading import encoded
from cancernet.runs.run_folder import MODEL_KERAS, Run, open_run, read_run_file
from cancernet.serving.answers import Explained
from cancernet.serving.problems import Fault, Journal, Refusal, busy, time_limit
from cancernet.serving.scorer import decode
from cancernet.serving.settings import TOKEN_VARIABLE, ServeConfig

if TYPE_CHECKING:
    from cancernet.explaining.explainer import Explainer

LENGTH_BYTES = 8
MOST_ANSWER_BYTES = 16 * 2**20
CANNOT = "heat maps cannot be made with this run's model"
CHANGED = "the run folder was changed since the server started; restart the server"
UNEXPECTED = "the heat map could not be made; the server's log says where; try another image"


class Question(BaseModel):
    """What the child is asked about an image."""

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
    has_tensorflow = importlib.util.find_spec("tensorflow") is not None
    able = has_tensorflow and (run.folder / MODEL_KERAS).is_file()
    return "grad-cam" if able else "occlusion"


class HeatMaps:
    """The child process and the queue before it."""

    def __init__(self, run: Run, config: ServeConfig, journal: Journal) -> None:
        """Starts nothing yet."""
        self.method = method_for(run)
        self._run, self._config, self._journal = run, config, journal
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._places = asyncio.Semaphore(config.heat_map_queue)

    async def heat_map(self, content: bytes, label: str) -> Explained:
        """Explains a class in one image file.

        Raises:
            Refusal: 503 too many wait, the child died or the run was changed; 504 it took too long.
        """
        if self._places.locked():
            raise busy("too many heat maps are waiting", seconds=3)
        limit = time_limit("the heat map", self._config.heat_map_time_limit)
        async with self._places, limit, self._turn:
            return await self._ask(content, label)

    async def close(self) -> None:
        """Ends the child."""
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

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
        child.stdin.write(_part(question.model_dump_json().encode()) + _part(content))
        await child.stdin.drain()
        length = int.from_bytes(await child.stdout.readexactly(LENGTH_BYTES))
        if length > MOST_ANSWER_BYTES:
            raise OSError("an impossible length")
        return _ANSWER.validate_json(await child.stdout.readexactly(length))


async def _start(run: Run, config: ServeConfig) -> asyncio.subprocess.Process:
    package = str(Path(cancernet.__file__).resolve().parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    environment.pop(TOKEN_VARIABLE, None)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cancernet.serving.heat_maps",
        str(run.folder.resolve()),
        str(run.record.checksum),
        str(config.maximum_pixels),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Ctrl-C in a terminal reaches the whole group, but the server ends the child itself.
        start_new_session=True,
        env=environment,
    )


def _part(content: bytes) -> bytes:
    return len(content).to_bytes(LENGTH_BYTES) + content


def _read(file: IO[bytes]) -> bytes | None:
    """Returns the next part; None at the end of the stream."""
    head = file.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    content = file.read(int.from_bytes(head))
    return content if len(content) == int.from_bytes(head) else None


class _Child:
    """One run, opened with the first question."""

    def __init__(self, folder: Path, checksum: str, *, maximum_pixels: int) -> None:
        self._folder, self._checksum, self._maximum_pixels = folder, checksum, maximum_pixels
        self._explainer: Explainer | None = None

    def answer(self, question: Question, content: bytes) -> Explained | NotExplained:
        try:
            if self._explainer is None:
                self._explainer = self._load()
            return self._explain(self._explainer, question, content)
        except ImageError as error:
            return NotExplained(status=422, error=str(error))
        except CancerNetError:
            # Its sentence may name folders of the server.
            return NotExplained(status=503, error=CANNOT if self._is_there() else CHANGED)
        except Exception as error:
            return NotExplained(status=500, error=UNEXPECTED, fault=Fault.of(error))

    def _load(self) -> "Explainer":
        from cancernet.explaining.explainer import Explainer

        run = open_run(self._folder)
        if run.record.checksum != self._checksum:
            raise RunError(CHANGED)  # its maps would explain other answers than the server's
        return Explainer(run)

    def _is_there(self) -> bool:
        try:
            return read_run_file(self._folder).checksum == self._checksum
        except CancerNetError:
            return False

    def _explain(self, explainer: "Explainer", question: Question, content: bytes) -> Explained:
        found = explainer.explain(
            decode(explainer.predictor, content, maximum_pixels=self._maximum_pixels).pixels,
            explainer.run.classes.index(question.label),
            method=question.method,
        )
        grey = Image.fromarray(np.rint(np.clip(found.map, 0, 1) * 255).astype(np.uint8))
        return Explained(
            heatmap=encoded(grey, "JPEG"),
            explained=question.label,
            method=found.method,
            layer=found.layer,
            zero=found.is_zero,
        )


def main() -> None:
    """Answers until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print must not end up between the answers
    child = _Child(Path(sys.argv[1]), sys.argv[2], maximum_pixels=int(sys.argv[3]))
    while (question := _read(sys.stdin.buffer)) is not None:
        content = _read(sys.stdin.buffer)
        if content is None:
            return
        answer = child.answer(Question.model_validate_json(question), content)
        answers.write(_part(answer.model_dump_json().encode()))
        answers.flush()


if __name__ == "__main__":
    main()
