"""Reading a large image in bands of rows, so that memory does not grow with its height."""

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cancernet.base.errors import CancerNetError, ImageError, first_line
from cancernet.base.images import read_rgb

LARGEST_PIECE = 256_000_000  # bytes that one tile or strip may take decoded
READ_AHEAD = 8_000_000  # bytes of the file; tifffile would take 256 million
_PLAIN = (1, 8, 32946, 32773)  # none, deflate (two codes), PackBits
_JPEG = (6, 7)  # the old way and the new
INSTALL = 'install the optional packages: `pip install -e ".[slides]"`'


class Bands(Protocol):
    """An open image: its size, and its rows in bands from top to bottom."""

    width: int
    height: int

    def bands(self, rows: int) -> Iterator[NDArray[np.uint8]]:
        """Gives RGB of shape (rows, width, 3), the last with fewer rows."""
        ...


@contextlib.contextmanager
def open_image(path: Path) -> Iterator[Bands]:
    """Opens a whole-slide file through OpenSlide, a TIFF through tifffile, else by Pillow.

    Raises:
        CancerNetError: it cannot be read, or not with what is installed.
    """
    if not path.is_file():
        raise CancerNetError(f"there is no file {path}")
    with contextlib.ExitStack() as stack:
        yield _opened(path, stack)


def _opened(path: Path, stack: contextlib.ExitStack) -> Bands:
    slide = _whole_slide(path)
    if slide is not None:
        return _SlideBands(stack.enter_context(slide))
    if path.suffix.lower() in (".tif", ".tiff"):
        try:
            import tifffile
        except ImportError:
            raise CancerNetError(
                f"{path}: reading a large TIFF file needs tifffile; {INSTALL}"
            ) from None
        try:
            file = stack.enter_context(tifffile.TiffFile(path))
            return _TiffBands(path, file.pages[0])
        except (ValueError, OSError, IndexError, tifffile.TiffFileError) as error:
            raise CancerNetError(f"{path} is not a readable TIFF ({error})") from None
    try:
        return _WholeImage(np.asarray(read_rgb(path)))
    except ImageError as error:
        raise CancerNetError(f"{path}: {error}; whole-slide files: {INSTALL}") from None


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
        raise CancerNetError(f"{path} is damaged ({error})") from None


def _is_plain_tiff(path: Path) -> bool:
    """Tells whether tifffile reads it without further packages."""
    try:
        import tifffile

        with tifffile.TiffFile(path) as file:
            return int(file.pages[0].compression) in _PLAIN
    except (ImportError, ValueError, OSError, IndexError):
        return False


class _SlideBands:
    """OpenSlide's level of full resolution, transparent parts on white."""

    CHUNK = 4096

    def __init__(self, slide: Any) -> None:
        self._slide = slide
        self.width, self.height = slide.dimensions

    def bands(self, rows: int) -> Iterator[NDArray[np.uint8]]:
        for top in range(0, self.height, rows):
            tall = min(rows, self.height - top)
            band = np.empty((tall, self.width, 3), np.uint8)
            for left in range(0, self.width, self.CHUNK):
                wide = min(self.CHUNK, self.width - left)
                try:
                    rgba = np.asarray(self._slide.read_region((left, top), 0, (wide, tall)))
                except Exception as error:  # OpenSlideError; the package is not imported here
                    raise CancerNetError(f"the slide cannot be decoded ({error})") from None
                band[:, left : left + wide] = _rgb(rgba)
            yield band


class _TiffBands:
    """The first page of a TIFF, tile row by tile row or strip by strip."""

    def __init__(self, path: Path, page: Any) -> None:
        self._path, self._page = path, page
        self.width, self.height = page.imagewidth, page.imagelength
        self._tall = page.tilelength if page.is_tiled else page.rowsperstrip
        self._check()

    def _check(self) -> None:
        page = self._page
        wide = page.tilewidth if page.is_tiled else page.imagewidth
        # A tile is decoded whole, however far it extends beyond the image.
        tall = self._tall if page.is_tiled else min(self._tall, self.height)
        size = tall * wide * page.samplesperpixel
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
        elif size > LARGEST_PIECE:
            reason = "it is stored in one piece; store it in tiles"
        if reason:
            raise CancerNetError(f"{self._path} cannot be cut into patches: {reason}")

    def bands(self, rows: int) -> Iterator[NDArray[np.uint8]]:
        waiting = np.empty((0, self.width, 3), np.uint8)
        for piece in self._pieces():
            waiting = np.concatenate([waiting, piece])
            whole = len(waiting) // rows * rows
            for top in range(0, whole, rows):
                yield waiting[top : top + rows]
            waiting = waiting[whole:].copy()
        if len(waiting):
            yield waiting

    def _pieces(self) -> Iterator[NDArray[np.uint8]]:
        """Gives the image as rows of tiles (or strips), each (tall, width, 3)."""
        band, top = self._blank(0), 0
        try:
            # One thread: several would decode ahead of what is needed.
            for data, index, shape in self._page.segments(maxworkers=1, buffersize=READ_AHEAD):
                y, x = int(index[-3]), int(index[-2])
                if y != top:
                    yield band
                    band, top = self._blank(y), y
                if data is None:
                    continue  # a tile that was never written
                pixels = _rgb(np.asarray(data).reshape(shape[-3:]))
                tall = min(pixels.shape[0], len(band))
                wide = min(pixels.shape[1], self.width - x)
                band[:tall, x : x + wide] = pixels[:tall, :wide]
        except CancerNetError:
            raise
        except Exception as error:  # decoders raise whatever they like
            lacking = self._page.compression not in _PLAIN and not find_spec("imagecodecs")
            hint = f"; {INSTALL}" if lacking else ""
            raise CancerNetError(
                f"{self._path} cannot be decoded ({first_line(error)}){hint}"
            ) from None
        yield band

    def _blank(self, top: int) -> NDArray[np.uint8]:
        return np.full((min(self._tall, self.height - top), self.width, 3), 255, np.uint8)


class _WholeImage:
    """An image that fits into memory."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._pixels = pixels
        self.height, self.width = pixels.shape[:2]

    def bands(self, rows: int) -> Iterator[NDArray[np.uint8]]:
        for top in range(0, self.height, rows):
            yield self._pixels[top : top + rows]


def _rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lays transparent pixels on white and repeats grey into three channels."""
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3:].astype(np.uint16)
        return ((pixels[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)
    return pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels
