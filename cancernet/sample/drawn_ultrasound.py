"""One drawn ultrasound scan of a breast, with the mask of its lesion.

The scan is laid out as a map of echoes in layers (skin, fat, gland, muscle), weakened
with depth, multiplied with speckle (the amplitude of random waves added up, as in a
real scanner; Burckhardt 1978) and shown on a logarithmic scale.
"""

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from cancernet.sample.drawn_shapes import outline
from cancernet.sample.drawn_textures import (
    Picture,
    Shape,
    fibres,
    noise,
    rough_noise,
    smooth,
    soft_step,
)

KINDS = ("benign", "malignant", "normal")


@dataclasses.dataclass(frozen=True)
class Scan:
    """A drawn scan.

    Attributes:
        pixels: uint8 grey, shape (height, width).
        lesions: where each lesion is, bool, same shape; none in a normal scan.
    """

    pixels: NDArray[np.uint8]
    lesions: tuple[NDArray[np.bool_], ...]


@dataclasses.dataclass(frozen=True)
class Lesion:
    """A lesion's form and what it does to the sound; shares as multiples of its radius.

    Attributes:
        distance: of every pixel from the centre, 1 on the outline.
        echo: loudness inside, where glandular tissue has about 1.
        edge: how blurred the outline is.
        behind: above 0 the tissue behind is louder, below 0 it lies in a shadow.
    """

    distance: Picture
    echo: float
    edge: float
    behind: float


def draw_scan(rng: np.random.Generator, shape: Shape, kind: str, *, lesions: int = 1) -> Scan:
    """Draws one scan.

    Args:
        rng: source of every random number.
        shape: height and width, pixels.
        kind: one of KINDS.
        lesions: how many lesions lie side by side, unless the scan is normal.
    """
    echo = _layers(rng, shape)
    number = 0 if kind == "normal" else lesions
    found = [
        _lesion(rng, shape, malignant=kind == "malignant", column=(place + 0.5) / number)
        for place in range(number)
    ]
    for lesion in found:
        echo = _put_lesion(rng, echo, lesion)
    pixels = _show(rng, _weaken(rng, echo))
    masks = tuple(lesion.distance < 1 for lesion in found)
    for mask in masks:
        if rng.uniform() < 0.2:
            _measure(pixels, mask)
    return Scan(pixels, masks)


def _weaken(rng: np.random.Generator, echo: Picture) -> Picture:
    """Lets the sound fade with depth, and more so in some columns."""
    depth = np.linspace(0, 1, echo.shape[0], dtype=np.float32)[:, None]
    # Poor contact and air leave dark columns, also where there is no lesion.
    columns = noise(rng, echo.shape, 35).mean(axis=0, keepdims=True)
    columns = np.maximum(columns / max(float(columns.std()), 1e-6) - 1, 0)
    loss = np.float32(rng.uniform(0.6, 1.9)) * depth + np.float32(rng.uniform(0, 2)) * columns
    return echo * np.exp(-loss * depth)


def _layers(rng: np.random.Generator, shape: Shape) -> Picture:
    """Loudness of every layer with its texture, about 0.3 to 2."""
    height, width = shape
    y = np.mgrid[0:height, 0:width][0].astype(np.float32)
    skin = np.float32(rng.uniform(5, 10))
    gland = rng.uniform(0.16, 0.32) * height + 5 * noise(rng, shape, 70)
    muscle = rng.uniform(0.6, 0.9) * height + 4 * noise(rng, shape, 90)
    angle = np.float32(0.28) * noise(rng, shape, 60) + np.float32(rng.normal(0, 0.08))
    # Few strands stand square to the sound and are loud.
    streaks = smooth(fibres(rng, angle, reach=5), 0.7)
    septa = np.maximum(streaks / streaks.std() - np.float32(0.9), 0)
    in_gland = soft_step(y - gland, 0, 6) * (1 - soft_step(y - muscle, 0, 4))
    in_muscle = soft_step(y - muscle, 0, 4)
    in_fat = 1 - in_gland - in_muscle
    lobules = rough_noise(rng, shape, rng.uniform(16, 34))
    loud = np.float32(0.36) * in_fat + np.float32(0.85) * in_gland + np.float32(0.3) * in_muscle
    strength = np.float32(1.1) * in_fat + np.float32(0.7) * in_gland + np.float32(1.2) * in_muscle
    loud = loud * np.exp(strength * septa + np.float32(0.1) * streaks + np.float32(0.3) * lobules)
    # Skin and the borders between layers throw the sound straight back.
    loud += np.float32(0.9) * (1 - soft_step(y, float(skin), 3)) * np.exp(-y / skin)
    for border in (skin + 0 * y, gland, muscle):
        line = np.exp(-(((y - border) / np.float32(1.4)) ** 2))
        loud += np.float32(0.9) * line * soft_step(lobules, 0.2, 1.5)
    return loud


