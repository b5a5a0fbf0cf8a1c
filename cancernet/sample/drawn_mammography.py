"""One drawn mammogram: outline of a breast, glandular tissue by density, one mass."""

import numpy as np
from numpy.typing import NDArray

from cancernet.sample.drawn_shapes import outline
from cancernet.sample.drawn_textures import Picture, fibres, noise, rough_noise, smooth, soft_step

SIDE = 224  # height and width of a mammogram, pixels

# Share of the breast that is glandular in the four classes of density.
GLANDULAR = {1: 0.08, 2: 0.27, 3: 0.52, 4: 0.8}


def draw_mammogram(rng: np.random.Generator, *, density: int, malignant: bool) -> NDArray[np.uint8]:
    """Draws one mammogram with a mass in it; the chest is on the left.

    Args:
        rng: source of every random number.
        density: 1 (fatty) to 4 (very dense).
        malignant: a star-shaped mass; a smooth one otherwise. Some are not typical.

    Returns:
        uint8 grey, shape (SIDE, SIDE), black around the breast.
    """
    shape = (SIDE, SIDE)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    middle, half = rng.uniform(0.46, 0.54) * SIDE, rng.uniform(0.32, 0.44) * SIDE
    reach = float(rng.uniform(0.5, 0.8) * SIDE)
    # 1 at the chest, 0 at the skin.
    aside = np.abs(y - np.float32(middle)) / np.float32(half)
    inward = 1 - ((x / np.float32(reach)) ** 2.3 + aside**2.3) ** (1 / 2.3)
    inward += np.float32(0.02) * noise(rng, shape, 60)
    inside = soft_step(inward, 0, 0.015)
    # Ducts and strands run to the nipple, though not straight.
    strands = np.arctan2(y - np.float32(middle), x - np.float32(reach * 1.1))
    strands += np.float32(0.55) * rough_noise(rng, shape, 45)
    grey = np.float32(rng.uniform(58, 84)) * soft_step(inward, 0.05, 0.25) ** np.float32(0.6)
    grey += np.float32(14) * np.exp(-((inward / np.float32(0.02)) ** 2))  # skin
    grey += np.float32(rng.uniform(55, 80)) * _glandular(rng, inward, strands, density)
    grey += np.float32(rng.uniform(6, 13)) * np.maximum(fibres(rng, strands), 0)
    grey += _mass(rng, reach, middle, half, malignant=malignant)
    if rng.uniform() < 0.5:
        grey = _muscle(rng, grey, x, y)
    nipple = soft_step(-np.hypot(x - np.float32(reach * 0.98), y - np.float32(middle)), -5, 2)
    grey = np.maximum(grey * inside, np.float32(75) * nipple)
    grey += np.float32(1.2) * rng.standard_normal(shape, dtype=np.float32) * inside
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _glandular(rng: np.random.Generator, inward: Picture, angle: Picture, density: int) -> Picture:
    """Where there is glandular tissue, 0 to 1: lumpy and streaky, less of it near the skin."""
    shape = inward.shape
    lumps = rough_noise(rng, shape, 30, 5) + np.float32(0.45) * fibres(rng, angle, reach=3)
    lumps += np.float32(2.2) * soft_step(inward, 0.25, 0.5)
    share = GLANDULAR[density] * rng.uniform(0.8, 1.2)
    limit = float(np.quantile(lumps[inward > 0.05], max(1 - share, 0.02)))
    return smooth(soft_step(lumps, limit + 0.4, 2.6), 0.8)


def _mass(
    rng: np.random.Generator, reach: float, middle: float, half: float, *, malignant: bool
) -> Picture:
    """The brightness a mass adds."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    place = middle + rng.uniform(-0.45, 0.45) * half, rng.uniform(0.25, 0.65) * reach
    radius = float(rng.uniform(7, 14))
    typical = rng.uniform() < 0.85
    shape = (SIDE, SIDE)
    if malignant == typical:
        curve = outline(rng, *place, radius, 0.12, counts=(2, 3, 5, 7))
        distance = curve.distance(y, x).astype(np.float32)
        away = np.arctan2(y - np.float32(place[0]), x - np.float32(place[1]))
        # Strands that run out from the mass like rays.
        rays = np.maximum(fibres(rng, away, reach=4), 0) * np.exp(-distance / np.float32(1.1))
        added = 1 - soft_step(distance + np.float32(0.15) * noise(rng, shape, 8), 1, 0.8) + rays
    else:
        curve = outline(rng, *place, radius, 0.05)
        distance = curve.distance(y, x, squeeze=float(rng.uniform(0.7, 1.3))).astype(np.float32)
        added = 1 - soft_step(distance, 1, 0.25)
    added = added * np.float32(rng.uniform(35, 65))
    if rng.uniform() < (0.5 if malignant else 0.1):
        added = added + _calcifications(rng, *place, radius)
    return added


def _calcifications(rng: np.random.Generator, y: float, x: float, radius: float) -> Picture:
    """A cluster of tiny bright grains."""
    grains = np.zeros((SIDE, SIDE), np.float32)
    count = int(rng.integers(4, 12))
    places = rng.normal(0, radius * 0.7, (2, count)) + np.array([[y], [x]])
    row, column = np.clip(np.rint(places), 0, SIDE - 1).astype(np.intp)
    grains[row, column] = rng.uniform(100, 320, count)
    return smooth(grains, 0.6)


def _muscle(rng: np.random.Generator, grey: Picture, x: Picture, y: Picture) -> Picture:
    """Lays the chest muscle over the upper corner at the chest."""
    wide, high = rng.uniform(0.15, 0.35) * SIDE, rng.uniform(0.4, 0.8) * SIDE
    muscle = soft_step(1 - x / np.float32(wide) - y / np.float32(high), 0, 0.06)
    return grey + np.float32(rng.uniform(12, 35)) * muscle
