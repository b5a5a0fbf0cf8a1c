"""What stands in the output folder already: ours or not, changed or not."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.words import some
from cancernet.building.transfer import NO_STAMP
from cancernet.config import SPLITS
from cancernet.dataset.build_record import BuildRecord
from cancernet.dataset.manifest import (
    BUILD,
    LEFT_OUT,
    MANIFEST,
    MARKER,
    OWN_PREFIX,
    manifest_rows,
    read_build,
)

# File managers put these into every folder that is looked at.
RUBBISH = {".DS_Store", "Thumbs.db", "desktop.ini"}
NAMED = 3


def refuse_what_is_not_ours(output: Path) -> None:
    """Makes sure that nothing of the user's would be lost with the output folder.

    Raises:
        CancerNetError: it is a file, was not made by a build, or holds other files too.
    """
    if not os.path.lexists(output):
        return
    if not output.is_dir():
        raise CancerNetError(f"{output} is not a folder; name another one with --output")
    if not any(output.iterdir()):
        return
    if not (output / MARKER).is_file():
        raise CancerNetError(
            f"{output} was not made by build_dataset.py and is left as it is; name another "
            "folder with --output"
        )
    foreign = sorted(_foreign_files(output))
    if foreign:
        raise CancerNetError(
            f"{output} holds what no build put there: {some(foreign, NAMED)}; "
            "nothing was touched: move it away, or name another folder with --output"
        )


def is_as_built(
    output: Path, source: Path, settings: dict[str, Any], found: list[str], images: list[str]
) -> BuildRecord | None:
    """Tells whether a build now would make exactly what is there.

    That is so when the settings, the source's files (by path, size and time of change)
    and the built files (the same) are all as they were.

    Args:
        output: where a built set may be.
        source: folder as downloaded.
        settings: as `build.json` records them.
        found: every image file under the source folder, sorted.
        images: those of them that would be read.

    Returns:
        The content of `build.json`, or None if there is something to do.
    """
    try:
        built = read_build(output)  # refuses what an earlier version built
        if built.settings != settings:
            return None
        stamps = np.array([_stamp(os.path.join(source, path)) for path in images], np.int64)
        if built.listing != listing(found, stamps) or not (output / LEFT_OUT).is_file():
            return None
        for path, origin, *_ in manifest_rows(output / MANIFEST):
            copy, original = os.path.join(output, path), os.path.join(source, origin)
            if not _same_file(copy, original, settings["link"]):
                return None
    except (CancerNetError, OSError, ValueError):
        return None  # whatever is wrong with it, building again mends it
    return built


def listing(found: Iterable[str], stamps: np.ndarray) -> str:
    """Returns a digest of a source folder: the same again means that it is as it was.

    Args:
        found: every image file, sorted.
        stamps: int64 (n, 2), bytes and time of change of those that are read; NO_STAMP
            for one that could not be read, so that mended permissions are a change.
    """
    digest = hashlib.sha256(stamps.tobytes())
    for path in found:
        digest.update(path.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return NO_STAMP
    return status.st_size, status.st_mtime_ns


def _same_file(built: str, origin: str, link: str) -> bool:
    one, other = os.stat(built), os.stat(origin)
    if link != "copy":
        return os.path.samestat(one, other)
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _foreign_files(output: Path) -> Iterator[str]:
    try:
        ours = {path for path, *_ in manifest_rows(output / MANIFEST)}
    except (OSError, ValueError):
        ours = set()
    folders = {path.rpartition("/")[0] for path in ours} | _class_folders(output)
    ours |= {MANIFEST, LEFT_OUT, BUILD}
    root = os.path.join(output, "")
    for here, names, files in os.walk(output):
        inside = here[len(root) :].replace(os.sep, "/")
        if not inside:
            names[:] = [name for name in names if not name.startswith(OWN_PREFIX)]
            files = [name for name in files if not name.startswith(OWN_PREFIX)]
        for name in files:
            path = f"{inside}/{name}" if inside else name
            if path not in ours and name not in RUBBISH:
                yield path
        if inside and not names and not files and inside not in folders:
            yield inside + "/"


def _class_folders(output: Path) -> set[str]:
    try:
        classes = read_build(output).classes
    except CancerNetError:
        return set()
    return {f"{split}/{label}" for split in SPLITS for label in classes}
