"""Occlusion sensitivity: how much the answer falls when a window of the image is covered.

Zeiler and Fergus 2014. Needs only predictions, so it checks the gradient methods.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-12


def occlusion(
    pixels: NDArray[np.uint8],
    class_index: int,
    *,
    probabilities: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    window: int | None = None,
    stride: int | None = None,
) -> NDArray[np.float32]:
    """Covers windows with the image's mean colour and measures the class's log odds.

    Log odds, because probabilities near 0 or 1 hardly move; for one sigmoid or two
    classes they are the score before the squashing.

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
