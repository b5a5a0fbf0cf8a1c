"""A DICOM file of drawn grey values, written without a library (PS3.10, explicit little endian)."""

import struct

import numpy as np
from numpy.typing import NDArray

BITS = 12
_MAMMOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2"  # digital mammogram, for presentation
_EXPLICIT = "1.2.840.10008.1.2.1"
_LONG = (b"OB", b"OW")  # with four bytes for their length


def dicom_bytes(pixels: NDArray[np.uint8], *, patient: str, note: str) -> bytes:
    """Returns a file of one grey image, whose 8 bits become the upper ones of 12.

    Args:
        pixels: (rows, columns).
        patient: the id in the header.
        note: what the file says of itself.
    """
    values = pixels.astype("<u2") << (BITS - 8) | pixels.astype("<u2") >> (16 - BITS)
    meta = b"".join((
        _element(0x0002, 0x0001, b"OB", b"\0\1"),
        _element(0x0002, 0x0002, b"UI", _MAMMOGRAPHY),
        _element(0x0002, 0x0003, b"UI", "1.2.3"),
        _element(0x0002, 0x0010, b"UI", _EXPLICIT),
    ))  # fmt: skip
    rows, columns = pixels.shape
    numbers = {0x0002: 1, 0x0010: rows, 0x0011: columns, 0x0100: 16, 0x0101: BITS,
               0x0102: BITS - 1, 0x0103: 0}  # fmt: skip
    image: dict[int, tuple[bytes, bytes | str]] = {
        **{tag: (b"US", struct.pack("<H", value)) for tag, value in numbers.items()},
        0x0004: (b"CS", "MONOCHROME2"),
        0x1050: (b"DS", str(1 << BITS - 1)),
        0x1051: (b"DS", str(1 << BITS)),
    }
    body = b"".join((
        _element(0x0008, 0x0016, b"UI", _MAMMOGRAPHY),
        _element(0x0008, 0x0018, b"UI", "1.2.3"),
        _element(0x0008, 0x0060, b"CS", "MG"),
        _element(0x0010, 0x0020, b"LO", patient),
        _element(0x0020, 0x4000, b"LT", note),
        *(_element(0x0028, tag, *image[tag]) for tag in sorted(image)),
        _element(0x7FE0, 0x0010, b"OW", values.tobytes()),
    ))  # fmt: skip
    length = _element(0x0002, 0x0000, b"UL", struct.pack("<L", len(meta)))
    return bytes(128) + b"DICM" + length + meta + body


def _element(group: int, tag: int, kind: bytes, value: bytes | str) -> bytes:
    if isinstance(value, str):
        value = value.encode("ascii")
        value += (b"\0" if kind == b"UI" else b" ") * (len(value) % 2)
    size = struct.pack("<HL", 0, len(value)) if kind in _LONG else struct.pack("<H", len(value))
    return struct.pack("<HH", group, tag) + kind + size + value
