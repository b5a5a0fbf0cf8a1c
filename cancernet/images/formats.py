"""The formats of image files: how to tell them, what opens them, how deep their values are.

A format is told by how the content begins; what a file is called does not count. Only the one
plugin it needs is loaded: Pillow would load those of all its formats to look for the right one.

A file of 16 bits may hold values of 10, 12 or 14: the upper 8 bits of 16 would then be nearly
black. How many bits the values have is taken from the file where it says so (`sBIT` of a PNG,
the tags of a TIFF), else from the data set, else from the largest value of the image itself.

What is odd about a file that is read all the same is noted as an `Oddity`.
"""

import enum
import importlib
import io
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from cancernet.base.errors import ImageError

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
_WIDENED = 1 << 18  # floating-point values at a time
_STARTS = {kind: re.compile(start, re.DOTALL) for kind, (start, *_) in _KINDS.items()}
# DICOM files are often called by a number, or by an identifier of numbers and dots.
_NO_SUFFIX = re.compile(r"[^.]+|.*\.\d+", re.DOTALL)
# Folders of copies, thumbnails and waste that macOS, Synology and Windows leave among files.
_OF_PROGRAMS = frozenset({"__macosx", "@eadir", "#recycle", "$recycle.bin"})
_BEGINNING = 132  # bytes that tell every format

DEPTHS = (8, 10, 12, 14, 16)
# In `info` of an image whose depth neither its file nor a data set told: the depth taken.
GUESSED = "guessed depth"
INVERTED = "inverted"  # in `info` of an image whose largest values are black: True
# Tags of a TIFF: bits of a sample, what its values mean, largest value that is used.
_BITS, _MEANING, _LARGEST = 258, 262, 281
_WHITE_IS_ZERO = 0


class Oddity(enum.IntFlag):
    """What is odd about a file that is read all the same; several at once are their sum."""

    PAGE = 1  # another page than the first was taken
    FRAME = 2  # the first of several frames was taken
    SUFFIX = 4  # the content is of another format than the suffix says

    @property
    def label(self) -> str:
        """What a record calls it: `page`."""
        return str(self.name).lower()


NOTHING_ODD = Oddity(0)
ODDITY = "oddity"  # in `info` of an image
_WORDS = {
    Oddity.PAGE: "of several pages, the largest was taken",
    Oddity.FRAME: "of several frames, the first was taken",
    Oddity.SUFFIX: "the suffix names another format than the content, and the content counts",
}


def kind_of(content: bytes) -> str | None:
    """Returns the format that a content is of; None where it begins like none of these."""
    return next((kind for kind, start in _STARTS.items() if start.match(content)), None)


def has_other_suffix(name: str, content: bytes) -> bool:
    """Tells whether a file's suffix is that of another format than its content."""
    _, dot, suffix = name.rpartition(".")
    named = _KIND_OF.get(dot + suffix.lower())
    return named is not None and kind_of(content) not in (named, None)


def is_hidden(name: str) -> bool:
    """Tells whether a file or folder is hidden, or a program keeps it among a person's files.

    `.ipynb_checkpoints` and `@eaDir` hold second copies of images.
    """
    return name.startswith(".") or name.casefold() in _OF_PROGRAMS


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
        from cancernet.images.dicom import DicomImageFile

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
        from cancernet.images.float_tiff import FloatTiff

        if FloatTiff.accepts(content):
            return FloatTiff(io.BytesIO(content))
        raise ImageError(
            "the image is damaged, or a TIFF of a kind that is not read, such as packed values in "
            "floating point; save it again with 8 or 16 bits, uncompressed or with LZW"
        ) from None
    _go_to_largest_page(image)
    # Pillow turns values of 8 bits itself, deeper ones it leaves as they are.
    tags = image.tag_v2  # type: ignore[attr-defined]
    if image.mode.startswith("I") and tags.get(_MEANING) == _WHITE_IS_ZERO:
        image.info[INVERTED] = True
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


