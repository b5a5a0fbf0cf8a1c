"""Ordinary PNG files, decoded without what the general way makes of the rest of a file."""

import struct
import zlib

from PIL import Image

# How an ordinary PNG begins; bits, colour type, compression, filter and interlacing -> mode; the
# lengths of parts that change no pixel, and the titles of texts that do not.
_PNG_BEGIN = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"
_PNG_MODES = {(8, 2, 0, 0, 0): "RGB", (8, 0, 0, 0, 0): "L"}
_PNG_HARMLESS = {b"IHDR": 13, b"pHYs": 9, b"tIME": 7, b"gAMA": 4, b"sRGB": 1}
_PNG_TITLES = frozenset({b"Author", b"Comment", b"Description", b"Software", b"Title"})
_LONGEST_TEXT = 1 << 16


def plain_png(content: bytes, maximum_pixels: int) -> Image.Image | None:
    """Decodes an ordinary PNG, RGB or grey with 8 bits, into the pixels that Pillow makes of it.

    Pillow's own decoder gets the data, but nothing is made of the other parts of the file, which
    takes a third of the time of small images. None where they could mean more: transparency, an
    orientation, interlacing, damage.
    """
    if content[:16] != _PNG_BEGIN:
        return None
    try:
        width, height, *form = struct.unpack_from(">IIBBBBB", content, 16)
        mode = _PNG_MODES.get(tuple(form))
        if mode is None or not 0 < width * height <= maximum_pixels:
            return None
        data = _png_data(content)
        return Image.frombytes(mode, (width, height), data, "zip", mode, 0) if data else None
    except (struct.error, ValueError):  # the file is cut off, or its data are damaged
        return None


def _png_data(content: bytes) -> bytes | None:
    """Returns the packed pixels of a PNG whose other parts change none of them; else None."""
    data: list[bytes] = []
    place = 8
    while True:
        length, kind = struct.unpack_from(">I4s", content, place)
        begin, end = place + 8, place + 8 + length
        checksum = struct.unpack_from(">I", content, end)[0]
        if kind == b"IDAT":
            data.append(content[begin:end])
        elif data or (kind == b"IHDR" and place > 8):
            return b"".join(data) if kind == b"IEND" else None
        elif checksum != zlib.crc32(content[place + 4 : end]):
            return None
        elif kind == b"tEXt":
            if length > _LONGEST_TEXT or content[begin:end].split(b"\0")[0] not in _PNG_TITLES:
                return None
        elif _PNG_HARMLESS.get(kind) != length:
            return None
        place = end + 4
