"""Lays one picture on another and says how well they agree.

Descriptions only say that two pictures might be one. Here the second is laid on the
first, turned as the descriptions found, at the crop that fits best, and two correlations
are taken: of the grey values, and of the detail that is left when a blurred copy is
subtracted. Two pictures of different tissue may both be dark on the left and light on
the right, and then agree in grey values; they do not agree in detail. What is the same
all along a row or a column is no detail either: the straight edge of a slide looks the
same in every picture that shows it.
"""

import dataclasses

import numpy as np

from cancernet.building.descriptors import BOXES, STRETCHES, apply_symmetry

# Pixels of the longer side at which pictures are compared. Detail that resizing and
# recompression destroy is not asked for.
LONGEST = 64
# Of the sides of the first that the second may show, for each size of box.
CROPS = {
    1.0: (1.0,),
    0.93: (0.99, 0.97, 0.95, 0.93, 0.91, 0.89),
    0.86: (0.92, 0.9, 0.88, 0.86, 0.84, 0.82, 0.8, 0.78),
}
NUDGES = (-0.01, 0.01)
BLUR = 0.06  # standard deviation, in sides


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How two pictures agree where they lie on one another best.

    Attributes:
        grey: correlation of the grey values, -1 to 1.
        detail: correlation of what a blurred copy and the rows' and columns' means leave over.
        crop: share of the first picture's side that the second shows, 0 to 1.
        gain: contrast of the second over that of the first.
        shift: mean grey value of the second less that of the first.
    """

    grey: float
    detail: float
    crop: float
    gain: float
    shift: float


def agreement(first: np.ndarray, second: np.ndarray, box: int, symmetry: int) -> Agreement:
    """Compares the second picture with a box of the first.

    Args:
        first, second: grey (height, width), 0-255.
        box: place in BOXES: about where in the first the second lies.
        symmetry: place in SYMMETRIES: how the first is turned.
    """
    import cv2

    turned = np.ascontiguousarray(apply_symmetry(first, symmetry))
    begin, end = STRETCHES[BOXES[box][0]]
    crops = CROPS[round(end - begin, 2)]
    height, width = _working_size(turned.shape, second.shape, min(crops))
    small = cv2.resize(second, (width, height), interpolation=cv2.INTER_AREA)
    best = max(_lay(turned, small, crop) for crop in crops)
    if len(crops) > 1:
        best = max(best, *(_lay(turned, small, best[1] + nudge) for nudge in NUDGES))
    grey, crop, y, x = best
    there = _scaled(turned, small, crop)[y : y + height, x : x + width]
    spread, other = float(there.std()), float(small.std())
    return Agreement(
        grey=grey,
        detail=_correlation(_detail(there), _detail(small)),
        crop=min(crop, 1.0),
        gain=other / spread if spread else np.nan,
        shift=float(small.mean() - there.mean()),
    )


def _working_size(first: tuple[int, ...], second: tuple[int, ...], crop: float) -> tuple[int, int]:
    """The second's size, no larger than LONGEST or than what the first can show."""
    shrink = min(
        1.0, LONGEST / max(second), *(crop * a / b for a, b in zip(first, second, strict=True))
    )
    return max(8, round(second[0] * shrink)), max(8, round(second[1] * shrink))


def _lay(first: np.ndarray, small: np.ndarray, crop: float) -> tuple[float, float, int, int]:
    """Returns the best correlation of grey values, the crop, and where (y, x)."""
    import cv2

    table = cv2.matchTemplate(_scaled(first, small, crop), small, cv2.TM_CCOEFF_NORMED)
    _, grey, _, (x, y) = cv2.minMaxLoc(table)
    return float(grey), crop, y, x


def _scaled(first: np.ndarray, small: np.ndarray, crop: float) -> np.ndarray:
    """The first picture so large that `small` shows the share `crop` of its sides."""
    import cv2

    height, width = (max(side, round(side / crop)) for side in small.shape)
    smaller = height * width < first.size
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(first, (width, height), interpolation=method)


def _detail(grey: np.ndarray) -> np.ndarray:
    import cv2

    rest = grey - cv2.GaussianBlur(grey, (0, 0), BLUR * max(grey.shape))
    return rest - rest.mean(axis=0) - rest.mean(axis=1, keepdims=True) + rest.mean()


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / scale if scale > 0 else 0.0
