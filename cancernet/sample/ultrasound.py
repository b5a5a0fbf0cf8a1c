"""Ultrasound scans of a breast, with the masks of their lesions."""

import cv2
import numpy as np
from numpy.typing import NDArray

from cancernet.sample.texture import Picture, Shape, fibres, noise, outline, smooth, soft_step

KINDS = ("benign", "malignant", "normal")

Mask = NDArray[np.bool_]


def draw_scan(
    rng: np.random.Generator, shape: Shape, kind: str, *, lesions: int = 1
) -> tuple[NDArray[np.uint8], list[Mask]]:
    """Draws one scan, a map of echoes seen through speckle.

    Args:
        rng: source of every random number.
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
    # Strands of connective tissue nearly square to the sound are loud.
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
