"""The child process that makes heat maps.

    python -m cancernet.serving.heat_map_process RUN CHECKSUM MAXIMUM_PIXELS

Reads questions on stdin and answers on stdout, each as 8 bytes of length (big-endian)
and that many bytes: a question is a JSON object and an image file, an answer is a JSON
object. Ends when stdin is closed, so it never outlives the server.
"""

import json
import os
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from cancernet.base.errors import CancerNetError, ImageError, RunError
from cancernet.base.files import json_text
from cancernet.runs.run_folder import open_run, read_run_file
from cancernet.serving.decoding import decode, encoded
from cancernet.serving.heat_maps import LENGTH_BYTES
from cancernet.serving.http.journal import where

CANNOT = "heat maps cannot be made with this run's model"
CHANGED = "the run folder was changed since the server started; restart the server"
UNEXPECTED = "the heat map could not be made; the server's log says where; try another image"


def main() -> None:
    """Answers until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print must not end up between the answers
    folder, checksum, pixels = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    explainer = None
    while (question := _read(sys.stdin.buffer)) is not None:
        content = _read(sys.stdin.buffer)
        if content is None:
            return
        try:
            if explainer is None:
                explainer = _load(folder, checksum)
            answer = _explain(explainer, json.loads(question), content, pixels)
        except ImageError as error:
            answer = {"status": 422, "error": str(error)}
        except CancerNetError:
            # Its sentence may name folders of the server.
            answer = {"status": 503, "error": CANNOT if _is_there(folder, checksum) else CHANGED}
        except Exception as error:
            answer = {"status": 500, "error": UNEXPECTED, "failure": where(error)}
        encoded = json_text(answer).encode()
        answers.write(len(encoded).to_bytes(LENGTH_BYTES) + encoded)
        answers.flush()


def _load(folder: Path, checksum: str) -> Any:
    """Opens the run, unless it is another than the server's: its maps would explain other answers.

    Raises:
        RunError: it cannot be opened, or is another.
    """
    from cancernet.explaining.explainer import Explainer

    run = open_run(folder)
    if run.record.checksum != checksum:
        raise RunError(CHANGED)
    return Explainer(run)


def _is_there(folder: Path, checksum: str) -> bool:
    try:
        return read_run_file(folder).checksum == checksum
    except CancerNetError:
        return False


def _explain(
    explainer: Any, question: dict[str, str], content: bytes, maximum_pixels: int
) -> dict[str, Any]:
    run = explainer.run
    found = explainer.explain(
        decode(run, content, maximum_pixels=maximum_pixels),
        run.classes.index(question["label"]),
        method=question["method"],
    )
    return {
        "heatmap": encoded(_grey(found.map), "JPEG"),
        "explained": question["label"],
        "method": found.method,
        "layer": found.layer,
        "zero": bool(found.is_zero),
    }


def _grey(values: np.ndarray) -> Image.Image:
    """A map of 0-1, shape (height, width), as a grey image."""
    return Image.fromarray(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))


def _read(file: IO[bytes]) -> bytes | None:
    head = file.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    length = int.from_bytes(head)
    content = file.read(length)
    return content if len(content) == length else None


if __name__ == "__main__":
    main()
