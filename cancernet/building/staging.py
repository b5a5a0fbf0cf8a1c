"""Builds beside and renames: at every moment there is the old set or the new one.

Beside the folder `idc` there may be, while a build runs or after it was killed:

    .idc.building   what is being built or removed: never complete
    .idc.previous   the old set, complete, between the two renames that replace it
    .idc.lock       held by the build that runs

Each folder carries the program's mark as long as it exists, and only what carries it is
ever removed.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.files import Mark, beside, lock
from cancernet.base.words import some
from cancernet.config import SPLITS
from cancernet.dataset.build_record import BUILD, read_build
from cancernet.dataset.manifest import LEFT_OUT, MANIFEST, MARKER, OWN_PREFIX, manifest_rows

# The workers of a killed build hold the lock until they end, a moment later.
PATIENCE_SECONDS = 2.0
# File managers put these into every folder that they show.
RUBBISH = {".DS_Store", "Thumbs.db", "desktop.ini"}
EXAMPLES = 3

MARK = Mark(
    MARKER,
    "build_dataset.py made this folder and replaces it whole when it is run again.\n"
    "Keep nothing of your own in it.\n",
)


@contextlib.contextmanager
def alone(output: Path) -> Iterator[None]:
    """Holds the lock of an output folder, and cleans up what a killed build left.

    Raises:
        CancerNetError: another build is writing there, or the folder is not ours.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    busy = CancerNetError(f"another build is writing {output}; wait until it has finished")
    with lock(beside(output, "lock"), busy, patience=PATIENCE_SECONDS):
        _mend(output)
        refuse_what_is_not_ours(output)
        yield


@contextlib.contextmanager
def staged(output: Path) -> Iterator[Path]:
    """Gives a new, marked folder; makes it the output folder when all went well."""
    staging = beside(output, "building")
    try:
        MARK.make(staging)
        yield staging
        # Minutes have passed; somebody may have put a file there.
        refuse_what_is_not_ours(output)
        _put_in_place(staging, output)
    finally:
        MARK.remove(staging)


def _put_in_place(staging: Path, output: Path) -> None:
    """Makes the staged folder the output folder; what was there is removed.

    The images are flushed to the disk first, all at once: without that, a power failure
    could leave the new set with empty files when the old one is already gone.

    Raises:
        CancerNetError: the folder is a mount point, or part of a container's image, and
            cannot be renamed.
    """
    if hasattr(os, "sync"):
        os.sync()
    if not MARK.is_on(output):
        _rename(staging, output, output)  # nothing there, or an empty folder
        return
    previous = beside(output, "previous")
    _rename(output, previous, output)
    os.rename(staging, output)
    os.rename(previous, staging)
    MARK.remove(staging)


def _rename(folder: Path, name: Path, output: Path) -> None:
    try:
        os.rename(folder, name)
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.EXDEV):
            raise
        raise CancerNetError(
            f"{output} cannot be replaced as a whole ({error.strerror}): it is a mount point or "
            "part of a container's image; name a folder inside it with --output"
        ) from None


def _mend(output: Path) -> None:
    building, previous = beside(output, "building"), beside(output, "previous")
    if MARK.is_on(previous):
        if MARK.is_on(output):
            MARK.remove(building)
            os.rename(previous, building)
        elif not output.exists() or not any(output.iterdir()):
            os.rename(previous, output)
    for folder in (building, previous):
        MARK.remove(folder)
        if os.path.lexists(folder):
            raise CancerNetError(
                f"{folder} is in the way and was not made by build_dataset.py; move it away"
            )


def refuse_what_is_not_ours(output: Path) -> None:
    """Makes sure that no file of the user's would be lost with the output folder.

    Raises:
        CancerNetError: it is a file, was not made by a build, or holds other files too.
    """
    if not os.path.lexists(output):
        return
    if not output.is_dir():
        raise CancerNetError(f"{output} is not a folder; name another one with --output")
    if not any(output.iterdir()):
        return
    if not MARK.is_on(output):
        raise CancerNetError(
            f"{output} was not made by build_dataset.py and is left as it is; name another "
            "folder with --output"
        )
    foreign = sorted(_foreign_files(output))
    if foreign:
        raise CancerNetError(
            f"{output} holds files that no build put there: {some(foreign, EXAMPLES)}; "
            "nothing was touched: move them away, or name another folder with --output"
        )


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
