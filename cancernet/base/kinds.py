"""The formats of image files: told by how the content begins, opened by the one plugin it needs.

What a file is called does not count. Pillow would load the plugins of all its formats to look
for the right one.
"""

import importlib
import io
import re
import struct
import zlib

from PIL import Image

# Format, as Pillow calls it -> how a file begins, and the name of its plugin. People read of them
# in `FORMATS_READ` of `cancernet/base/words.py`.
_KINDS = {
    "PNG": (rb"\x89PNG\r\n\x1a\n", "Png"),
    "JPEG": (rb"\xff\xd8\xff", "Jpeg"),
    "TIFF": (rb"II[*+]\0|MM\0[*+]", "Tiff"),
    "BMP": (rb"BM", "Bmp"),
    "GIF": (rb"GIF8[79]a", "Gif"),
    "PPM": (rb"P[1-6]\s", "Ppm"),
    "WEBP": (rb"RIFF....WEBP", "WebP"),
    "JPEG2000": (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "Jpeg2K"),
}
SUFFIXES = frozenset({
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".pgm", ".ppm", ".pbm", ".pnm",
    ".webp", ".jp2", ".j2k",
})  # fmt: skip
MOST_PAGES = 1000
# In `info` of an image: which of its pages was taken, where that is not the first.
PAGE = "page"
# How an ordinary PNG begins; bits, colour type, compression, filter and interlacing -> mode; the
# lengths of parts that change no pixel, and the titles of texts that do not.
_PNG_BEGIN = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"
_PNG_MODES = {(8, 2, 0, 0, 0): "RGB", (8, 0, 0, 0, 0): "L"}
_PNG_HARMLESS = {b"IHDR": 13, b"pHYs": 9, b"tIME": 7, b"gAMA": 4, b"sRGB": 1}
_PNG_TITLES = frozenset({b"Author", b"Comment", b"Description", b"Software", b"Title"})
_LONGEST_TEXT = 1 << 16
_STARTS = {kind: re.compile(start, re.DOTALL) for kind, (start, _) in _KINDS.items()}


def open_image(content: bytes) -> Image.Image:
    """Reads the header of an image, and goes to the largest page of a TIFF; decodes nothing.

    Raises:
        Image.UnidentifiedImageError: it begins like none of these formats.
        Exception: whatever a decoder raises of bytes that others wrote.
    """
    kind = next((kind for kind, start in _STARTS.items() if start.match(content)), None)
    if kind is None:
        raise Image.UnidentifiedImageError
    plugin = importlib.import_module(f"PIL.{_KINDS[kind][1]}ImagePlugin")
    if kind == "PNG":  # by far the most frequent one: not even the plugins of five formats
        return plugin.PngImageFile(io.BytesIO(content))
    image = Image.open(io.BytesIO(content), formats=(kind,))
    if kind == "TIFF":
        _go_to_largest_page(image)
    return image


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


def directory_of_page(image: Image.Image) -> int:
    """Returns where in a TIFF the directory of the page is that the image is at, bytes."""
    return int(image._frame_pos[image.tell()])  # type: ignore[attr-defined]


def _go_to_largest_page(image: Image.Image) -> None:
    """A thumbnail may come first. Of equally large pages the first is taken."""
    largest, most = 0, image.width * image.height
    for page in range(1, MOST_PAGES):
        try:
            image.seek(page)
        except EOFError:
            break
        if image.width * image.height > most:
            largest, most = page, image.width * image.height
    image.seek(largest)
    if largest:
        image.info[PAGE] = largest
