"""Tells whether an image decodes, and how large it is.

`cancernet.base.images.read_rgb` is the reference. Most files of a patch data set are the
plainest PNG there is. For those, unpacking the pixel data (which carry a checksum of their
own) and counting the bytes tells the same in a fifth of the time: ISA-L unpacks and sums
faster than zlib. Everything else is left to `read_rgb`.
"""

import struct

from isal import isal_zlib

from cancernet.base.images import MAXIMUM_PIXELS, read_rgb

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# depth 8; grey, RGB, with or without transparency -> bytes a pixel
PLAIN = {b"\x08\x00": 1, b"\x08\x02": 3, b"\x08\x04": 2, b"\x08\x06": 4}
# Chunks that no decoder refuses when they are at least so long. Others (palettes,
# colour profiles, compressed text, orientation) are for `read_rgb` to judge.
HARMLESS = {b"tIME": 7, b"tEXt": 2, b"pHYs": 9, b"gAMA": 4, b"sRGB": 1}
FILTERS = 5
BEHIND_HEADER = 33  # signature and IHDR
CHUNK = struct.Struct(">I4s")
LARGEST = 1 << 24  # bytes; a patch has a few thousand


def decoded_size(content: bytes) -> tuple[int, int]:
    """Decodes an image and returns its width and height in pixels, upright.

    Raises:
        ImageError: it does not decode; the message is the reason.
    """
    return _plain_png(content) or read_rgb(content).size


def _plain_png(content: bytes) -> tuple[int, int] | None:
    """The size of a plain, whole PNG; None when it is anything else."""
    if content[:16] != SIGNATURE + b"\x00\x00\x00\rIHDR" or content[26:29] != b"\x00\x00\x00":
        return None
    if len(content) > LARGEST:
        return None
    width = int.from_bytes(content[16:20])
    height = int.from_bytes(content[20:24])
    per_pixel = PLAIN.get(content[24:26])
    if per_pixel is None or not 0 < width * height <= MAXIMUM_PIXELS:
        return None
    packed = _pixel_data(content)
    if packed is None:
        return None
    line = 1 + width * per_pixel
    try:
        inflater = isal_zlib.decompressobj()
        lines = inflater.decompress(packed, line * height + 1)
    except (isal_zlib.error, MemoryError):  # type: ignore[misc]  # its stub calls it a value
        return None
    whole = inflater.eof and not inflater.unused_data and len(lines) == line * height
    return (width, height) if whole and max(lines[::line]) < FILTERS else None


def _pixel_data(content: bytes) -> bytes | None:
    """The packed pixels if every chunk is well-formed, known and in place, else None."""
    pieces: list[bytes] = []
    at, end, before = BEHIND_HEADER, len(content), b""
    if _checksum(content, 12, 29) != content[29:BEHIND_HEADER]:
        return None
    while at + 12 <= end:
        length, kind = CHUNK.unpack_from(content, at)
        behind = at + 8 + length
        if _checksum(content, at + 4, behind) != content[behind : behind + 4]:
            return None
        if kind == b"IDAT":
            if pieces and before != b"IDAT":
                return None
            pieces.append(content[at + 8 : behind])
        elif kind == b"IEND":
            whole = behind + 4 == end and length == 0
            return b"".join(pieces) if whole else None
        elif length < HARMLESS.get(kind, end):
            return None
        at, before = behind + 4, kind
    return None


def _checksum(content: bytes, begin: int, end: int) -> bytes:
    return isal_zlib.crc32(memoryview(content)[begin:end]).to_bytes(4)
