"""Inputs that somebody wrote to do harm: hypothesis strategies of texts, JSON, bytes and tables."""

import copy
import csv
import io
import json
import struct
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from cancernet.sample.clinics import dicom_bytes

HOSTILE_TEXT = st.one_of(
    st.sampled_from(
        [
            "", " ", "\0", "\n", "\r\n", "..", "../../outside", "/etc/passwd", "-rf", "--help",
            "a" * 300, "e\u0301", "\udcff", "\ud800", "\u202e", "=1+1", "'; DROP TABLE x; --",
            "nan", "inf", "-1", "1e999", "9" * 30, "9" * 5000, "{}", "%s%n", "C:\\x", "💥" * 90,
        ]
    ),
    st.text(max_size=12),
)  # fmt: skip
HOSTILE_NUMBERS = st.sampled_from(
    [0, -1, 1, 2, 10**6, 10**9, 2**31, 2**63, 10**40, 10**400, -(10**400), 0.5, -0.0, 1e308,
     float("nan"), float("inf"), float("-inf")]
)  # fmt: skip
HOSTILE_VALUES = st.one_of(
    HOSTILE_NUMBERS,
    HOSTILE_TEXT,
    st.sampled_from([None, True, False, [], {}, [[]], [None], {"": None}, ["a", "a"], [0], "0"]),
    st.lists(HOSTILE_TEXT, max_size=3),
)
DEEP = ["[" * 200_000, '{"a":' * 200_000, "[" * 900 + "]" * 900]


@st.composite
def changed_json(draw: Any, seeds: list[Any]) -> str:
    """JSON of the right form with a few values replaced or taken out, or something else."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(["", "null", "[]", "{", "NaN", "\0", "1" * 5000, *DEEP]))
    content = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 3))):
        holders = [(holder, key) for holder in _holders(content) for key in _keys(holder)]
        if not holders:
            break
        holder, key = draw(st.sampled_from(holders))
        if draw(st.integers(0, 5)) == 0:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(draw(HOSTILE_VALUES))
    return json.dumps(content)


def _holders(content: Any) -> Iterator[Any]:
    if isinstance(content, dict):
        yield content
        for value in content.values():
            yield from _holders(value)
    elif isinstance(content, list):
        yield content
        for value in content:
            yield from _holders(value)


def _keys(holder: Any) -> list[Any]:
    return list(holder) if isinstance(holder, dict) else list(range(len(holder)))


@st.composite
def changed_bytes(draw: Any, seeds: list[bytes]) -> bytes:
    """Bytes of the right form with a few of them changed, cut, doubled or put in."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        # Headers are at the front; that is where most lies are told.
        top = draw(st.sampled_from([40, 400, len(content)]))
        place = draw(st.integers(0, max(0, min(top, len(content)) - 1)))
        how = draw(st.sampled_from(["set", "cut", "double", "insert", "large"]))
        if how == "set":
            content[place : place + 1] = draw(st.binary(min_size=1, max_size=4))
        elif how == "cut":
            del content[place : place + draw(st.sampled_from([1, 4, 100, 10**6]))]
        elif how == "double":
            content[place:place] = content[place : place + 64]
        elif how == "insert":
            content[place:place] = draw(st.binary(max_size=16))
        else:
            content[place : place + 4] = draw(
                st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\x7f" * 4])
            )
    return bytes(content)


