"""Textures that drawn images are made of: noise, fibres, foam, outlines, nuclei."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Float32, shape (height, width). Lengths are in pixels throughout.
Picture = NDArray[Any]
Shape = tuple[int, int]

TURN = 2 * np.pi


def generator(*numbers: int) -> np.random.Generator:
    """Returns random numbers that depend on these numbers only."""
    return np.random.Generator(np.random.PCG64(list(numbers)))


def noise(rng: np.random.Generator, shape: Shape, size: float, octaves: int = 1) -> Picture:
    """Returns smooth noise with humps about `size` wide; mean 0, standard deviation 1.

    Each further octave adds humps of half the size and about half the height.
    """
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        grain = max(size / 2**octave, 1.0)
        coarse = rng.standard_normal([int(side / grain) + 4 for side in shape], dtype=np.float32)
        fine = cv2.resize(coarse, None, fx=grain, fy=grain, interpolation=cv2.INTER_CUBIC)
        # A random corner, so that the grid lies elsewhere in every picture.
        top, left = rng.integers(0, int(grain) + 1, 2)
        total += 0.55**octave * fine[top : top + height, left : left + width]
    return _standardised(total)


def smooth(picture: Picture, deviation: float) -> Picture:
    """Returns the picture after a Gaussian blur."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), deviation))


def soft_step(picture: Picture, at: float | Picture, width: float) -> Picture:
    """Returns 0 below `at`, 1 above, and a straight slope of the given width between."""
    return np.clip((picture - at) / width + 0.5, 0, 1)


def top_share(score: Picture, share: float, width: float) -> Picture:
    """Returns 1 where the score is among the highest `share`, 0 elsewhere, with a soft edge."""
    return soft_step(score, float(np.quantile(score, 1 - share)), width)


def fibres(rng: np.random.Generator, angle: Picture, *, doublings: int = 4) -> Picture:
    """Returns streaks along a field of directions; mean 0, standard deviation 1.

    White noise is averaged with itself, shifted both ways along the direction by 1, 2,
    4, ... pixels: a cheap line integral convolution (Cabral & Leedom 1993).

    Args:
        angle: direction at every pixel, radians.
        doublings: streaks are about `2**doublings` pixels long.
    """
    height, width = angle.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = np.cos(angle), np.sin(angle)
    streaks = smooth(rng.standard_normal(angle.shape, dtype=np.float32), 0.6)
    for step in 2.0 ** np.arange(doublings, dtype=np.float32):
        shifted = [
            cv2.remap(streaks, x + move * across, y + move * down, cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_REFLECT)
            for move in (-step, step)
        ]  # fmt: skip
        streaks = (streaks + shifted[0] + shifted[1]) / 3
    return _standardised(streaks)


def foam(rng: np.random.Generator, shape: Shape, spacing: float) -> Picture:
    """Returns the distance of every pixel from the walls of a foam of cells, pixels."""
    away = np.ones(shape, np.uint8)
    points = scatter(rng, np.ones(shape, np.float32), spacing)
    away[tuple(points.astype(int))] = 0
    _, cell = cv2.distanceTransformWithLabels(
        away, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    inside = np.ones(shape, np.uint8)
    inside[:-1] &= cell[:-1] == cell[1:]
    inside[:, :-1] &= cell[:, :-1] == cell[:, 1:]
    return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_5))


def scatter(rng: np.random.Generator, density: Picture, spacing: float) -> Picture:
    """Returns rows and columns of random points, at most one in a square of side `spacing`.

    Args:
        density: chance at every pixel, 0 to 1, that a square there has its point.
    """
    edge = np.array(density.shape)[:, None] - 1
    grid = np.mgrid[0 : edge[0, 0] : spacing, 0 : edge[1, 0] : spacing].reshape(2, -1)
    points = np.minimum(grid + rng.uniform(0, spacing, grid.shape), edge)
    chance = density[tuple(points.astype(int))]
    return points[:, rng.uniform(size=chance.shape) < chance]


def outline(
    rng: np.random.Generator,
    centre: tuple[float, float],
    radius: float,
    waviness: float,
    *,
    height: float = 1.0,
    ragged: bool = False,
) -> NDArray[np.int32]:
    """Returns a closed wavy curve for `cv2.fillPoly`, shape (points, 2), x before y.

    Args:
        centre: row and column.
        radius: mean distance from the centre.
        waviness: greatest height of a wave as a share of the radius.
        height: height by width; below 1 the curve lies, above 1 it stands.
        ragged: adds short waves.
    """
    angle = np.linspace(0, TURN, 90, endpoint=False)
    distance = np.full(angle.shape, float(radius))
    for count in (2, 3, 5, 8, 13, 21) if ragged else (2, 3, 5):
        distance += radius * rng.uniform(0, waviness) * np.sin(count * angle + rng.uniform(0, TURN))
    x, y = np.cos(angle) / np.sqrt(height), np.sin(angle) * np.sqrt(height)
    return np.rint(np.stack([centre[1] + distance * x, centre[0] + distance * y], axis=1)).astype(
        np.int32
    )


def stamp_nuclei(
    rng: np.random.Generator,
    canvas: NDArray[np.uint8],
    points: Picture,
    *,
    size: float,
    depth: float = 1.0,
    spread: float = 0.12,
    stretch: float = 1.4,
    angle: Picture | None = None,
) -> None:
    """Draws an ellipse on a canvas around every point; 100 is an ordinary nucleus.

    Args:
        canvas: changed in place.
        points: rows and columns of the centres.
        size: mean radius.
        depth: mean darkness, 1 for an ordinary nucleus.
        spread: standard deviation of size, form and depth, as a share.
        stretch: length by width.
        angle: directions, radians; random if None.
    """
    count: int = points.shape[1]
    radius = size * np.exp(rng.normal(0, spread, count))
    ratio = np.sqrt(stretch * np.exp(rng.normal(0, spread, count)))
    turn = rng.uniform(0, 180, count) if angle is None else np.degrees(angle)
    values = 100 * depth * rng.normal(1, 0.1 + spread / 2, count).clip(0.4, 1.6)
    # Sixteenths of a pixel keep small nuclei apart in size.
    centres = np.rint(16 * points[::-1].T).astype(int).tolist()
    axes = np.rint(16 * radius * [ratio, 1 / ratio]).astype(int).T.tolist()
    for centre, half, degrees, value in zip(
        centres, axes, turn.tolist(), values.tolist(), strict=True
    ):
        cv2.ellipse(canvas, centre, half, degrees, 0, 360, value, -1, cv2.LINE_AA, 4)


def _standardised(picture: Picture) -> Picture:
    return (picture - picture.mean()) / max(float(picture.std()), 1e-6)
