"""Heat maps as pictures."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cancernet.explaining.maps import spread

# From dark violet to light yellow: brightness rises with the value, so that the scale
# reads the same in grey and to colour-blind eyes, and no colour looks like H&E. The page
# has the same (serving/page/scale.js).
SCALE = np.array(
    [
        [13, 8, 60],
        [62, 18, 110],
        [122, 30, 118],
        [182, 48, 92],
        [228, 88, 50],
        [248, 150, 30],
        [252, 232, 120],
    ],
    np.float64,
)
OPACITY = 0.65


def colours(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colours a map of values 0-1, shape (h, w); returns RGB, shape (h, w, 3)."""
    places = np.linspace(0, 1, len(SCALE))
    clipped = np.clip(values, 0, 1)
    channels = [np.interp(clipped, places, SCALE[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def overlay(
    pixels: NDArray[np.uint8], values: NDArray[np.float32], *, opacity: float = OPACITY
) -> NDArray[np.uint8]:
    """Lays a map over its image, which stays unchanged where the map is 0.

    Args:
        pixels: RGB 0-255, shape (height, width, 3).
        values: 0-1, shape (h, w); brought to the image's size if it differs.
        opacity: how much the colour covers where the map is 1, 0-1.

    Returns:
        RGB, of the image's shape.
    """
    if values.shape != pixels.shape[:2]:
        values = spread(values, height=pixels.shape[0], width=pixels.shape[1]) * values.max()
    cover = (opacity * np.clip(values, 0, 1))[..., None]
    mixed = pixels * (1 - cover) + colours(values) * cover
    return np.rint(mixed).astype(np.uint8)


def enlarged(pixels: NDArray[np.uint8], *, least: int = 400) -> NDArray[np.uint8]:
    """Repeats the pixels of a small image until its longer side has about `least`."""
    factor = max(1, round(least / max(pixels.shape[:2])))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def save_png(path: object, pixels: NDArray[np.uint8]) -> None:
    """Writes RGB pixels as PNG."""
    Image.fromarray(pixels).save(str(path), format="PNG")
