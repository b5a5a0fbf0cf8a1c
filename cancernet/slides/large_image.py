"""Reads a large image in bands of rows, so that memory does not grow with its height."""

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cancernet.base.console import install_extra
from cancernet.base.errors import CancerNetError, ImageError, first_line
from cancernet.images.formats import MOST_PAGES, NOTHING_ODD, Oddity
from cancernet.images.reading import read_rgb

LARGEST_PIECE = 256_000_000  # bytes that one tile or strip may take decoded
READ_AHEAD = 8_000_000  # bytes of the file; tifffile would take 256 million
CHUNK = 4096  # columns of a whole slide that are decoded at once
_PLAIN = (1, 8, 32946, 32773)  # none, deflate (two codes), PackBits
_JPEG = (6, 7)  # the old way and the new
INSTALL = f"install the optional packages: {install_extra('slides')}"


@dataclasses.dataclass(frozen=True)
class LargeImage:
    """An open image: its size in pixels, and its rows in bands from top to bottom.

    `bands(rows)` gives RGB of shape (rows, width, 3), the last with fewer rows. `oddity` says
    whether another page than the first of a TIFF is shown.
    """

    width: int
    height: int
    bands: Callable[[int], Iterator[NDArray[np.uint8]]]
    oddity: Oddity = NOTHING_ODD


@contextlib.contextmanager
def open_image(path: Path) -> Iterator[LargeImage]:
    """Opens a whole-slide file through OpenSlide, a TIFF through tifffile, else by Pillow.

    Raises:
        CancerNetError: it cannot be read, or not with what is installed.
    """
    if not path.is_file():
        raise CancerNetError(f"there is no file {path}")
    with contextlib.ExitStack() as stack:
        if slide := _whole_slide(path):
            width, height = stack.enter_context(slide).dimensions
            yield LargeImage(width, height, functools.partial(_slide_bands, slide))
        elif path.suffix.lower() in (".tif", ".tiff"):
            page = _largest_page(path, stack)
            yield LargeImage(
                page.imagewidth,
                page.imagelength,
                functools.partial(_tiff_bands, path, page),
                Oddity.PAGE if page.index else NOTHING_ODD,
            )
        else:
            yield _plain_image(path)


def _plain_image(path: Path) -> LargeImage:
    try:
        pixels = np.asarray(read_rgb(path))
    except ImageError as error:
        raise CancerNetError(f"{path}: {error}; whole-slide files: {INSTALL}") from None
    height, width = pixels.shape[:2]
    return LargeImage(
        width, height, lambda rows: (pixels[top : top + rows] for top in range(0, height, rows))
    )


def _whole_slide(path: Path) -> Any:
    try:
        import openslide
    except ImportError:  # the package, or the library it needs
        return None
    kind = openslide.OpenSlide.detect_format(str(path))
    if kind is None or (kind == "generic-tiff" and _is_plain_tiff(path)):
        return None
    try:
        return openslide.OpenSlide(str(path))
    except openslide.OpenSlideError as error:
        raise CancerNetError(f"{path} cannot be read ({error})") from None


def _is_plain_tiff(path: Path) -> bool:
    """Tells whether tifffile reads it without further packages."""
    try:
        import tifffile

        with tifffile.TiffFile(path) as file:
            return int(file.pages[0].compression) in _PLAIN
    except (ImportError, ValueError, OSError, IndexError):
        return False


def _slide_bands(slide: Any, rows: int) -> Iterator[NDArray[np.uint8]]:
    """OpenSlide's level of full resolution, transparent parts on white."""
    width, height = slide.dimensions
    for top in range(0, height, rows):
        tall = min(rows, height - top)
        band = np.empty((tall, width, 3), np.uint8)
        for left in range(0, width, CHUNK):
            wide = min(CHUNK, width - left)
            try:
                rgba = np.asarray(slide.read_region((left, top), 0, (wide, tall)))
            except Exception as error:  # OpenSlideError; the package is not imported here
                raise CancerNetError(f"the slide cannot be decoded ({error})") from None
            band[:, left : left + wide] = _rgb(rgba)
        yield band


