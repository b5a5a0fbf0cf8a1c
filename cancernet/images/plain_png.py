"""Decodes ordinary PNG files quickly, not looking at parts that change no pixel.

Many small ones are decoded and scaled as one picture, with the same pixels: making an object for
each takes Pillow as long as decoding it. Their lines, unpacked but still filtered, are put one
below the other. A blank line before each stands for the zeros from which its own first line is
predicted.
"""

import contextlib
import functools
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

# How an ordinary PNG begins; bits, colour type, compression, filter and interlacing -> mode; the
# lengths of parts that change no pixel, and the titles of texts that do not.
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_BEGIN = PNG_SIGNATURE + b"\0\0\0\x0dIHDR"
_PNG_MODES = {(8, 2, 0, 0, 0): "RGB", (8, 0, 0, 0, 0): "L"}
_PNG_HARMLESS = {b"IHDR": 13, b"pHYs": 9, b"tIME": 7, b"gAMA": 4, b"sRGB": 1}
_PNG_TITLES = frozenset({b"Author", b"Comment", b"Description", b"Software", b"Title"})
_LONGEST_TEXT = 1 << 16
SMALL = 1 << 15  # bytes of an image, above which decoding it alone takes no longer
# Bytes of an image scaled across: a tall narrow one grows before it is scaled down.
_MOST_ACROSS = 8 * SMALL
WORTH_LOADING = 64  # images, for which ISA-L saves more time than it takes to load


class _Form(NamedTuple):
    """What images that are decoded together have in common."""

    mode: str
    width: int
    height: int

    @property
    def line(self) -> int:
        """Bytes of a line of pixels, with its filter."""
        return 1 + self.width * len(self.mode)


def plain_png(content: bytes, maximum_pixels: int) -> Image.Image | None:
    """Decodes an ordinary PNG, RGB or grey with 8 bits, into the pixels that Pillow makes of it.

    Pillow's own decoder gets the data. The other parts of the file, which take a third of the time
    of small images, are skipped. Returns None where they could matter: transparency, an
    orientation, interlacing, damage.
    """
    form = _form_of(content)
    if form is None or not 0 < form.width * form.height <= maximum_pixels:
        return None
    data = packed_pixels(content)
    with contextlib.suppress(ValueError):  # the data are damaged
        return _decoded(form, data) if data else None
    return None


def scale_together(
    contents: Sequence[Any], *, width: int, height: int, resampling: Image.Resampling
) -> Mapping[int, tuple[np.ndarray, tuple[int, int]]]:
    """Decodes and scales the small ordinary PNG files among contents, as one by one.

    Args:
        contents: bytes of files; whatever is not an ordinary PNG is passed over.
        width, height: pixels to scale to.
        resampling: how.

    Returns:
        place among the contents -> pixels, uint8 RGB (height, width, 3), and the width and height
        that the file has. What is missing must be read by itself.
    """
    unpacking: Any = zlib
    if len(contents) >= WORTH_LOADING:
        from isal import isal_zlib as unpacking
    alike: dict[_Form, dict[int, bytes]] = defaultdict(dict)
    for place, content in enumerate(contents):
        form = _form_of(content) if isinstance(content, bytes) else None
        if form and _is_small(form, width) and (data := packed_pixels(content)):
            lines = unpacked(data, form.line * form.height, unpacking)
            if lines is not None:
                alike[form][place] = lines
    found: dict[int, tuple[np.ndarray, tuple[int, int]]] = {}
    for form, images in alike.items():
        if not _goes_across_first(form.width, form.height, width, height, resampling):
            continue
        with contextlib.suppress(ValueError):  # a line is filtered in no way that there is
            pixels = _scaled(_stack(form, images.values()), form.height, width, height, resampling)
            size = form.width, form.height
            found |= {place: (one, size) for place, one in zip(images, pixels, strict=True)}
    return found


