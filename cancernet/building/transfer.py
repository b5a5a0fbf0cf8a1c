"""Reads every image once: hashes, decodes, and writes or links what was read.

A copy is written from the very bytes that were hashed and decoded. It keeps the time of
change of its source, so that a later build can see that both are as they were.
"""

import contextlib
import dataclasses
import errno
import functools
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from isal import isal_zlib

from cancernet.base.console import progress_bar
from cancernet.base.errors import CancerNetError, ImageError, NoMemoryError
from cancernet.base.parallel import in_parallel
from cancernet.base.processor import processors
from cancernet.building.plan import Plan
from cancernet.building.settings import BuildSettings
from cancernet.catalog import LeftOutFile, Reason
from cancernet.images.formats import GUESSED, NOTHING_ODD, ODDITY, Oddity, has_other_suffix
from cancernet.images.plain_png import PNG_BEGIN, packed_pixels, unpacked
from cancernet.images.reading import MAXIMUM_PIXELS, CannotReadError, read_file, read_rgb

CHUNK = 256  # images
HASH_BYTES = 32
NO_HASH = bytes(HASH_BYTES)
NO_STAMP = (-1, -1)
NOTHING = (0, 0, 0, 0)  # what `decoded_size` gives of an image that does not decode

# Of a plain PNG.
# depth 8; grey, RGB, with or without transparency -> bytes a pixel
PLAIN = {b"\x08\x00": 1, b"\x08\x02": 3, b"\x08\x04": 2, b"\x08\x06": 4}
FILTERS = 5
LARGEST = 1 << 24  # bytes; a patch has a few thousand


@dataclasses.dataclass(frozen=True)
class Transferred:
    """What reading every image gave; arrays have one entry an image.

    Attributes:
        sha256: uint8 (n, 32).
        width, height: int64 pixels, upright; 0 where it failed.
        bits: int64, the depth that holds the values of a file of more than 8 bits which does
            not state it; else 0.
        oddity: int64, an `Oddity` each.
        stamp: int64 (n, 2), bytes and time of change (ns) of the source when it was read.
        failed: places of the images that could not be read or decoded -> why.
    """

    sha256: np.ndarray
    width: np.ndarray
    height: np.ndarray
    bits: np.ndarray
    oddity: np.ndarray
    stamp: np.ndarray
    failed: dict[int, LeftOutFile]

    def take(self, chosen: np.ndarray) -> "Transferred":
        """Returns the same of the images at these places, none of which failed."""
        return Transferred(
            self.sha256[chosen],
            self.width[chosen],
            self.height[chosen],
            self.bits[chosen],
            self.oddity[chosen],
            self.stamp[chosen],
            {},
        )


def transfer(
    plan: Plan, target: Path, settings: BuildSettings, *, places: Sequence[int] | None = None
) -> Transferred:
    """Brings images from the source folder to where the plan says, checking each.

    Args:
        target: the folder of the built set, with the folder of every class.
        places: of the images to bring; all of them if None.

    Raises:
        OSError: the target cannot be written (a full disk).
        CancerNetError: hard links are not possible there.
    """
    places = range(len(plan)) if places is None else places
    count = len(places)
    chunks = (
        [(plan.images.sources[place], plan.path_of(place)) for place in places[i : i + CHUNK]]
        for i in range(0, count, CHUNK)
    )
    sha256 = np.zeros((count, HASH_BYTES), np.uint8)
    table = np.zeros((count, 6), np.int64)
    failed: dict[int, LeftOutFile] = {}
    root, there = os.path.abspath(settings.source), os.path.abspath(target)
    work = functools.partial(_transfer_chunk, root, there, settings.link, os.getpid())
    processes = max(1, min(processors(), -(-count // CHUNK)))
    with (
        progress_bar(title="Building", total=count, in_logs=True) as bar,
        contextlib.closing(in_parallel(work, chunks, processes=processes)) as results,
    ):
        for place, (hashes, rows, failures) in results:
            begin = place * CHUNK
            end = begin + len(rows)
            sha256[begin:end] = np.frombuffer(hashes, np.uint8).reshape(-1, HASH_BYTES)
            table[begin:end] = rows
            for offset, path, reason, detail in failures:
                failed[begin + offset] = LeftOutFile(path, reason, detail, failed=True)
            bar.update(len(rows))
    width, height, bits, oddity = table[:, :4].T
    return Transferred(sha256, width, height, bits, oddity, table[:, 4:], failed)


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
        row, digest = (*NOTHING, *NO_STAMP), NO_HASH
        try:
            content, status = read_file(source + here)
            row = (*NOTHING, status.st_size, status.st_mtime_ns)
            row = (*decoded_size(content, here), *row[4:])
            digest = hashlib.sha256(content).digest()
        except CannotReadError as error:
            failures.append((offset, here, Reason.UNREADABLE, error.detail))
        except ImageError as error:
            reason = Reason.UNDECODABLE
            if isinstance(error, NoMemoryError):  # another time there may be enough: try again
                reason, row = Reason.UNREADABLE, (*NOTHING, *NO_STAMP)
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
    """Returns the error of an output folder where hard links cannot be made."""
    return CancerNetError(
        f"no hard link to {path} can be made from the output folder ({reason}); "
        "use --link copy or --link symbolic"
    )


def decoded_size(content: bytes, name: str = "") -> tuple[int, int, int, Oddity]:
    """Decodes an image; returns width and height in pixels, upright, guessed depth and oddities.

    The depth is 0 where nothing had to be guessed. `name` is that of the file.

    `read_rgb` is the reference. Most files of a patch data set are the plainest PNG there
    is: unpacking their pixels (which carry a checksum) and counting the bytes tells the
    same in a fifth of the time, as ISA-L unpacks and sums faster than zlib.

    Raises:
        ImageError: it does not decode; the message is the reason.
    """
    oddity = Oddity.SUFFIX if has_other_suffix(name, content) else NOTHING_ODD
    size = _plain_png(content)
    if size is not None:
        return (*size, 0, oddity)
    image = read_rgb(content)
    return (*image.size, image.info.get(GUESSED, 0), oddity | image.info.get(ODDITY, 0))


def _plain_png(content: bytes) -> tuple[int, int] | None:
    """The size of a plain, whole PNG; None when it is anything else."""
    if content[:16] != PNG_BEGIN or content[26:29] != b"\0\0\0" or len(content) > LARGEST:
        return None
    width = int.from_bytes(content[16:20])
    height = int.from_bytes(content[20:24])
    per_pixel = PLAIN.get(content[24:26])
    if per_pixel is None or not 0 < width * height <= MAXIMUM_PIXELS:
        return None
    packed = packed_pixels(content, isal_zlib.crc32)
    if packed is None:
        return None
    line = 1 + width * per_pixel
    lines = unpacked(packed, line * height, isal_zlib)
    return (width, height) if lines is not None and max(lines[::line]) < FILTERS else None