def _largest_page(path: Path, stack: contextlib.ExitStack) -> Any:
    try:
        import tifffile
    except ImportError:
        raise CancerNetError(
            f"{path}: reading a large TIFF file needs tifffile; {INSTALL}"
        ) from None
    try:
        pages = itertools.islice(stack.enter_context(tifffile.TiffFile(path)).pages, MOST_PAGES)
        page = max(pages, key=lambda each: each.imagewidth * each.imagelength)
        _check_page(path, page)
        return page
    except (ValueError, OSError, IndexError, tifffile.TiffFileError) as error:
        raise CancerNetError(f"{path} is not a readable TIFF ({error})") from None


def _piece_height(page: Any) -> int:
    # A tile is decoded whole, however far it extends beyond the image.
    return int(page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength))


def _check_page(path: Path, page: Any) -> None:
    wide = page.tilewidth if page.is_tiled else page.imagewidth
    reason = ""
    if page.dtype != np.uint8 or page.samplesperpixel not in (1, 3, 4):
        reason = f"it holds {page.samplesperpixel} x {page.dtype}, not 8-bit grey, RGB or RGBA"
    elif page.planarconfig == 2:
        reason = "its colours are stored in separate planes"
    elif page.photometric not in (1, 2, 6):
        reason = f"its colours are {page.photometric.name}"
    elif page.photometric == 6 and page.compression not in _JPEG:
        # tifffile turns them into RGB only together with JPEG.
        reason = "its colours are YCbCr without JPEG compression; save it as RGB"
    elif _piece_height(page) * wide * page.samplesperpixel > LARGEST_PIECE:
        reason = "it is stored in one piece; store it in tiles"
    if reason:
        raise CancerNetError(f"{path} cannot be cut into patches: {reason}")


def _tiff_bands(path: Path, page: Any, rows: int) -> Iterator[NDArray[np.uint8]]:
    waiting = np.empty((0, page.imagewidth, 3), np.uint8)
    for piece in _tiff_pieces(path, page):
        waiting = np.concatenate([waiting, piece])
        whole = len(waiting) // rows * rows
        for top in range(0, whole, rows):
            yield waiting[top : top + rows]
        waiting = waiting[whole:].copy()
    if len(waiting):
        yield waiting


def _tiff_pieces(path: Path, page: Any) -> Iterator[NDArray[np.uint8]]:
    """Gives the image as rows of tiles (or strips), each (tall, width, 3)."""

    def blank(top: int) -> NDArray[np.uint8]:
        tall = min(_piece_height(page), page.imagelength - top)
        return np.full((tall, page.imagewidth, 3), 255, np.uint8)

    band, top = blank(0), 0
    try:
        # One thread: several would decode ahead of what is needed.
        for data, index, shape in page.segments(maxworkers=1, buffersize=READ_AHEAD):
            y, x = int(index[-3]), int(index[-2])
            if y != top:
                yield band
                band, top = blank(y), y
            if data is None:
                continue  # a tile that was never written
            pixels = _rgb(np.asarray(data).reshape(shape[-3:]))
            place = band[: pixels.shape[0], x : x + pixels.shape[1]]
            place[...] = pixels[: place.shape[0], : place.shape[1]]
    except Exception as error:  # decoders raise whatever they like
        lacking = page.compression not in _PLAIN and not find_spec("imagecodecs")
        hint = f"; {INSTALL}" if lacking else ""
        raise CancerNetError(f"{path} cannot be decoded ({first_line(error)}){hint}") from None
    yield band


def _rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lays transparent pixels on white and repeats grey into three channels."""
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3:].astype(np.uint16)
        return ((pixels[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)
    return pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels
