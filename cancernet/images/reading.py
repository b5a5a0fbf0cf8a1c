"""From a file to RGB pixels, the same way in building, training and prediction.

How every kind of image becomes 8-bit RGB:

- EXIF orientation is applied; of several frames the first is taken, of the pages of a TIFF
  the largest; what is odd about a file is noted (`cancernet/images/formats.py`);
- grey and black-and-white are repeated into three channels; palettes are looked up;
- transparent pixels are laid on white, the background of a slide;
- whole numbers of more than 8 bits keep the upper 8 bits of their depth, and
  floating-point values are taken as 0-1 or 0-255 (`cancernet/images/formats.py`);
- of a DICOM file the window counts that it states itself (`cancernet/images/dicom.py`);
- CMYK, YCbCr, HSV and LAB are converted by Pillow's formulas, without ICC profiles.
"""

import base64
import io
import os
import stat
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from cancernet.base.errors import ImageError, NoMemoryError, first_line
from cancernet.base.words import IMAGES_READ
from cancernet.images.formats import (
    NOTHING_ODD,
    ODDITY,
    Oddity,
    directory_of_page,
    eight_bit,
    has_other_suffix,
    open_image,
    told_depth,
)
from cancernet.images.plain_png import plain_png

MAXIMUM_PIXELS = 64_000_000
# No image within the limit of pixels is larger (four channels of 32 bits, not packed); more would
# fill the memory.
MAXIMUM_BYTES = 1 << 30
PLAIN_TILE = 2048 * 2048  # pixels that a tile may have, however small its image
# What Pillow notes of a PNG without any other metadata: no orientation is hidden here.
PLAIN_PNG_INFO = frozenset({"transparency", "dpi", "gamma", "srgb", "interlace", "aspect"})
TILE_WIDTH, TILE_LENGTH = 322, 323  # tags of a TIFF
# Width, length, bits, samples, rows of a strip, planes, and the tiles: what the room depends on.
_SHAPE = frozenset({256, 257, 258, 277, 278, 284, TILE_WIDTH, TILE_LENGTH})
MOST_TAGS = 65_535
_WHOLE = {1: "B", 3: "H", 4: "L", 16: "Q"}  # types of whole numbers, as `struct` calls them
INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}

# Pillow warns on stderr of odd metadata and of large images; what matters of either
# (a damaged image, the stricter limit above) ends in a sentence of ours.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class CannotReadError(ImageError):
    """The file cannot be read; `detail` is what the operating system said, or the message."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail or message


def read_rgb(
    source: str | Path | bytes, *, maximum_pixels: int = MAXIMUM_PIXELS, bits: int = 0
) -> Image.Image:
    """Decodes one image completely into an RGB Pillow image of 8 bits a channel.

    Args:
        source: a path, or the bytes of an image file.
        maximum_pixels: images with more pixels are refused before decoding.
        bits: depth of the data set's values, as `formats.eight_bit` takes it.

    Raises:
        ImageError: not an image, damaged, empty, too large, or unreadable.
    """
    content = source if isinstance(source, bytes) else read_file(source)[0]
    if not content:
        raise ImageError("the file is empty (0 bytes)")
    lies = not isinstance(source, bytes) and has_other_suffix(os.fspath(source), content)
    odd = Oddity.SUFFIX if lies else NOTHING_ODD
    try:
        if (plain := plain_png(content, maximum_pixels)) is not None:
            rgb = plain if plain.mode == "RGB" else plain.convert("RGB")
            return _marked(rgb, odd)
        with open_image(content) as image:
            _check_size(image, content, maximum_pixels)
            image.load()
            rgb = _to_rgb(image, content, bits)
            return _marked(rgb, odd | image.info.get(ODDITY, NOTHING_ODD))
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(f"the image has more than {maximum_pixels:,} pixels") from None
    except Image.UnidentifiedImageError:
        raise ImageError(f"this is not a {IMAGES_READ} image") from None
    except MemoryError:
        raise NoMemoryError("the image does not fit into memory") from None
    except Exception as error:
        # Decoders meet bytes that others wrote and raise whatever they like
        # (OSError, SyntaxError, ValueError, struct.error, zlib.error, ...).
        raise ImageError(f"the image is damaged ({first_line(error, longest=120)})") from None


def _marked(rgb: Image.Image, odd: Oddity) -> Image.Image:
    if odd:
        rgb.info[ODDITY] = odd
    return rgb


def to_array(
    image: Image.Image, *, width: int, height: int, interpolation: str = "bilinear"
) -> np.ndarray:
    """Scales to the network's size; returns uint8 of shape (height, width, 3), 0-255.

    The whole image is scaled, without keeping its proportions, as the tutorial does.
    Bilinear and bicubic average over the source pixels when they shrink (no aliasing).
    """
    if image.size != (width, height):
        image = image.resize((width, height), INTERPOLATIONS[interpolation])
    return np.asarray(image, dtype=np.uint8)


def encoded(image: Image.Image, kind: str) -> str:
    """Returns an image as a file of that format, `PNG` or `JPEG`, in base64."""
    file = io.BytesIO()
    image.save(file, kind, quality=95)
    return base64.b64encode(file.getvalue()).decode()


def read_file(path: str | os.PathLike[str]) -> tuple[bytes, os.stat_result]:
    """Returns a regular file's bytes and status; a pipe would wait for ever, a device never end.

    Raises:
        CannotReadError: it is a pipe, a device or a folder, too large, gone, or may not be read.
    """
    try:
        # Without NONBLOCK, opening a named pipe would wait for a writer for ever.
        file = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        try:
            status = os.fstat(file)
            _refuse_odd(status)
            content = os.read(file, status.st_size + 1)
            while len(content) < status.st_size and (more := os.read(file, status.st_size)):
                content += more
            return content, status
        finally:
            os.close(file)
    except (FileNotFoundError, ValueError):  # ValueError: a name with a zero byte
        gone = not os.path.islink(path)
        raise CannotReadError(
            "there is no such file" if gone else "the link leads nowhere"
        ) from None
    except OSError as error:
        detail = error.strerror or str(error)
        raise CannotReadError(f"the file cannot be read ({detail})", detail) from None


def _refuse_odd(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise CannotReadError("this is a folder, not an image")
    if not stat.S_ISREG(status.st_mode):
        raise CannotReadError("this is a pipe or a device, not an image file")
    if status.st_size > MAXIMUM_BYTES:
        raise CannotReadError(f"the file is larger than {MAXIMUM_BYTES >> 30} GiB")


def pixels_decoded(image: Image.Image, content: bytes) -> int:
    """Returns the pixels that decoding allocates: the image's, or those of a TIFF's larger tile."""
    tile = largest_tile(content, directory_of_page(image)) if image.format == "TIFF" else 0
    return max(image.width * image.height, tile)


def _check_size(image: Image.Image, content: bytes, maximum_pixels: int) -> None:
    own = image.width * image.height
    if own > maximum_pixels:
        raise ImageError(
            f"the image has {image.width} x {image.height} pixels, more than the limit of "
            f"{maximum_pixels:,}"
        )
    decoded = pixels_decoded(image, content)
    if decoded > min(maximum_pixels, 4 * own + PLAIN_TILE):
        raise ImageError(
            f"its {image.width} x {image.height} pixels are stored in a tile of {decoded:,}; "
            "save it again, in strips or smaller tiles"
        )


def _to_rgb(image: Image.Image, content: bytes, bits: int) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return eight_bit(_upright(image), told=told_depth(image, content), bits=bits)
    _refuse_dark_colours(image, content)
    return to_rgb(image)


def to_rgb(image: Image.Image) -> Image.Image:
    """Returns an open image of at most 8 bits a channel as RGB; the original is unchanged."""
    image = _upright(image)
    if image.mode == "RGB":
        return image.convert("RGB") if "transparency" not in image.info else _on_white(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _on_white(image)
    return image.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    if image.format == "PNG" and PLAIN_PNG_INFO.issuperset(image.info):
        return image
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _refuse_dark_colours(image: Image.Image, content: bytes) -> None:
    """Raises ImageError for dark colours of 16 bits, of which Pillow keeps the upper 8.

    Nobody knows whether such values have fewer bits or whether the picture is black.
    """
    wide = image.format == "PNG" and content[24] == 16
    if image.format == "TIFF":
        wide = image.tag_v2.get(258, (8,))[0] == 16  # type: ignore[attr-defined]
    if wide and np.asarray(image).max() < 1 << 6:
        raise ImageError(
            "its colours of 16 bits use at most 14 of them, so they would be nearly black; save "
            "it with 8 bits"
        )


def _on_white(image: Image.Image) -> Image.Image:
    opaque = image.convert("RGBA")
    ground = Image.new("RGBA", opaque.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, opaque).convert("RGB")


def largest_tile(content: bytes, offset: int | None = None) -> int:
    """Returns the pixels of a tile of the TIFF page whose directory is at `offset`, in bytes.

    None takes the first page; a page stored in strips has 0. The decoder allocates a whole tile,
    however small the image is.

    Raises:
        ImageError: the directory of the page cannot be read, or names a size twice: of two
            Pillow takes the last, and libtiff, which makes the room, the first.
    """
    try:
        tags = _directory(content, offset)
    except (struct.error, OverflowError):  # the latter: the offset is not a possible address
        raise ImageError("the image is damaged (its TIFF directory is cut off)") from None
    return tags.get(TILE_WIDTH, 0) * tags.get(TILE_LENGTH, 0)


def _directory(content: bytes, offset: int | None) -> dict[int, int]:
    """Returns the tags of a page, each with its value where that is one whole number, else 0."""
    order = "<" if content[:2] == b"II" else ">"
    big = 43 in struct.unpack_from("BB", content, 2)
    if offset is None:
        offset = struct.unpack_from(order + ("Q" if big else "L"), content, 8 if big else 4)[0]
    (entries,) = struct.unpack_from(order + ("Q" if big else "H"), content, offset)
    if entries > MOST_TAGS:
        raise ImageError(f"the image is damaged (its TIFF directory has {entries:,} tags)")
    offset += 8 if big else 2
    head = order + ("HHQ" if big else "HHL")
    room = struct.calcsize(head)
    tags: dict[int, int] = {}
    for number in range(entries):
        place = offset + number * (20 if big else 12)
        tag, kind, count = struct.unpack_from(head, content, place)
        if tag in tags and tag in _SHAPE:
            raise ImageError(f"the image is damaged (its TIFF directory names tag {tag} twice)")
        single = count == 1 and kind in _WHOLE
        tags[tag] = (
            struct.unpack_from(order + _WHOLE[kind], content, place + room)[0] if single else 0
        )
    return tags
