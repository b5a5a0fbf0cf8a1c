"""Decoding what strangers send: the product's own reading, within the server's limits."""

import numpy as np

from cancernet.errors import ImageError
from cancernet.images import read_rgb, to_array
from cancernet.runs import Run

# A progressive JPEG may repeat its scans without end, each costing a pass over all
# pixels (the "two issues with the JPEG standard" of libjpeg-turbo); real ones have about 10.
MAXIMUM_SCANS = 100


def decode(run: Run, content: bytes, *, maximum_pixels: int) -> np.ndarray:
    """Decodes and scales one upload as prediction does; uint8 (height, width, 3), 0-255.

    Raises:
        ImageError: it cannot be read as an image, or is beyond a limit.
    """
    if content[:2] == b"\xff\xd8" and content.count(b"\xff\xda") > MAXIMUM_SCANS:
        raise ImageError(f"the JPEG has more than {MAXIMUM_SCANS} scans; save it anew")
    image = read_rgb(content, maximum_pixels=maximum_pixels)
    return to_array(image, width=run.width, height=run.height, interpolation=run.interpolation)