def eight_bit(image: Image.Image, *, told: int, bits: int) -> Image.Image:
    """Returns grey values of more than 8 bits as RGB.

    Whole numbers keep the upper 8 bits of their depth. Floating-point values are taken as 0-1
    where none is larger, else as 0-255.

    Args:
        image: of mode I, I;16 or F.
        told: depth that its file states, or 0.
        bits: depth of the data set's values, for a file that states none, or 0.

    Raises:
        ImageError: values that are in no such range, or need more bits.
    """
    values = np.asarray(image)
    if image.mode == "F":
        return _grey(scaled(values))
    top = int(values.max())
    if values.min() < 0 or top > 65535:
        raise ImageError("its values are not in 0-65535; save it with 8 or 16 bits")
    depth = told or bits or depth_holding(top)
    if top >> depth:
        whose = "that its file states" if told else "that the data set has"
        raise ImageError(f"its values reach {top:,}, more than the {depth} bits {whose}")
    grey = _grey(values.astype(np.int64) >> (depth - 8))
    if image.info.get(INVERTED):
        grey = ImageChops.invert(grey)
    if not told and not bits:
        grey.info[GUESSED] = depth
    return grey


def depth_holding(top: int) -> int:
    """Returns the smallest usual depth that holds a value of 0 to 65535."""
    return next(depth for depth in DEPTHS if top < 1 << depth)


def told_depth(image: Image.Image, content: bytes) -> int:
    """Returns how many bits of a value the file says it uses, 8 to 16; 0 where it does not say."""
    told = 0
    if image.format in ("PPM", "JPEG2000"):
        # Pillow has scaled the values, unless they are said to have 16 bits: the container's width.
        return 0 if _stated_top(image, content) == 65535 else 16
    if image.format == "DICOM":
        return image.told  # type: ignore[attr-defined]
    if image.format == "PNG":
        head = content[: content.find(b"IDAT")]
        place = head.find(b"sBIT")
        told = head[place + 4] if 0 < place < len(head) - 4 else 0
    elif image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        largest = _first(tags.get(_LARGEST))
        told = largest.bit_length() if largest else _first(tags.get(_BITS))
        told = 0 if told == 16 and not largest else told  # the width of its container
    return told if 8 <= told <= 16 else 0


def _stated_top(image: Image.Image, content: bytes) -> int:
    """Returns the largest value that a PGM or JPEG 2000 file allows."""
    if image.format == "PPM":
        header = re.match(rb"P." + rb"(?:\s|#[^\n]*\n)+(\d+)" * 3, content)
        return int(header[3]) if header else 0
    size = content.index(b"\xff\x4f\xff\x51") + 2  # the segment SIZ
    return int((1 << (content[size + 40] & 0x7F) + 1) - 1)


def _first(tag: object) -> int:
    value = tag[0] if isinstance(tag, tuple) and tag else tag
    return value if isinstance(value, int) else 0


def scaled(values: np.ndarray) -> np.ndarray:
    """Brings floating-point values, 0-1 or 0-255, to uint8 of the same shape.

    A part at a time is widened to 64 bits, so that the memory is that of the values.

    Raises:
        ImageError: they are in neither range.
    """
    low, high = values.min(), values.max()  # both NaN where one value is
    if not 0 <= low <= high <= 255:
        raise ImageError(
            "its floating-point values are not in 0-1 or 0-255; save it with 8 or 16 bits"
        )
    found = np.empty(values.size, np.uint8)
    for begin in range(0, values.size, _WIDENED):
        part = slice(begin, begin + _WIDENED)
        found[part] = values.reshape(-1)[part].astype(np.float64) * (255 if high <= 1 else 1)
    return found.reshape(values.shape)


def _grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")


def say_oddities(found: Mapping[Oddity, str]) -> list[str]:
    """Returns a sentence for each oddity, about the images that are named: `3 images`."""
    return [f"{found[each]}: {words}" for each, words in _WORDS.items() if each in found]
