"""The child process that makes heat maps.

    python -m cancernet.serving.heat_map_process RUN CHECKSUM MAXIMUM_PIXELS

Reads questions on stdin and answers on stdout; the parts of both are 8 bytes of length
(big-endian) and that many bytes. A question is a `Question` as JSON and an image file, an
answer is `Explained` or `NotExplained` as JSON. Ends when stdin is closed, so it never
outlives the server.
"""

import os
import sys
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from cancernet.base.errors import CancerNetError, ImageError, RunError
from cancernet.explaining.explainer import Explainer
from cancernet.runs.run_folder import open_run, read_run_file
from cancernet.serving.answers import Explained
from cancernet.serving.decoding import decode, encoded
from cancernet.serving.heat_maps import LENGTH_BYTES, NotExplained, Question
from cancernet.serving.http.journal import Fault

CANNOT = "heat maps cannot be made with this run's model"
CHANGED = "the run folder was changed since the server started; restart the server"
UNEXPECTED = "the heat map could not be made; the server's log says where; try another image"


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
        text = answer.model_dump_json().encode()
        answers.write(len(text).to_bytes(LENGTH_BYTES) + text)
        answers.flush()


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

    def _load(self) -> Explainer:
        run = open_run(self._folder)
        if run.record.checksum != self._checksum:
            raise RunError(CHANGED)  # its maps would explain other answers than the server's
        return Explainer(run)

    def _is_there(self) -> bool:
        try:
            return read_run_file(self._folder).checksum == self._checksum
        except CancerNetError:
            return False

    def _explain(self, explainer: Explainer, question: Question, content: bytes) -> Explained:
        found = explainer.explain(
            decode(explainer.run, content, maximum_pixels=self._maximum_pixels),
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


def _read(file: IO[bytes]) -> bytes | None:
    head = file.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    length = int.from_bytes(head)
    content = file.read(length)
    return content if len(content) == length else None


if __name__ == "__main__":
    main()
