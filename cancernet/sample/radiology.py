"""Ultrasound scans with the masks of their lesions, and mammograms with one mass."""

import cv2
import numpy as np
from numpy.typing import NDArray

from cancernet.sample.texture import (
    Picture,
    Shape,
    fibres,
    noise,
    outline,
    smooth,
    soft_step,
    top_share,
)

KINDS = ("benign", "malignant", "normal")
SIDE = 224  # height and width of a mammogram, pixels
SHAPE = (SIDE, SIDE)
# Share of the breast that is glandular in the four classes of density.
GLANDULAR = {1: 0.08, 2: 0.27, 3: 0.52, 4: 0.8}

Mask = NDArray[np.bool_]


def draw_scan(
    rng: np.random.Generator, shape: Shape, kind: str, *, lesions: int = 1
) -> tuple[NDArray[np.uint8], list[Mask]]:
    """Draws one scan, a map of echoes seen through speckle.

    Args:
        shape: height and width.
        kind: one of KINDS.
        lesions: how many lie side by side, unless the scan is normal.

    Returns:
        uint8 grey, and for each lesion where it is, both of the given shape.
    """
    echo = _layers(rng, shape)
    masks = []
    number = 0 if kind == "normal" else lesions
    for place in range(number):
        column = (place + rng.uniform(0.35, 0.65)) / number
        echo, mask = _add_lesion(rng, echo, column, malignant=kind == "malignant")
        masks.append(mask)
    pixels = _show(rng, echo)
    for mask in masks:
        if rng.uniform() < 0.2:
            _measure(pixels, mask)
    return pixels, masks


def _layers(rng: np.random.Generator, shape: Shape) -> Picture:
    """Loudness of skin, fat, gland and muscle; glandular tissue has about 1."""
    y = np.arange(shape[0], dtype=np.float32)[:, None]
    gland = rng.uniform(0.16, 0.32) * shape[0] + 5 * noise(rng, shape, 70)
    muscle = rng.uniform(0.6, 0.9) * shape[0] + 4 * noise(rng, shape, 90)
    echo = 0.36 + 0.49 * soft_step(y, gland, 6) - 0.55 * soft_step(y, muscle, 4)
    # Strands of connective tissue nearly perpendicular to the sound are loud.
    angle = 0.28 * noise(rng, shape, 60) + rng.normal(0, 0.08)
    strands = fibres(rng, angle, doublings=5)
    echo *= np.exp(np.maximum(strands - 0.9, 0) + 0.3 * noise(rng, shape, rng.uniform(16, 34), 3))
    # So are the skin and the borders between layers.
    for border in (rng.uniform(3, 8), gland, muscle):
        echo += 0.7 * np.exp(-(((y - border) / 1.5) ** 2)) * soft_step(strands, 0, 3)
    return echo


def _add_lesion(
    rng: np.random.Generator, echo: Picture, column: float, *, malignant: bool
) -> tuple[Picture, Mask]:
    """Puts a dark lesion in a column (share of the width); the kinds overlap, as in patients."""
    height, width = echo.shape
    ragged = malignant == (rng.uniform() < 0.82)
    curve = outline(
        rng,
        (rng.uniform(0.32, 0.55) * height, column * width),
        rng.uniform(0.07, 0.17) * width,
        0.16 if ragged else 0.06,
        height=rng.uniform(0.75, 1.35) if ragged else rng.uniform(0.45, 0.85),
        ragged=ragged,
    )
    mask = cv2.fillPoly(np.zeros(echo.shape, np.float32), [curve], 1.0)
    inside = smooth(mask, rng.uniform(1, 3) if malignant else rng.uniform(0.6, 2))
    # What lies behind is in a shadow (more often if malignant) or louder.
    behind = smooth(np.maximum.accumulate(inside, axis=0) * (1 - inside), 2.5)
    change = rng.normal(-0.9, 0.5) if malignant else rng.normal(0.35, 0.4)
    filling = rng.uniform(0.03, 0.4) * np.exp(0.35 * noise(rng, (height, width), 9, 2))
    return echo * np.exp(change * behind) * (1 - inside) + filling * inside, mask > 0


def _show(rng: np.random.Generator, echo: Picture) -> NDArray[np.uint8]:
    """Lets echoes fade with depth, adds speckle, and shows them on a logarithmic scale.

    Speckle is the amplitude of random waves added up (Burckhardt 1978), wider than deep.
    """
    depth = np.linspace(0, 1, echo.shape[0], dtype=np.float32)[:, None]
    # Poor contact leaves dark columns, also where there is no lesion.
    columns = np.maximum(noise(rng, (1, echo.shape[1]), 35) - 1, 0)
    loss = rng.uniform(0.6, 1.9) * depth + rng.uniform(0, 2) * columns
    waves = rng.standard_normal((2, *echo.shape), dtype=np.float32)
    speckle = np.hypot(*(cv2.GaussianBlur(wave, (0, 0), sigmaX=1.3, sigmaY=0.7) for wave in waves))
    loudness = echo * np.exp(-loss * depth) * (speckle / speckle.mean() + 0.3)
    grey = rng.uniform(90, 125) + rng.uniform(32, 44) * np.log(np.maximum(loudness, 1e-4))
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _measure(pixels: NDArray[np.uint8], mask: Mask) -> None:
    """Sets the crosses between which somebody measured the lesion."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    x, y = left + width // 2, top + height // 2
    for end in ((left, y), (left + width - 1, y), (x, top), (x, top + height - 1)):
        cv2.drawMarker(pixels, end, 230, cv2.MARKER_CROSS, 7)
    pixels[y, left : left + width : 4] = 200
    pixels[top : top + height : 4, x] = 200


def draw_mammogram(
    rng: np.random.Generator, *, density: int, malignant: bool | None
) -> NDArray[np.uint8]:
    """Draws one mammogram, the chest on the left.

    Args:
        density: 1 (fatty) to 4 (very dense).
        malignant: True for a star-shaped mass, False for a smooth one, None for no mass. Some
            masses are not typical.

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
    if malignant is not None:
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
