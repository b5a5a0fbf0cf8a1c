"""The formats of image files: told by how the content begins, opened by the one plugin it needs.

What a file is called does not count. Pillow would load the plugins of all its formats to look
for the right one.
"""

import importlib
import io
import re

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
