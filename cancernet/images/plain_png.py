"""Decodes ordinary PNG files quickly, without looking at parts that change no pixel."""

import contextlib
import struct
import zlib
from collections.abc import Callable

from PIL import Image

# How an ordinary PNG begins; bits, colour type, compression, filter and interlacing -> mode; the
# lengths of parts that change no pixel, and the titles of texts that do not.
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_BEGIN = PNG_SIGNATURE + b"\0\0\0\x0dIHDR"
_PNG_MODES = {(8, 2, 0, 0, 0): "RGB", (8, 0, 0, 0, 0): "L"}
_PNG_HARMLESS = {b"IHDR": 13, b"pHYs": 9, b"tIME": 7, b"gAMA": 4, b"sRGB": 1}
_PNG_TITLES = frozenset({b"Author", b"Comment", b"Description", b"Software", b"Title"})
_LONGEST_TEXT = 1 << 16


def plain_png(content: bytes, maximum_pixels: int) -> Image.Image | None:
    """Decodes an ordinary PNG, RGB or grey with 8 bits, into the pixels that Pillow makes of it.

    Pillow's own decoder gets the data. The other parts of the file, which take a third of the time
    of small images, are skipped. Returns None where they could matter: transparency, an
    orientation, interlacing, damage.
    """
    if content[:16] != PNG_BEGIN:
        return None
    try:
        width, height, *form = struct.unpack_from(">IIBBBBB", content, 16)
        mode = _PNG_MODES.get(tuple(form))
        if mode is None or not 0 < width * height <= maximum_pixels:
            return None
        data = packed_pixels(content)
        return Image.frombytes(mode, (width, height), data, "zip", mode, 0) if data else None
    except (struct.error, ValueError):  # the file is cut off, or its data are damaged
        return None


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
