"""Lays one picture on another and measures how well they agree.

Descriptions only say that two pictures might be one. Here the second is laid on the
first, turned as the descriptions found, at the crop that fits best, and two correlations
are taken: of the grey values, and of the detail that is left when a blurred copy is
subtracted. Pictures of different tissue may both be dark on the left and light on the
right; they agree in grey values, but not in detail. What is constant along a row or a
column is not detail: the straight edge of a slide looks the same everywhere.
"""

import dataclasses

import numpy as np

from cancernet.lookalike.pictures import BOXES, STRETCHES, apply_symmetry

# Pixels of the longer side at which the crop is searched, and at which pictures are
# compared: resizing and recompression destroy finer detail.
COARSE, FINE = 48, 96
# Shares of the sides of the first that the second may show, for each size of box.
CROPS = {1.0: (0.92, 1.0), 0.93: (0.88, 0.99), 0.86: (0.78, 0.92)}
# Coarse correlations of grey values: below the one a pair is given up, and uncropped
# pictures above the other need no search for a crop.
HOPELESS, SURE = 0.6, 0.97

NOISE = 2.0  # grey levels that are not detail
EVIDENCE = 0.01  # least mean weight of detail by which anything can be told


@dataclasses.dataclass(frozen=True)
class Scale:
    """What counts as detail, as standard deviations in pixels."""

    blur: float  # of the copy that is subtracted
    wide: float  # of the surroundings in which strength and direction are judged


