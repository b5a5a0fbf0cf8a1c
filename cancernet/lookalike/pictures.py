"""Reads every picture once: a short description of what it shows, and a digest of its pixels.

The description hardly changes when the picture is mildly changed. It is the first cosine
coefficients (8 by 8, the mean left out) of the grey image, each times its frequency so
that no single edge outweighs the rest, scaled to length 1. Then

- resizing and recompression hardly matter: the coefficients are integrals over the
  picture, in units of its sides, of low frequencies only;
- brightness and contrast do not matter: the mean is left out, the length is 1;
- a flip changes the signs of the odd coefficients and a quarter turn also swaps the two
  frequencies, so all eight symmetries follow from one description;
- a mild crop is met by describing 13 boxes inside the picture besides the whole.

The product of two descriptions is a correlation, from -1 to 1.
"""

import contextlib
import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.errors import ImageError
from cancernet.base.parallel import spread
from cancernet.images.reading import read_file, read_rgb

FREQUENCIES = 8
LENGTH = FREQUENCIES * FREQUENCIES - 1
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601 luma

# Stretches of a side, in its units: the whole, two of 93 %, three of 86 %. A crop to
# 80-100 % of the side is never far from one of them.
STRETCHES = ((0.0, 1.0), (0.0, 0.93), (0.07, 1.0), (0.0, 0.86), (0.07, 0.93), (0.14, 1.0))
# (vertical, horizontal) places in STRETCHES; the first box is the whole picture.
BOXES = (
    (0, 0),
    *((y, x) for y in (1, 2) for x in (1, 2)),
    *((y, x) for y in (3, 4, 5) for x in (3, 4, 5)),
)
# (transposed first, then flipped top-bottom, then flipped left-right)
SYMMETRIES = tuple((t, y, x) for t in (False, True) for y in (False, True) for x in (False, True))

CHUNK = 256  # pictures
THUMB = 32  # pixels a side of the small copy
DIGEST = 16  # bytes
# Below this contrast in grey levels a picture is too plain to be told from another: what is
# left is noise, and empty glass looks like empty glass.
PLAIN = 2.0
# A mask is black and white within this many grey levels, except for this share of its pixels.
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


def read_grey(path: str, longest: int) -> np.ndarray:
    """Returns a picture's grey values, float32 (height, width), shrunk to `longest` pixels a side.

    Raises ImageError where it cannot be read.
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
    """Tells whether a picture looks like a segmentation mask, perhaps recompressed."""
    between = (grey >= NEARLY) & (grey <= 255 - NEARLY)
    if np.count_nonzero(between) > MIXED * grey.size:
        return False
    black, white = (pixels < NEARLY).all(axis=2), (pixels > 255 - NEARLY).all(axis=2)
    neither = float((~(black | white)).mean())
    return neither < MIXED and bool(black.any() and white.any())


def describe(grey: np.ndarray) -> tuple[np.ndarray, float]:
    """Describes one picture and the boxes inside it.

    Args:
        grey: (height, width) of any size, 0-255.

    Returns:
        float32 (boxes, LENGTH), each of length 1, in the order of BOXES; and the contrast
        of the whole picture within these frequencies, a root mean square in grey levels.
    """
    height, width = grey.shape
    table = _basis(height) @ grey.astype(np.float32) @ _basis(width).T
    table = table.reshape(len(STRETCHES), FREQUENCIES, len(STRETCHES), FREQUENCIES)
    rows = np.stack([table[y, :, x, :].reshape(-1)[1:] for y, x in BOXES])
    contrast = float(np.linalg.norm(rows[0]))
    rows *= _weights()
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), contrast


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """Returns the luma of RGB pixels (height, width, 3), float32 0-255."""
    return pixels.astype(np.float32) @ GREY


def in_all_symmetries(descriptions: np.ndarray) -> np.ndarray:
    """Returns (8, n, LENGTH): what (n, LENGTH) would be for each of SYMMETRIES."""
    places, signs = _symmetry_tables()
    return np.stack(
        [descriptions[:, place] * sign for place, sign in zip(places, signs, strict=True)]
    )


def symmetric_part(descriptions: np.ndarray) -> np.ndarray:
    """Returns (n, LENGTH) in which all eight symmetries of a picture are the same.

    The amounts of the coefficients, those of (u, v) and (v, u) in falling order. Taking
    amounts and sorting bring no two rows further apart, so rows whose pictures are alike
    in any symmetry are at least as near here.
    """
    upper, lower, diagonal = _pairs()
    amounts = np.abs(descriptions)
    one, other = amounts[:, upper], amounts[:, lower]
    return np.concatenate(
        [amounts[:, diagonal], np.maximum(one, other), np.minimum(one, other)], axis=1
    )


def apply_symmetry(pixels: np.ndarray, symmetry: int) -> np.ndarray:
    """Returns a picture (height, width, ...) turned as SYMMETRIES[symmetry] says."""
    transposed, top_bottom, left_right = SYMMETRIES[symmetry]
    if transposed:
        pixels = pixels.swapaxes(0, 1)
    return pixels[:: -1 if top_bottom else 1, :: -1 if left_right else 1]


@functools.lru_cache(maxsize=256)
def _basis(side: int) -> np.ndarray:
    """float32 (stretches * FREQUENCIES, side): the mean over a stretch, times each cosine.

    Each pixel is a small square over which the cosine is integrated, so pictures of
    different resolution are described alike, without resampling.
    """
    edges = np.arange(side + 1) / side
    rows = []
    for begin, end in STRETCHES:
        low, high = np.clip(edges[:-1], begin, end), np.clip(edges[1:], begin, end)
        length = end - begin
        rows.append((high - low) / length)
        for frequency in range(1, FREQUENCIES):
            step = np.pi * frequency / length
            integral = (np.sin(step * (high - begin)) - np.sin(step * (low - begin))) / step
            rows.append(np.sqrt(2) * integral / length)
    return np.array(rows, np.float32)


@functools.cache
def _weights() -> np.ndarray:
    u, v = np.indices((FREQUENCIES, FREQUENCIES))
    return np.hypot(u, v).reshape(-1)[1:].astype(np.float32)


@functools.cache
def _symmetry_tables() -> tuple[np.ndarray, np.ndarray]:
    u, v = np.indices((FREQUENCIES, FREQUENCIES))
    place = u * FREQUENCIES + v
    places, signs = [], []
    for transposed, top_bottom, left_right in SYMMETRIES:
        places.append((place.T if transposed else place).reshape(-1)[1:] - 1)
        sign = (-1.0) ** (u * top_bottom + v * left_right)
        signs.append(sign.reshape(-1)[1:].astype(np.float32))
    return np.stack(places), np.stack(signs)


@functools.cache
def _pairs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    u, v = np.triu_indices(FREQUENCIES, 1)
    diagonal = np.arange(1, FREQUENCIES) * (FREQUENCIES + 1) - 1
    return u * FREQUENCIES + v - 1, v * FREQUENCIES + u - 1, diagonal
