"""Builds beside and renames: at every moment there is the old set or the new one.

Beside the folder `idc` there may be, while a build runs or after it was killed:

    .idc.building   what is being built, or being thrown away: never complete
    .idc.previous   the old set, complete, between the two renames that replace it
    .idc.lock       held by the build that runs

Each carries the program's mark from its first moment to its last, and only what
carries it is ever removed.
"""

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.locks import LockedError, lock
from cancernet.dataset.manifest import MARKER

# A build that was killed has workers that end within a moment, and hold the lock until then.
PATIENCE_SECONDS = 2.0

MARKER_TEXT = (
    "build_dataset.py made this folder and replaces it whole when it is run again.\n"
    "Keep nothing of your own in it.\n"
)


@contextlib.contextmanager
def alone(output: Path) -> Iterator[None]:
    """Holds the lock of an output folder, and mends what a killed build left.

    Raises:
        CancerNetError: another build is writing there.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                stack.enter_context(lock(_beside(output, "lock")))
                break
            except LockedError:
                if time.monotonic() > deadline:
                    raise CancerNetError(
                        f"another build is writing {output}; wait until it has finished"
                    ) from None
                time.sleep(0.05)
        _mend(output)
        yield


@contextlib.contextmanager
def staged(output: Path) -> Iterator[Path]:
    """Gives a new, marked folder beside the output; removes it unless it was put in place."""
    staging = _beside(output, "building")
    staging.mkdir(exist_ok=True)  # an empty one may be left from a build killed right here
    try:
        # Written in place: beside and renamed, a kill would leave a folder without a mark.
        (staging / MARKER).write_text(MARKER_TEXT, encoding="utf-8")
        yield staging
    finally:
        _remove(staging)


def put_in_place(staging: Path, output: Path) -> None:
    """Makes the staged folder the output folder; what was there is removed.

    The images are flushed to the disk first, all at once: a sync for each would take
    longer than everything else together. Without any, a power failure soon after
    could leave the new set with empty files when the old one is already gone.

    Raises:
        CancerNetError: the folder is a mount point, or lies in a layer of a container's
            image, and cannot be renamed.
    """
    if hasattr(os, "sync"):
        os.sync()
    if not (output / MARKER).exists():
        _rename_whole(staging, output)  # nothing there, or an empty folder
        return
    previous = _beside(output, "previous")
    _rename_whole(output, previous)
    os.rename(staging, output)
    os.rename(previous, staging)
    _remove(staging)


def _rename_whole(folder: Path, name: Path) -> None:
    try:
        os.rename(folder, name)
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.EXDEV):
            raise
        output = name if folder.name.endswith(".building") else folder
        raise CancerNetError(
            f"{output} cannot be replaced as a whole ({error.strerror}): it is a mount point or "
            "part of a container's image; name a folder inside it with --output"
        ) from None


def _mend(output: Path) -> None:
    previous = _beside(output, "previous")
    if (previous / MARKER).exists():
        if (output / MARKER).exists():
            _remove(_beside(output, "building"))
            os.rename(previous, _beside(output, "building"))
        elif not output.exists() or not any(output.iterdir()):
            os.rename(previous, output)
    for name in ("building", "previous"):
        _remove(_beside(output, name))
        if os.path.lexists(_beside(output, name)):
            raise CancerNetError(
                f"{_beside(output, name)} is in the way and was not made by build_dataset.py; "
                "move it away"
            )


def _remove(folder: Path) -> None:
    """Removes a folder with the program's mark, the mark last; or an empty one."""
    if folder.is_symlink() or not folder.is_dir():
        return
    if (folder / MARKER).is_file():
        for entry in os.scandir(folder):
            if entry.name == MARKER:
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
        os.unlink(folder / MARKER)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _beside(output: Path, what: str) -> Path:
    return output.parent / f".{output.name}.{what}"