CLOSE, SMALL = Scale(2.0, 3.0), Scale(1.5, 2.5)
# Least correlation of the detail of small copies for a closer look.
UNPROMISING = 0.3


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How two pictures agree where they fit best.

    Attributes:
        grey: correlation of the grey values, -1 to 1.
        detail: correlation of what a blurred copy and the rows' and columns' means leave over.
        evidence: mean weight of that detail, 0 to 1: how much there is to tell by.
        crop: share of the first picture's side that the second shows, 0 to 1.
        gain: contrast of the second over that of the first.
        shift: mean grey value of the second less that of the first.
    """

    grey: float
    detail: float
    evidence: float
    crop: float
    gain: float
    shift: float


UNLIKE = Agreement(grey=0.0, detail=0.0, evidence=0.0, crop=1.0, gain=1.0, shift=0.0)


def agreement(first: np.ndarray, second: np.ndarray, box: int, symmetry: int) -> Agreement:
    """Compares the second picture with a box of the first.

    Args:
        first, second: grey (height, width), 0-255.
        box: place in BOXES: about where in the first the second lies.
        symmetry: place in SYMMETRIES: how the first is turned.
    """
    turned = np.ascontiguousarray(apply_symmetry(first, symmetry))
    begin, end = STRETCHES[BOXES[box][0]]
    least, most = CROPS[round(end - begin, 2)]
    grey, crop = _look_for_crop(turned, _shrunk(second, turned.shape, least, COARSE), least, most)
    if grey < HOPELESS:
        return UNLIKE
    small = _shrunk(second, turned.shape, least, FINE)
    grey, there = _lay_closely(turned, small, round(max(small.shape) / crop))
    spread, other = float(there.std()), float(small.std())
    detail, evidence = _agreement_of_detail(there, small, CLOSE)
    return Agreement(
        grey=grey,
        detail=detail,
        evidence=evidence,
        crop=crop,
        gain=other / spread if spread else np.nan,
        shift=float(small.mean() - there.mean()),
    )


def promising(first: np.ndarray, second: np.ndarray, box: int, symmetry: int) -> bool:
    """Tells from small copies whether two pictures are worth comparing closely.

    Args:
        first, second: grey (side, side), uint8, squeezed to one size whatever their form.
        box, symmetry: as for `agreement`.
    """
    turned = np.ascontiguousarray(apply_symmetry(first, symmetry)).astype(np.float32)
    small = second.astype(np.float32)
    begin, end = STRETCHES[BOXES[box][0]]
    grey, crop = _look_for_crop(turned, small, *CROPS[round(end - begin, 2)])
    if grey < HOPELESS:
        return False
    size = round(len(small) / crop)
    _, _, (y, x) = _lay(turned, small, size)
    there = _scaled(turned, small, size)[y : y + len(small), x : x + len(small)]
    return _agreement_of_detail(there, small, SMALL)[0] >= UNPROMISING


def _look_for_crop(
    first: np.ndarray, small: np.ndarray, least: float, most: float
) -> tuple[float, float]:
    """Returns the best correlation of grey values, and the share of the sides that gave it."""
    side = max(small.shape)
    sizes = range(round(side / most), round(side / least) + 1)
    found, size, _ = _lay(first, small, sizes[0])
    if most < 1 or found < SURE:
        found, size, _ = max(_lay(first, small, size) for size in sizes)
    return found, side / size


def _lay_closely(first: np.ndarray, small: np.ndarray, size: int) -> tuple[float, np.ndarray]:
    """Climbs from a size to the best near it; returns the correlation and the part laid on."""
    best = _lay(first, small, size)
    for step in (-1, 1):
        while True:
            following = _lay(first, small, best[1] + step)
            if following[0] <= best[0] or following[1] < max(small.shape):
                break
            best = following
    grey, size, (y, x) = best
    return grey, _scaled(first, small, size)[y : y + small.shape[0], x : x + small.shape[1]]


def _shrunk(second: np.ndarray, first: tuple[int, ...], crop: float, longest: int) -> np.ndarray:
    """Returns the second, its longer side at most `longest` and no larger than the first shows."""
    import cv2

    room = (crop * a / b for a, b in zip(first, second.shape, strict=True))
    shrink = min(1.0, longest / max(second.shape), *room)
    height, width = (max(8, round(side * shrink)) for side in second.shape)
    return cv2.resize(second, (width, height), interpolation=cv2.INTER_AREA)


def _lay(first: np.ndarray, small: np.ndarray, size: int) -> tuple[float, int, tuple[int, int]]:
    """Returns the best correlation of grey values, the size, and where (y, x)."""
    import cv2

    table = cv2.matchTemplate(_scaled(first, small, size), small, cv2.TM_CCOEFF_NORMED)
    _, grey, _, (x, y) = cv2.minMaxLoc(table)
    return float(grey), size, (y, x)


def _scaled(first: np.ndarray, small: np.ndarray, size: int) -> np.ndarray:
    """Scales the first picture so that `size` of its pixels match the longer side of `small`."""
    import cv2

    scale = size / max(small.shape)
    height, width = (max(side, round(side * scale)) for side in small.shape)
    smaller = height * width < first.size
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(first, (width, height), interpolation=method)


def _agreement_of_detail(one: np.ndarray, other: np.ndarray, scale: Scale) -> tuple[float, float]:
    """Returns the weighted correlation of what `_detail` gives, and the mean weight."""
    first, weight = _detail(one, scale)
    second, weight_too = _detail(other, scale)
    weights = np.sqrt(weight * weight_too)
    total = float(weights.sum())
    evidence = total / weights.size
    if evidence < EVIDENCE:
        return 0.0, evidence
    first = first - (weights * first).sum() / total
    second = second - (weights * second).sum() / total
    both = weights * first
    norm = float(np.sqrt((both * first).sum() * (weights * second * second).sum()))
    return (float((both * second).sum()) / norm if norm > 0 else 0.0), evidence


def _detail(grey: np.ndarray, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Returns what a blurred copy leaves over, of equal strength everywhere, and its weight.

    Edges look alike: what tells pictures apart varies both ways. The weight is the ratio
    of the structure tensor's eigenvalues, the lesser over the greater.
    """
    import cv2

    rest = grey - cv2.GaussianBlur(grey, (0, 0), scale.blur)
    right = cv2.Sobel(rest, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    down = cv2.Sobel(rest, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)
    products = cv2.merge([rest * rest, right * right, down * down, right * down])
    strength, xx, yy, xy = cv2.split(cv2.GaussianBlur(products, (0, 0), scale.wide))
    middle, half = (xx + yy) / 2, (xx - yy) / 2
    half = np.sqrt(half * half + xy * xy)
    weight = np.maximum(middle - half, 0) / (middle + half + NOISE**2)
    rest = rest - rest.mean(axis=0) - rest.mean(axis=1, keepdims=True) + rest.mean()
    return rest / (np.sqrt(strength) + NOISE), weight
