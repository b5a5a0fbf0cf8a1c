"""Reads every picture once: what it looks like in a few numbers, and a digest of its pixels."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.errors import ImageError
from cancernet.base.images import read_file, read_rgb
from cancernet.base.parallel import in_parallel
from cancernet.lookalike.descriptors import BOXES, LENGTH, describe, to_grey

CHUNK = 256
THUMB = 32  # pixels a side of the small copy
DIGEST = 16  # bytes
# Contrast in grey levels under which a picture is too plain to be told from another:
# what is left of it then is noise, and empty glass looks like empty glass.
PLAIN = 2.0

# A mask is black and white to so many grey levels, but for this share of its pixels.
NEARLY, MIXED = 16, 0.03


PICTURE = np.dtype([
    ("descriptions", np.float16, (len(BOXES), LENGTH)),
    ("contrast", np.float32),  # grey levels; NaN where the file could not be read
    ("digest", np.uint8, DIGEST),  # of size and pixels
    ("file_digest", np.uint8, DIGEST),  # of the file's bytes
    ("thumb", np.uint8, (THUMB, THUMB)),  # grey, squeezed to a square
    ("size", np.int32, 2),  # height and width in pixels
    ("colour", np.float32, 6),  # means of red, green, blue, then their standard deviations
    ("two_toned", bool),  # black and white only, and both of them: drawn, not taken
])  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Pictures:
    """What reading gave.

    Attributes:
        table: of dtype PICTURE, one row a picture.
        unreadable: place -> why the file could not be read.
    """

    table: np.ndarray
    unreadable: dict[int, str]

    @property
    def comparable(self) -> np.ndarray:
        """Bool (n,): read, and not too plain to be told from another."""
        return self.table["contrast"] >= PLAIN


def look_at_pictures(
    paths: Sequence[Path | str],
    *,
    processes: int | None = None,
    progress: Callable[[int], Any] = lambda done: None,
    elsewhere: Callable[[Callable[[Any], Any], Iterator[Any]], Iterator[Any]] | None = None,
) -> Pictures:
    """Reads and describes every picture, in parallel; about 3 kB of memory a picture.

    Args:
        paths: of image files.
        processes: how many; one for each processor if None.
        progress: told how many more are done.
        elsewhere: maps a function over chunks of paths, in their order, on other machines.
    """
    count = len(paths)
    pictures = Pictures(np.zeros(count, PICTURE), {})
    names = [str(path) for path in paths]
    chunks = (names[begin : begin + CHUNK] for begin in range(0, count, CHUNK))
    with contextlib.ExitStack() as stack:
        if elsewhere is not None:
            results: Iterator[Any] = enumerate(elsewhere(look_at_chunk, chunks))
        else:
            results = stack.enter_context(
                contextlib.closing(spread(look_at_chunk, chunks, count, processes))
            )
        for place, (rows, failures) in results:
            begin = place * CHUNK
            pictures.table[begin : begin + len(rows)] = rows
            pictures.unreadable.update({begin + offset: why for offset, why in failures})
            progress(len(rows))
    return pictures


def spread(
    function: Callable[[Any], Any], chunks: Iterator[Any], count: int, processes: int | None = None
) -> Generator[tuple[int, Any], None, None]:
    """Like `in_parallel`, but small work stays in this process, where it begins at once."""
    if count <= CHUNK or processes == 1:
        return ((place, function(chunk)) for place, chunk in enumerate(chunks))
    return in_parallel(function, chunks, processes=processes)


def read_grey(path: str, longest: int) -> np.ndarray:
    """Returns a picture's grey values, float32 (height, width), shrunk to `longest` pixels a side.

    Raises:
        ImageError: it cannot be read.
    """
    import cv2

    grey = to_grey(np.asarray(read_rgb(Path(path))))
    shrink = longest / max(grey.shape)
    if shrink >= 1:
        return grey
    height, width = (max(1, round(side * shrink)) for side in grey.shape)
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)


def look_at_chunk(names: list[str]) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Reads a few pictures: their rows of PICTURE, and (place, reason) of the unreadable."""
    import cv2

    rows = np.zeros(len(names), PICTURE)
    rows["contrast"], rows["colour"] = np.nan, np.nan
    failures = []
    for place, name in enumerate(names):
        try:
            content = read_file(name)[0]
            pixels = np.asarray(read_rgb(content))
        except ImageError as error:
            failures.append((place, str(error)))
            continue
        grey = to_grey(pixels)
        rows[place] = (
            *describe(grey),
            _digest(repr(pixels.shape).encode(), pixels.tobytes()),
            _digest(content),
            _thumb(grey),
            pixels.shape[:2],
            np.concatenate(cv2.meanStdDev(pixels)).reshape(-1),
            _is_two_toned(pixels, grey),
        )
    return rows, failures


def _thumb(grey: np.ndarray) -> np.ndarray:
    import cv2

    small = cv2.resize(grey, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    return np.rint(small).clip(0, 255).astype(np.uint8)


def _digest(*contents: bytes) -> np.ndarray:
    digest = hashlib.blake2b(digest_size=DIGEST)
    for content in contents:
        digest.update(content)
    return np.frombuffer(digest.digest(), np.uint8)


def _is_two_toned(pixels: np.ndarray, grey: np.ndarray) -> bool:
    """Tells a segmentation mask by its looks; one recompressed is nearly so."""
    between = (grey >= NEARLY) & (grey <= 255 - NEARLY)
    if np.count_nonzero(between) > MIXED * grey.size:
        return False
    black, white = (pixels < NEARLY).all(axis=2), (pixels > 255 - NEARLY).all(axis=2)
    neither = float((~(black | white)).mean())
    return neither < MIXED and bool(black.any() and white.any())
