"""Uploads, good and damaged, and clients for the tests of serving."""

import io
import random
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

BLUE, RED = (0, 0, 200), (200, 0, 0)  # the network by hand: class 1, class 0


def picture(colour=BLUE, size=(50, 50), kind="PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def noisy(kind: str, seed: int = 0, size=(50, 50)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that claims to be huge."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = zlib.compress(b"\0" * 1_000_000, 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    )


def tiled_tiff(side: int, tile: int, *, big: bool = False, twice: bool = False) -> bytes:
    """A grey TIFF of side x side pixels in one tile of tile x tile, all of it black.

    Args:
        side: of the image, pixels.
        tile: of the tile, pixels.
        big: as a BigTIFF.
        twice: every size of the tile is named a second time, and then small.
    """
    content = zlib.compress(bytes(tile * tile), 9)
    sizes = (
        [(322, tile), (322, 16), (323, tile), (323, 16)] if twice else [(322, tile), (323, tile)]
    )
    tags = [(256, side), (257, side), (258, 8), (259, 8), (262, 1), (277, 1), *sizes]
    tags += [(324, -1), (325, len(content))]
    word, head = ("<Q", 16) if big else ("<L", 8)
    entry = "<HHQQ" if big else "<HHLL"
    end = head + (8 if big else 2) + len(tags) * struct.calcsize(entry) + struct.calcsize(word)
    start = b"II\x2b\0\x08\0\0\0" if big else b"II\x2a\0"
    return (
        start
        + struct.pack(word, head)
        + struct.pack("<Q" if big else "<H", len(tags))
        + b"".join(struct.pack(entry, t, 4, 1, end if v < 0 else v) for t, v in tags)
        + struct.pack(word, 0)
        + content
    )


def text_bomb() -> bytes:
    """A PNG whose compressed comment unpacks to 50 MB."""
    comment = b"Comment\0\0" + zlib.compress(b"a" * 50_000_000, 9)
    plain = picture()
    return plain[:33] + chunk(b"zTXt", comment) + plain[33:]


def scan_bomb() -> bytes:
    """A progressive JPEG that repeats its last scan 5,000 times."""
    file = io.BytesIO()
    Image.new("RGB", (400, 400), BLUE).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * 5000 + content[-2:]


def damaged(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Gives names and contents of files that are no sound image, in every way we know.

    Some names are so long that the form's own header is refused.
    """
    rng = random.Random(seed)
    sound = [noisy(kind, seed=7) for kind in ("PNG", "JPEG", "TIFF", "BMP")]
    bombs = [png_bomb(60_000, 60_000), png_bomb(2**31 - 1, 2**31 - 1), text_bomb(), scan_bomb()]
    other = [
        b"", b"\0" * 5000, b"%PDF-1.7\n", b"PK\x03\x04" + b"\0" * 99, b"<svg></svg>",
        b"GIF89a" + b"\0" * 99, b"RIFF\0\0\0\0WEBPVP8 ", b"II*\0" + b"\xff" * 200,
        b"MM\0*\0\0\0\x08\xff\xff" + b"\0" * 99, b"BM" + b"\xff" * 99, b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n", "not an image".encode("utf-16"),
    ]  # fmt: skip
    for number in range(count):
        kind = number % 5
        if kind < 2:
            whole = rng.choice(sound)
            yield f"cut {number}.png", whole[: rng.randrange(len(whole) // 2)]
        elif kind == 2:
            yield f"noise {number}.jpg", rng.randbytes(rng.randrange(1, 20_000))
        elif kind == 3:
            yield f"../../etc/{number}.tif", rng.choice(other)
        elif number % 50 == 4:
            yield "bomb.png", rng.choice(bombs)
        else:
            start = rng.choice(sound)[:40]
            yield "x" * rng.choice([1, 300, 9000]), start + rng.randbytes(3000)
