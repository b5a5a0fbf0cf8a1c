"""The formats of image files: told by how the content begins, opened by the one plugin it needs.

What a file is called does not count. Pillow would load the plugins of all its formats to look
for the right one.
"""

import importlib
import io
import re
from pathlib import Path, PurePath

from PIL import Image

from cancernet.base.errors import ImageError
from cancernet.base.oddities import ODDITY, Oddity

# Format, as Pillow calls it -> how a file begins, its plugin, and the suffixes of such files.
# People read of them in `FORMATS_READ` of `cancernet/base/words.py`.
_KINDS = {
    "PNG": (rb"\x89PNG\r\n\x1a\n", "Png", ".png"),
    "JPEG": (rb"\xff\xd8\xff", "Jpeg", ".jpg .jpeg"),
    "DICOM": (rb".{128}DICM", "", ".dcm .dicom"),  # some also begin as a TIFF does
    "TIFF": (rb"II[*+]\0|MM\0[*+]", "Tiff", ".tif .tiff"),
    "BMP": (rb"BM", "Bmp", ".bmp"),
    "GIF": (rb"GIF8[79]a", "Gif", ".gif"),
    "PPM": (rb"P[1-6]\s", "Ppm", ".pgm .ppm .pbm .pnm"),
    "WEBP": (rb"RIFF....WEBP", "WebP", ".webp"),
    "JPEG2000": (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "Jpeg2K", ".jp2 .j2k"),
}
_KIND_OF = {suffix: kind for kind, (*_, all_) in _KINDS.items() for suffix in all_.split()}
SUFFIXES = frozenset(_KIND_OF)
MOST_PAGES = 1000
_STARTS = {kind: re.compile(start, re.DOTALL) for kind, (start, *_) in _KINDS.items()}
# DICOM files are often called by a number, or by an identifier of numbers and dots.
_NO_SUFFIX = re.compile(r"[^.]+|.*\.\d+", re.DOTALL)
_BEGINNING = 132  # bytes that tell every format


def kind_of(content: bytes) -> str | None:
    """Returns the format that a content is of; None where it begins like none of these."""
    return next((kind for kind, start in _STARTS.items() if start.match(content)), None)


def has_other_suffix(name: str, content: bytes) -> bool:
    """Tells whether a file's suffix is that of another format than its content."""
    named = _KIND_OF.get(PurePath(name).suffix.lower())
    return named is not None and kind_of(content) not in (named, None)


def is_image_name(folder: str, name: str) -> bool:
    """Tells whether a file counts as an image where a folder is searched.

    It has the suffix of an image, or it has none and begins as a DICOM file does.
    """
    if name.lower().endswith(tuple(SUFFIXES)):
        return True
    if not _NO_SUFFIX.fullmatch(name):
        return False
    path = Path(folder, name)
    try:
        if not path.is_file():  # a pipe would wait for ever
            return False
        with path.open("rb") as file:
            return kind_of(file.read(_BEGINNING)) == "DICOM"
    except OSError:
        return False


def open_image(content: bytes) -> Image.Image:
    """Reads the header of an image, and goes to the largest page of a TIFF; decodes nothing.

    Raises:
        Image.UnidentifiedImageError: it begins like none of these formats.
        Exception: whatever a decoder raises of bytes that others wrote.
    """
    kind = kind_of(content)
    if kind is None:
        raise Image.UnidentifiedImageError
    if kind == "DICOM":
        from cancernet.base.dicom import DicomImageFile

        return DicomImageFile(io.BytesIO(content))
    plugin = importlib.import_module(f"PIL.{_KINDS[kind][1]}ImagePlugin")
    if kind == "PNG":  # by far the most frequent one: not even the plugins of five formats
        return plugin.PngImageFile(io.BytesIO(content))
    if kind == "TIFF":
        return _open_tiff(content)
    return Image.open(io.BytesIO(content), formats=(kind,))


def _open_tiff(content: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content), formats=("TIFF",))
    except Image.UnidentifiedImageError:
        raise ImageError(
            "the image is damaged, or a TIFF of a kind that is not read; save it again, "
            "uncompressed or with LZW"
        ) from None
    _go_to_largest_page(image)
    if image.info.get("compression") == "webp":
        raise ImageError("this TIFF is packed with WebP, which is not read; save it with LZW")
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
        image.info[ODDITY] = Oddity.PAGE
