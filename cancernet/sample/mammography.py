"""Mammograms: the outline of a breast, glandular tissue by density, and one mass."""

import cv2
import numpy as np
from numpy.typing import NDArray

from cancernet.sample.texture import Picture, fibres, noise, outline, smooth, soft_step, top_share

SIDE = 224  # height and width of a mammogram, pixels
SHAPE = (SIDE, SIDE)

# Share of the breast that is glandular in the four classes of density.
GLANDULAR = {1: 0.08, 2: 0.27, 3: 0.52, 4: 0.8}


def draw_mammogram(rng: np.random.Generator, *, density: int, malignant: bool) -> NDArray[np.uint8]:
    """Draws one mammogram with a mass in it; the chest is on the left.

    Args:
        rng: source of every random number.
        density: 1 (fatty) to 4 (very dense).
        malignant: a star-shaped mass; a smooth one otherwise. Some are not typical.

    Returns:
        uint8 grey, shape SHAPE, black around the breast.
    """
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    middle, half = rng.uniform(0.46, 0.54) * SIDE, rng.uniform(0.32, 0.44) * SIDE
    reach = rng.uniform(0.5, 0.8) * SIDE
    # 1 at the chest, 0 at the skin.
    inward = 1 - ((x / reach) ** 2.3 + (np.abs(y - middle) / half) ** 2.3) ** (1 / 2.3)
    inward += 0.02 * noise(rng, SHAPE, 60)
    # Ducts and strands run to the nipple, though not straight.
    angle = np.arctan2(y - middle, x - 1.1 * reach) + 0.55 * noise(rng, SHAPE, 45, 3)
    lumps = noise(rng, SHAPE, 30, 5) + 0.45 * fibres(rng, angle, doublings=3)
    lumps += 2.2 * soft_step(inward, 0.25, 0.5) - 9 * (inward < 0.05)
    share = GLANDULAR[density] * rng.uniform(0.8, 1.2) * float((inward > 0.05).mean())
    gland = top_share(lumps - 0.4, share, 2.6)
    grey = rng.uniform(58, 84) * soft_step(inward, 0.05, 0.25) ** 0.6
    grey += 14 * np.exp(-((inward / 0.02) ** 2))  # skin
    grey += rng.uniform(55, 80) * smooth(gland, 0.8)
    grey += rng.uniform(6, 13) * np.maximum(fibres(rng, angle), 0)
    place = middle + rng.uniform(-0.45, 0.45) * half, rng.uniform(0.25, 0.65) * reach
    grey += _mass(rng, place, malignant=malignant)
    if rng.uniform() < 0.5:  # the chest muscle in the upper corner
        edge = 1 - x / (rng.uniform(0.15, 0.35) * SIDE) - y / (rng.uniform(0.4, 0.8) * SIDE)
        grey += rng.uniform(12, 35) * soft_step(edge, 0, 0.06)
    grey += 1.2 * rng.standard_normal(SHAPE, dtype=np.float32)
    nipple = 75 * soft_step(-np.hypot(x - 0.98 * reach, y - middle), -5, 2)
    grey = np.maximum(grey * soft_step(inward, 0, 0.015), nipple)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _mass(rng: np.random.Generator, place: tuple[float, float], *, malignant: bool) -> Picture:
    """Returns the brightness that a mass adds."""
    radius = rng.uniform(7, 14)
    star = malignant == (rng.uniform() < 0.85)
    curve = outline(rng, place, radius, 0.16 if star else 0.05, ragged=star)
    added = smooth(cv2.fillPoly(np.zeros(SHAPE, np.float32), [curve], 1.0), 2.5 if star else 1)
    if star:  # strands run out from it like rays
        y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
        y, x = y - place[0], x - place[1]
        rays = np.maximum(fibres(rng, np.arctan2(y, x)), 0)
        added = added + rays * np.exp(-np.hypot(y, x) / (1.1 * radius))
    added = added * rng.uniform(35, 65)
    if rng.uniform() < (0.5 if malignant else 0.1):  # a cluster of tiny calcifications
        count = rng.integers(4, 12)
        grains = np.zeros(SHAPE, np.float32)
        y, x = rng.normal(place, 0.7 * radius, (count, 2)).clip(0, SIDE - 1).astype(int).T
        grains[y, x] = rng.uniform(100, 320, count)
        added = added + smooth(grains, 0.6)
    return added
