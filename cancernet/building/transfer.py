"""Reads every image once: hashes, decodes, and writes or links what was read.

A copy is written from the very bytes that were hashed and decoded; nothing is read a
second time. It keeps the time of change of its source, like `shutil.copy2`, so a later
build can see that both are still as they were.
"""

import contextlib
import dataclasses
import errno
import functools
import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from cancernet.base.errors import CancerNetError, ImageError, NoMemoryError
from cancernet.base.images import CannotReadError, read_file
from cancernet.base.parallel import in_parallel
from cancernet.building.decode import decoded_size
from cancernet.building.plan import Plan
from cancernet.building.settings import BuildSettings
from cancernet.catalog import LeftOutFile, Reason

CHUNK = 256
HASH_BYTES = 32
NO_HASH = bytes(HASH_BYTES)
NO_STAMP = (-1, -1)


@dataclasses.dataclass(frozen=True)
class Transferred:
    """What reading every image gave; arrays have one entry an image.

    Attributes:
        sha256: uint8 (n, 32).
        width, height: int64 pixels, upright; 0 where it failed.
        stamp: int64 (n, 2), bytes and time of change (ns) of the source when it was read.
        failed: places of the images that could not be read or decoded -> why.
    """

    sha256: np.ndarray
    width: np.ndarray
    height: np.ndarray
    stamp: np.ndarray
    failed: dict[int, LeftOutFile]

    def take(self, chosen: np.ndarray) -> "Transferred":
        """Returns the same of the images at these places, none of which failed."""
        return Transferred(
            self.sha256[chosen], self.width[chosen], self.height[chosen], self.stamp[chosen], {}
        )


def transfer(
    plan: Plan, target: Path, settings: BuildSettings, *, places: Sequence[int] | None = None
) -> Transferred:
    """Brings images from the source folder to where the plan says, checking each.

    Args:
        plan: what goes where.
        target: the folder of the built set, with the folder of every class.
        settings: the source folder, and whether images are copied or linked.
        places: of the images; all of them if None.

    Raises:
        OSError: the target cannot be written (a full disk).
        CancerNetError: hard links are not possible there.
    """
    from tqdm import tqdm

    places = range(len(plan)) if places is None else places
    pairs = ((plan.images.sources[place], plan.path_of(place)) for place in places)
    wait = 0.2 if sys.stderr.isatty() else 10.0  # seconds between lines; a log needs few
    with tqdm(total=len(places), desc="Building", unit=" images", mininterval=wait) as bar:
        return _transfer(settings, target, pairs, len(places), bar.update)


def _transfer(
    settings: BuildSettings,
    target: Path,
    pairs: Iterator[tuple[str, str]],
    count: int,
    progress: Callable[[int], object],
) -> Transferred:
    sha256 = np.zeros((count, HASH_BYTES), np.uint8)
    table = np.zeros((count, 4), np.int64)
    failed: dict[int, LeftOutFile] = {}
    root, there = os.path.abspath(settings.source), os.path.abspath(target)
    work = functools.partial(_transfer_chunk, root, there, settings.link, os.getpid())
    with contextlib.closing(in_parallel(work, _chunked(pairs))) as results:
        for place, (hashes, rows, failures) in results:
            begin = place * CHUNK
            end = begin + len(rows)
            sha256[begin:end] = np.frombuffer(hashes, np.uint8).reshape(-1, HASH_BYTES)
            table[begin:end] = rows
            for offset, path, reason, detail in failures:
                failed[begin + offset] = LeftOutFile(path, reason, detail, failed=True)
            progress(len(rows))
    return Transferred(sha256, table[:, 0], table[:, 1], table[:, 2:], failed)


def _chunked(pairs: Iterator[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    chunk = []
    for pair in pairs:
        chunk.append(pair)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _transfer_chunk(
    source: str, target: str, link: str, parent: int, pairs: list[tuple[str, str]]
) -> tuple[bytes, np.ndarray, list[tuple[int, str, Reason, str]]]:
    place_it = {"copy": _write, "hard": _link_hard, "symbolic": _link_symbolic}[link]
    source, target = os.path.join(source, ""), os.path.join(target, "")
    hashes = bytearray()
    rows, failures = [], []
    for offset, (here, there) in enumerate(pairs):
        if os.getppid() != parent:
            os._exit(1)  # the build was killed; another may be about to begin
        row, digest = (0, 0, *NO_STAMP), NO_HASH
        try:
            content, status = read_file(source + here)
            row = (0, 0, status.st_size, status.st_mtime_ns)
            row = (*decoded_size(content), *row[2:])
            digest = hashlib.sha256(content).digest()
        except CannotReadError as error:
            failures.append((offset, here, Reason.UNREADABLE, error.detail))
        except ImageError as error:
            reason = Reason.UNDECODABLE
            if isinstance(error, NoMemoryError):  # another time there may be enough: try again
                reason, row = Reason.UNREADABLE, (0, 0, *NO_STAMP)
            failures.append((offset, here, reason, str(error)))
        else:
            place_it(source + here, target + there, content, status)
        hashes += digest
        rows.append(row)
    return bytes(hashes), np.array(rows, np.int64), failures


def _write(path: str, target: str, content: bytes, status: os.stat_result) -> None:
    del path
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    file = os.open(target, flags, 0o666)
    try:
        written = os.write(file, content)
        while written < len(content):
            written += os.write(file, content[written:])
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(file if os.utime in os.supports_fd else target, ns=times)
    except OSError as error:
        # `write` does not know the file's name, and the message should.
        raise OSError(error.errno, error.strerror, target) from None
    finally:
        os.close(file)


def _link_hard(path: str, target: str, content: bytes, status: os.stat_result) -> None:
    del content
    try:
        os.link(path, target)
        linked = os.lstat(target)
        if stat.S_ISLNK(linked.st_mode):
            # The source is itself a link, and link(2) does not look through it.
            os.unlink(target)
            os.link(os.path.realpath(path), target)
            linked = os.lstat(target)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            raise no_hard_links(path, error.strerror or "") from None
        raise
    if not os.path.samestat(linked, status):
        raise CancerNetError(f"{path} was replaced while it was read; run the same command again")


def _link_symbolic(path: str, target: str, content: bytes, status: os.stat_result) -> None:
    del content, status
    os.symlink(path, target)


def no_hard_links(path: str, reason: str) -> CancerNetError:
    """Returns the error of a place where hard links cannot be made."""
    return CancerNetError(
        f"no hard link to {path} can be made from the output folder ({reason}); "
        "use --link copy or --link symbolic"
    )
