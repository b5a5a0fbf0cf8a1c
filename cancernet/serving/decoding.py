"""Decoding what strangers send: as everywhere in CancerNet, but within the server's limits."""

import base64
import io
import struct

import numpy as np
from PIL import Image

from cancernet.base.errors import ImageError
from cancernet.base.images import FORMATS, PNG_SIGNATURE, pixels_decoded, read_rgb, to_array
from cancernet.runs.run_folder import Run

# A progressive JPEG may repeat its scans without end, each costing a pass over all
# pixels (the "two issues with the JPEG standard" of libjpeg-turbo); real ones have about 10.
MAXIMUM_SCANS = 100

LARGE = 4_000_000  # pixels; only a few such images are decoded at once
PREVIEW_SIDE = 512  # pixels


def decode(run: Run, content: bytes, *, maximum_pixels: int) -> np.ndarray:
    """Decodes and scales one upload as prediction does; uint8 (height, width, 3), 0-255.

    Raises:
        ImageError: it cannot be read as an image, or is beyond a limit.
    """
    image = _read(content, maximum_pixels)
    return to_array(image, width=run.width, height=run.height, interpolation=run.interpolation)


def is_large(content: bytes) -> bool:
    """Whether decoding an image takes as much memory as a large one; decodes nothing."""
    try:
        if content[:8] != PNG_SIGNATURE:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                return pixels_decoded(image, content) > LARGE
        width, height = size_of(content)
    except Exception:  # decoders meet bytes that others wrote and raise whatever they like
        return False  # decoding will fail at the same place
    return width * height > LARGE


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height that an image claims to have, pixels; decodes nothing.

    Raises:
        Exception: whatever the decoder raises of what is not an image.
    """
    if content[:8] == PNG_SIGNATURE and content[12:16] == b"IHDR":
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        return image.size


def preview(content: bytes, *, maximum_pixels: int) -> str:
    """One upload as a PNG in base64, at most 512 pixels a side, for browsers to show.

    Raises:
        ImageError: it cannot be read as an image, or is beyond a limit.
    """
    image = _read(content, maximum_pixels)
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return encoded(image, "PNG")


def encoded(image: Image.Image, kind: str) -> str:
    """An image as a file in base64."""
    file = io.BytesIO()
    image.save(file, kind, quality=95)
    return base64.b64encode(file.getvalue()).decode()


def _read(content: bytes, maximum_pixels: int) -> Image.Image:
    if content[:2] == b"\xff\xd8" and content.count(b"\xff\xda") > MAXIMUM_SCANS:
        raise ImageError(f"the JPEG has more than {MAXIMUM_SCANS} scans; save it again")
    return read_rgb(content, maximum_pixels=maximum_pixels)
