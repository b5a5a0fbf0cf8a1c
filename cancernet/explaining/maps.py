"""Heat maps in NumPy: gradient methods, occlusion, and their colours.

Every gradient method takes feature maps and the gradient of the class's score (before
softmax or sigmoid) with respect to them, both of shape (rows, columns, channels), and
returns float32 of shape (rows, columns), 0 or more.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]

_LEAST = 1e-12
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
OPACITY = 0.65  # how much the colour covers where the map is 1


def grad_cam(features: Array, gradient: Array) -> Array:
    """Grad-CAM: channels weighted with their mean gradient, summed, negatives cut.

    Selvaraju et al. 2017, equations 1 and 2.
    """
    weights = gradient.mean(axis=(0, 1), dtype=np.float64)
    return _positive((features * weights).sum(axis=-1))


def hirescam(features: Array, gradient: Array) -> Array:
    """HiResCAM: gradient times feature at every place, summed, negatives cut.

    Draelos and Carin 2020. What the map shows at a place is what that place adds to the
    score, to first order.
    """
    return _positive((features * gradient.astype(np.float64)).sum(axis=-1))


def grad_cam_plus_plus(features: Array, gradient: Array) -> Array:
    """Grad-CAM++: like Grad-CAM with weights that count every occurrence of a pattern.

    Chattopadhay et al. 2018, equations 10 and 19 with the exponential of the score as
    the function explained; exp(score), common to all weights, is left out.
    """
    slope = gradient.astype(np.float64)
    below = 2 * slope**2 + features.sum(axis=(0, 1), dtype=np.float64) * slope**3
    shares = np.divide(slope**2, below, out=np.zeros_like(below), where=below != 0)
    weights = (shares * np.maximum(slope, 0)).sum(axis=(0, 1))
    return _positive((features * weights).sum(axis=-1))


GRADIENT_METHODS: dict[str, Callable[[Array, Array], Array]] = {
    "grad-cam": grad_cam,
    "hirescam": hirescam,
    "grad-cam++": grad_cam_plus_plus,
}
METHODS = (*GRADIENT_METHODS, "occlusion")


def spread(raw: Array, *, height: int, width: int) -> Array:
    """Brings a raw map to an image's size and to 0-1, its largest value being 1.

    Bilinear, each value at the middle of its cell. A map without positive values is 0
    everywhere.
    """
    cut = np.maximum(np.asarray(raw, np.float32), 0)
    if cut.shape != (height, width):
        image = Image.fromarray(cut).resize((width, height), Image.Resampling.BILINEAR)
        cut = np.maximum(np.asarray(image, np.float32), 0)
    top = cut.max(initial=0)
    return cut / top if top > 0 else np.zeros_like(cut)


def _positive(values: NDArray[np.float64]) -> Array:
    return np.maximum(values, 0).astype(np.float32)


def occlusion(
    pixels: NDArray[np.uint8],
    class_index: int,
    *,
    probabilities: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    window: int | None = None,
    stride: int | None = None,
) -> NDArray[np.float32]:
    """Covers windows with the image's mean colour and measures how much the log odds fall.

    Zeiler and Fergus 2014. It needs only predictions, so it checks the gradient methods.

    Args:
        pixels: RGB 0-255, shape (height, width, 3).
        class_index: the class that is explained.
        probabilities: the model, from (n, height, width, 3) to (n, classes).
        window: side of the covered square, pixels; by default a sixth of the shorter side.
        stride: its steps, pixels; by default half of the window.

    Returns:
        Mean fall of the log odds under all windows that cover a pixel, float32 of shape
        (height, width); below 0 where covering helped the class.
    """
    height, width = pixels.shape[:2]
    window = window or max(2, min(height, width) // 6)
    stride = stride or max(1, window // 2)
    places = [
        (y, x) for y in _starts(height, window, stride) for x in _starts(width, window, stride)
    ]
    colour = np.rint(pixels.mean(axis=(0, 1))).astype(np.uint8)
    covered = np.repeat(pixels[None], len(places), axis=0)
    for image, (y, x) in zip(covered, places, strict=True):
        image[y : y + window, x : x + window] = colour
    before = _log_odds(probabilities(pixels[None]), class_index)[0]
    falls = before - _log_odds(probabilities(covered), class_index)
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for fall, (y, x) in zip(falls, places, strict=True):
        total[y : y + window, x : x + window] += fall
        count[y : y + window, x : x + window] += 1
    return (total / count).astype(np.float32)


def _starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin; the last one ends at the edge, so that every pixel is covered."""
    last = max(0, length - window)
    return sorted({*range(0, last, stride), last})


def _log_odds(probabilities: NDArray[np.float32], class_index: int) -> NDArray[np.float64]:
    values = np.asarray(probabilities, np.float64)
    # The others are added up rather than subtracted from 1, where digits would be lost.
    others = np.delete(values, class_index, axis=1).sum(axis=1)
    return np.log(np.maximum(values[:, class_index], _LEAST)) - np.log(np.maximum(others, _LEAST))


def colours(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colours a map of values 0-1, shape (h, w); returns RGB, shape (h, w, 3)."""
    places = np.linspace(0, 1, len(SCALE))
    clipped = np.clip(values, 0, 1)
    channels = [np.interp(clipped, places, SCALE[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def overlay(pixels: NDArray[np.uint8], values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lays a map over its image, which stays unchanged where the map is 0.

    Args:
        pixels: RGB 0-255, shape (height, width, 3).
        values: 0-1, shape (h, w); brought to the image's size if it differs.

    Returns:
        RGB, of the image's shape.
    """
    if values.shape != pixels.shape[:2]:
        values = spread(values, height=pixels.shape[0], width=pixels.shape[1]) * values.max()
    cover = (OPACITY * np.clip(values, 0, 1))[..., None]
    mixed = pixels * (1 - cover) + colours(values) * cover
    return np.rint(mixed).astype(np.uint8)


def enlarged(pixels: NDArray[np.uint8], *, least: int = 400) -> NDArray[np.uint8]:
    """Repeats the pixels of a small image until its longer side has about `least`."""
    factor = max(1, round(least / max(pixels.shape[:2])))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def save_png(path: object, pixels: NDArray[np.uint8]) -> None:
    """Writes RGB pixels as PNG."""
    Image.fromarray(pixels).save(str(path), format="PNG")
