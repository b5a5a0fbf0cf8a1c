"""A folder of drawn images: complete or not there, and marked as drawn."""

import concurrent.futures
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from cancernet.base.console import progress_bar
from cancernet.base.errors import CancerNetError
from cancernet.base.files import (
    Mark,
    beside,
    lock,
    read_json,
    rename_whole,
    write_json,
    write_text,
)
from cancernet.images.formats import SUFFIXES

MARKER = "DRAWN.json"
SOFTWARE = "CancerNet drawn sample"

# Path in the folder, and the pixels of an image (uint8, grey or RGB), the text of a table or the
# bytes of another file.
DrawnFile = tuple[str, NDArray[np.uint8] | str | bytes]
# Draws all files of one patient, scan or source.
Case = Callable[[], Iterable[DrawnFile]]

_log = logging.getLogger(__name__)


def drawn_marker(folder: Path) -> Mapping[str, object] | None:
    """Returns what `DRAWN.json` in a folder says, or None if the folder was not drawn."""
    try:
        content = read_json(Path(folder) / MARKER)
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("drawn") is True else None


def draw_folder(
    folder: Path, facts: Mapping[str, object], cases: Sequence[Case], *, subject: str
) -> None:
    """Fills a folder with drawn images in one step, or finds it filled already.

    While `sample` is being drawn there are `.sample.drawing` and a lock file beside it.
    A drawing that was killed leaves them; the next one removes them.

    Args:
        folder: must not exist, be empty, or hold the same drawing.
        facts: what distinguishes one drawing from another (`sample`, `version`, `seed`, ...).
        cases: what to draw, several at a time.
        subject: what the images are not photographs of; goes into their metadata.

    Raises:
        CancerNetError: something else is there already; nothing is touched.
    """
    folder = Path(folder)
    marker = drawn_marker(folder)
    if marker and facts.items() <= marker.items() and marker.get("files") == _images(folder):
        return
    _refuse_what_is_there(folder, marker is not None)
    _log.info("Drawing the sample into %s ...", folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    busy = CancerNetError(f"another program is drawing {folder}; wait until it has finished")
    with lock(beside(folder, "drawing.lock"), busy):
        _draw_beside(folder, {"drawn": True, "by": SOFTWARE, **facts}, cases, subject)


def _draw_beside(
    folder: Path, marker: Mapping[str, object], cases: Sequence[Case], subject: str
) -> None:
    staging = beside(folder, "drawing")
    mark = Mark(MARKER, json.dumps({**marker, "finished": False}))
    mark.remove(staging)
    if os.path.lexists(staging):
        raise CancerNetError(f"{staging} is in the way and was not drawn here; move it away")
    try:
        mark.make(staging)
        _draw_cases(staging, cases, subject)
        write_json(staging / MARKER, {**marker, "files": _images(staging)})
        rename_whole(staging, folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _draw_cases(folder: Path, cases: Sequence[Case], subject: str) -> None:
    def draw(case: Case) -> None:
        for name, content in case():
            save(folder / name, content, subject=subject)

    # NumPy, OpenCV and zlib release Python's lock, so threads are enough.
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8))
    try:
        jobs = [pool.submit(draw, case) for case in cases]
        finished = concurrent.futures.as_completed(jobs)
        for job in progress_bar(
            finished, title="Drawing", total=len(jobs), unit=" cases", in_logs=True
        ):
            job.result()
    finally:
        pool.shutdown(cancel_futures=True)


def description(subject: str) -> str:
    """Returns what the metadata of a drawn image say of it."""
    return f"Drawn by a program; not a photograph of {subject}."


def save(path: Path, content: NDArray[np.uint8] | str | bytes, *, subject: str) -> None:
    """Writes a table, or an image, whose metadata (if any) say that a program drew it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        write_text(path, content)
        return
    if isinstance(content, bytes):
        path.write_bytes(content)
        return
    if path.suffix != ".png":
        tags = {"description": description(subject), "software": SOFTWARE}
        Image.fromarray(content).save(path, **tags if path.suffix == ".tif" else {})
        return
    information = PngImagePlugin.PngInfo()
    information.add_text("Software", SOFTWARE)
    information.add_text("Description", description(subject))
    # Level 3: as small as 6 within a few per cent on grainy pictures, in half the time.
    Image.fromarray(content).save(path, format="PNG", pnginfo=information, compress_level=3)


def _images(folder: Path) -> int:
    return sum(path.suffix in SUFFIXES for path in folder.rglob("*"))


def _refuse_what_is_there(folder: Path, drawn: bool) -> None:
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise CancerNetError(f"{folder} is not a folder; name another place for the drawn sample")
    if drawn:
        raise CancerNetError(
            f"{folder} holds a drawn sample that was made with other settings or by another "
            "version, or has been changed; it is left as it is: remove it or name another folder"
        )
    if any(folder.iterdir()):
        raise CancerNetError(
            f"{folder} holds files that are not a drawn sample; they are left as they are: "
            "name another folder"
        )