@st.composite
def changed_png(draw: Any) -> bytes:
    """A PNG whose header lies, with sums that hold, and chunks that swell."""
    size = st.sampled_from([0, 1, 3, 8, 300, 60_000, 2**31 - 1, 2**32 - 1])
    depth, colour = draw(st.sampled_from([1, 2, 8, 16, 255])), draw(st.integers(0, 7))
    header = struct.pack(
        ">IIBBBBB", draw(size), draw(size), depth, colour, 0, 0, draw(st.integers(0, 2))
    )
    swelling = zlib.compress(bytes(draw(st.sampled_from([0, 10, 500_000]))))
    kinds = st.sampled_from(
        [b"iCCP", b"zTXt", b"iTXt", b"tRNS", b"PLTE", b"eXIf", b"acTL", b"fdAT"]
    )
    chunks = [(b"IHDR", header)]
    for kind in draw(st.lists(kinds, max_size=2)):
        chunks.append((kind, draw(st.sampled_from([b"", b"a\0\0" + swelling, swelling]))))
    chunks += [(b"IDAT", swelling), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def images_of_all_formats() -> list[bytes]:
    """Small images of every format and several modes, as bytes."""
    found = []
    pixels = np.random.default_rng(1).integers(0, 256, (9, 11, 4), dtype=np.uint8)
    rgba = Image.fromarray(pixels)
    for kind, modes in {
        "PNG": ("RGB", "RGBA", "P", "1", "I;16", "LA"),
        "JPEG": ("RGB", "L", "CMYK"),
        "TIFF": ("RGB", "RGBA", "L", "F", "I;16", "CMYK", "1"),
        "BMP": ("RGB", "L", "P", "1"),
    }.items():
        for mode in modes:
            image = rgba.convert("L").convert("I").convert("I;16") if mode == "I;16" else None
            image = image or rgba.convert("RGB" if mode == "CMYK" else mode if mode != "F" else "L")
            file = io.BytesIO()
            exif = Image.Exif()
            exif[0x0112] = 6
            options = {"exif": exif} if kind == "JPEG" else {}
            if kind == "TIFF":
                options["compression"] = "tiff_lzw" if mode == "RGB" else None
            image.convert(mode).save(file, kind, **options)
            found.append(file.getvalue())
    found.append(dicom_bytes(pixels[..., 0], patient="1", note="hostile"))
    return found


def _floating_tiff(*pictures: Any) -> list[bytes]:
    """Files that Pillow does not write; none where tifffile is not installed."""
    if find_spec("tifffile") is None:
        return []
    import tifffile

    files = []
    for picture in pictures:
        file = io.BytesIO()
        tifffile.imwrite(file, picture, photometric=("minisblack", "rgb")[picture.ndim - 2])
        files.append(file.getvalue())
    return files


def images_by_format() -> dict[str, list[bytes]]:
    """Small images of the formats that are read besides PNG, JPEG, TIFF and BMP of 8 bits."""
    grey = np.random.default_rng(1).integers(0, 256, (24, 31), dtype=np.uint8)
    deep, colour = (
        grey.astype(np.uint16) << 4,
        np.stack([grey, grey.T[:1].T + grey, 255 - grey], -1),
    )

    def saved(pixels: Any, kind: str, **options: Any) -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind, **options)
        return file.getvalue()

    page = Image.fromarray(colour).resize((60, 40))
    more = {"save_all": True, "append_images": [page]}
    return {
        "WebP": [saved(colour, "WEBP"), saved(colour, "WEBP", lossless=True)],
        "JPEG 2000": [saved(colour, "JPEG2000"), saved(grey, "JPEG2000", irreversible=True)],
        "GIF": [saved(grey, "GIF"), saved(grey, "GIF", **more)],
        "PGM, PPM": [saved(grey, "PPM"), saved(colour, "PPM"), saved(deep, "PPM"),
                     b"P2\n3 2\n4095\n0 1 2\n3 4 4095\n"],
        "DICOM": [dicom_bytes(grey, patient="1", note="hostile")],
        "TIFF, several pages": [saved(colour, "TIFF", **more),
                                saved(grey, "TIFF", compression="tiff_lzw", **more)],
        "TIFF, floating point": [saved(grey / np.float32(255), "TIFF"),
                                 saved(grey.astype(np.float32), "TIFF", compression="tiff_lzw"),
                                 *_floating_tiff(grey / 255, colour / np.float32(255))],
        "PNG, 16 bits": [saved(deep, "PNG"), saved(deep << 4, "PNG")],
    }  # fmt: skip


@st.composite
def tables(draw: Any, columns: tuple[str, ...], cells: st.SearchStrategy[str]) -> bytes:
    """A CSV file with those columns, more or fewer, and rows that are too short or too long."""
    heading = list(columns)
    change = draw(st.integers(0, 5))
    if change == 0 and heading:
        heading.pop(draw(st.integers(0, len(heading) - 1)))
    elif change == 1:
        heading += draw(st.lists(HOSTILE_TEXT, max_size=2)) + draw(st.sampled_from([[], heading]))
    rows = draw(st.lists(st.lists(cells, max_size=len(columns) + 2), max_size=5))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(heading)
    writer.writerows(rows)
    content = text.getvalue().encode("utf-8", "surrogatepass")
    return content + draw(st.sampled_from([b"", b"", b"\xff\xfe", b'"', b"\0", b"a" * 200_000]))
