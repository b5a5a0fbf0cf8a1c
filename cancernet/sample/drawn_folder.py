"""A folder of drawn images: complete or not there, and marked as drawn.

Every PNG says in its metadata that a program drew it, and `DRAWN.json` says so for
the folder. Whoever makes a report from images can ask `drawn_marker`.

While `sample` is being drawn there are `.sample.drawing` and a lock file beside it. A
drawing that was killed leaves them; the next one sweeps them away.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from cancernet.base.errors import CancerNetError
from cancernet.base.files import read_json, write_json
from cancernet.base.locks import LockedError, lock

MARKER = "DRAWN.json"
SOFTWARE = "CancerNet drawn sample"

Item = TypeVar("Item")


def drawn_marker(folder: Path) -> dict[str, Any] | None:
    """Returns what `DRAWN.json` in a folder says, or None if the folder was not drawn."""
    try:
        content = read_json(Path(folder) / MARKER)
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("drawn") is True else None


def save_png(path: Path, pixels: NDArray[np.uint8], *, subject: str) -> None:
    """Writes one drawn image, (height, width) grey or (height, width, 3) RGB.

    Args:
        path: the file; its folder must exist.
        pixels: 8-bit values.
        subject: what it is no photograph of, e.g. `tissue`; goes into the metadata.
    """
    information = PngImagePlugin.PngInfo()
    information.add_text("Software", SOFTWARE)
    information.add_text("Description", f"Drawn by a program; not a photograph of {subject}.")
    # Level 3: as small as 6 within a few per cent on grainy pictures, in half the time.
    Image.fromarray(pixels).save(path, format="PNG", pnginfo=information, compress_level=3)


def progress(items: Iterable[Item], *, total: int, unit: str) -> Iterable[Item]:
    """Passes items on and shows on stderr how many there have been."""
    from tqdm import tqdm

    bar: Iterable[Item] = tqdm(items, total=total, desc="drawing", unit=unit)
    return bar


def draw_folder(
    folder: Path, facts: dict[str, Any], *, draw: Callable[[Path], dict[str, int]]
) -> None:
    """Fills a folder with drawn images in one step, or finds it filled already.

    The images are drawn into a folder beside it, which is then renamed: a drawing
    that is stopped leaves nothing half done at `folder`.

    Args:
        folder: where the images go; must not exist, be empty, or hold the same drawing.
        facts: what tells one drawing from another (`sample`, `version`, `seed`, ...).
        draw: called with an empty folder to fill; returns counts for the marker.

    Raises:
        CancerNetError: something else is there already; nothing is touched.
    """
    folder = Path(folder)
    if _is_complete(folder, facts):
        return
    _refuse_what_is_there(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with lock(folder.with_name(f".{folder.name}.drawing.lock")):
            _draw_beside(folder, facts, draw)
    except LockedError:
        raise CancerNetError(
            f"another program is drawing {folder}; wait until it has finished"
        ) from None


def _draw_beside(
    folder: Path, facts: dict[str, Any], draw: Callable[[Path], dict[str, int]]
) -> None:
    staging = folder.with_name(f".{folder.name}.drawing")
    _sweep(staging)
    staging.mkdir()
    marker = {"drawn": True, "by": SOFTWARE, **facts}
    try:
        # Written in place: beside and renamed, a kill would leave a folder without a mark.
        (staging / MARKER).write_text(json.dumps({**marker, "finished": False}), encoding="utf-8")
        counts = draw(staging)
        files = sum(1 for _ in staging.rglob("*.png"))
        write_json(staging / MARKER, {**marker, **counts, "files": files})
        if folder.is_dir():
            folder.rmdir()  # empty, as was seen before; Windows cannot rename onto it
        staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _sweep(staging: Path) -> None:
    """Removes what a killed drawing left; anything else in that place is refused."""
    if not os.path.lexists(staging):
        return
    ours = staging.is_dir() and not staging.is_symlink()
    if not ours or (any(staging.iterdir()) and not (staging / MARKER).is_file()):
        raise CancerNetError(f"{staging} is in the way and was not drawn here; move it away")
    shutil.rmtree(staging)


def _is_complete(folder: Path, facts: dict[str, Any]) -> bool:
    marker = drawn_marker(folder)
    if marker is None or any(marker.get(name) != value for name, value in facts.items()):
        return False
    return marker.get("files") == sum(1 for _ in folder.rglob("*.png"))


def _refuse_what_is_there(folder: Path) -> None:
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise CancerNetError(f"{folder} is not a folder; name another place for the drawn sample")
    if not any(folder.iterdir()):
        return
    if drawn_marker(folder) is None:
        raise CancerNetError(
            f"{folder} holds files that are not a drawn sample; they are left as they are: "
            "name another folder"
        )
    raise CancerNetError(
        f"{folder} holds a drawn sample that was made with other settings or has been changed; "
        "it is left as it is: remove it or name another folder"
    )