def unpacked(data: bytes, size: int, library: Any = zlib) -> bytes | None:
    """Unpacks data that make so many bytes; None where they are damaged, or make others."""
    unpacker = library.decompressobj()
    try:
        found: bytes = unpacker.decompress(data, size + 1)
    except (library.error, MemoryError):
        return None
    whole = unpacker.eof and not unpacker.unused_data and len(found) == size
    return found if whole else None


def packed_pixels(content: bytes, checksum: Callable[[bytes], int] | None = None) -> bytes | None:
    """Returns the packed pixels of a PNG whose other parts change none of them; else None.

    With a `checksum` (CRC-32) that of the pixels counts too, and nothing may follow the end.
    """
    data: list[bytes] = []
    place = len(PNG_SIGNATURE)
    with contextlib.suppress(struct.error):  # the file is cut off
        while True:
            length, kind = struct.unpack_from(">I4s", content, place)
            begin, end = place + 8, place + 8 + length
            told = struct.unpack_from(">I", content, end)[0]
            compared = checksum is not None or kind != b"IDAT"
            if compared and told != (checksum or zlib.crc32)(content[place + 4 : end]):
                return None
            if kind == b"IDAT":
                data.append(content[begin:end])
            elif data or (kind == b"IHDR" and place > 8):
                ends = checksum is None or (not length and end + 4 == len(content))
                return b"".join(data) if kind == b"IEND" and ends else None
            elif kind == b"tEXt":
                if length > _LONGEST_TEXT or content[begin:end].split(b"\0")[0] not in _PNG_TITLES:
                    return None
            elif _PNG_HARMLESS.get(kind) != length:
                return None
            place = end + 4
    return None


def _form_of(content: bytes) -> _Form | None:
    if content[:16] != PNG_BEGIN or len(content) < 29:
        return None
    width, height, *form = struct.unpack_from(">IIBBBBB", content, 16)
    mode = _PNG_MODES.get(tuple(form))
    return None if mode is None else _Form(mode, width, height)


def _is_small(form: _Form, to_width: int) -> bool:
    across = 3 * to_width * form.height
    return 0 < form.line * form.height <= SMALL and across <= _MOST_ACROSS


def _decoded(form: _Form, data: bytes) -> Image.Image:
    return Image.frombytes(form.mode, form[1:], data, "zip", form.mode, 0)


def _stack(form: _Form, images: Collection[bytes]) -> Image.Image:
    """Decodes unpacked images into one picture: below each other, a blank line above each."""
    blank = bytes(form.line)
    lines = b"".join(part for image in images for part in (blank, image))
    tall = form._replace(height=(form.height + 1) * len(images))
    picture = _decoded(tall, zlib.compress(lines, 0))
    return picture if form.mode == "RGB" else picture.convert("RGB")


def _scaled(
    tall: Image.Image, side: int, width: int, height: int, resampling: Image.Resampling
) -> np.ndarray:
    """Scales the images of a `_stack`, each `side` pixels high; returns (n, height, width, 3).

    Pillow scales across and then down, so it may do so with all lines and then all columns.
    """
    lines = np.asarray(tall.resize((width, tall.height), resampling))
    columns = lines.reshape(-1, side + 1, width, 3)[:, 1:].swapaxes(0, 1)
    wide = Image.fromarray(np.ascontiguousarray(columns).reshape(side, -1, 3))
    pixels = np.asarray(wide.resize((wide.width, height), resampling))
    return pixels.reshape(height, -1, width, 3).swapaxes(0, 1)


@functools.lru_cache
def _goes_across_first(
    width: int, height: int, to_width: int, to_height: int, resampling: Image.Resampling
) -> bool:
    """Asks Pillow whether it scales these sides across and then down, by an image like noise.

    For some it goes down first, which rounds otherwise.
    """
    noise = np.arange(width * height * 3, dtype=np.uint32) * 2_654_435_761 >> 24
    image = Image.fromarray(noise.astype(np.uint8).reshape(height, width, 3))
    steps = image.resize((to_width, height), resampling).resize((to_width, to_height), resampling)
    return image.resize((to_width, to_height), resampling).tobytes() == steps.tobytes()