def _lesion(rng: np.random.Generator, shape: Shape, *, malignant: bool, column: float) -> Lesion:
    """Draws form and sound by lot; the two kinds overlap, as they do in patients."""
    height, width = shape
    typical = rng.uniform() < 0.82
    ragged = malignant == typical
    place = rng.uniform(0.32, 0.55) * height, (column + rng.uniform(-0.15, 0.15)) * width
    radius = float(rng.uniform(0.07, 0.17) * width)
    if ragged:
        squeeze = rng.uniform(0.75, 1.35)
        curve = outline(rng, *place, radius, 0.13, counts=(2, 3, 5, 8))
        fray = 0.16
    else:
        squeeze = rng.uniform(0.45, 0.85)
        curve = outline(rng, *place, radius, 0.06)
        fray = 0.03
    y, x = np.mgrid[0:height, 0:width]
    distance = curve.distance(y, x, squeeze=float(squeeze)).astype(np.float32)
    return Lesion(
        distance=distance + np.float32(fray) * rough_noise(rng, shape, 10),
        echo=float(rng.uniform(0.08, 0.3) if rng.uniform() < 0.6 else rng.uniform(0.03, 0.4)),
        edge=float(rng.uniform(0.2, 0.45) if malignant else rng.uniform(0.08, 0.25)),
        behind=float(rng.normal(-0.9, 0.5) if malignant else rng.normal(0.35, 0.4)),
    )


def _put_lesion(rng: np.random.Generator, echo: Picture, lesion: Lesion) -> Picture:
    inside = 1 - soft_step(lesion.distance, 1, lesion.edge)
    filling = np.float32(lesion.echo) * np.exp(
        np.float32(0.35) * rough_noise(rng, echo.shape, 9, 2)
    )
    # Everything below a lesion in the same column lies behind it.
    behind = smooth(np.maximum.accumulate(inside, axis=0) * (1 - inside), 2.5)
    echo = echo * np.exp(np.float32(lesion.behind) * behind)
    rim = np.exp(-(((lesion.distance - np.float32(1.12)) / np.float32(0.1)) ** 2))
    echo = echo * (1 + np.float32(0.35) * rim)
    return echo * (1 - inside) + filling * inside


def _show(rng: np.random.Generator, echo: Picture) -> NDArray[np.uint8]:
    """Adds speckle and shows loudness on a logarithmic scale as uint8 grey."""
    # Speckle is wider than deep: sound is focused less well sideways.
    waves = [
        cv2.GaussianBlur(
            rng.standard_normal(echo.shape, dtype=np.float32), (0, 0), sigmaX=1.3, sigmaY=0.7
        )
        for _ in range(2)
    ]
    speckle = np.hypot(*waves)
    speckle /= speckle.mean()
    gain, contrast = np.float32(rng.uniform(90, 125)), np.float32(rng.uniform(32, 44))
    grey = gain + contrast * np.log(np.maximum(echo * (speckle + np.float32(0.3)), 1e-4))
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _measure(pixels: NDArray[np.uint8], inside: NDArray[np.bool_]) -> None:
    """Sets the little crosses between which somebody measured the lesion."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return
    middle = int(rows.mean()), int(columns.mean())
    ends = ((middle[0], columns[0]), (middle[0], columns[-1]), (rows[0], middle[1]),
            (rows[-1], middle[1]))  # fmt: skip
    for y, x in ends:
        pixels[max(y - 3, 0) : y + 4, x] = 230
        pixels[y, max(x - 3, 0) : x + 4] = 230
    pixels[middle[0], columns[0] : columns[-1] : 4] = 200
    pixels[rows[0] : rows[-1] : 4, middle[1]] = 200
