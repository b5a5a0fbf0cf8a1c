"""Textures that drawn images are made of: noise, fibres, cells, scattered grains.

All pictures are float32 arrays of shape (height, width), lengths are in pixels, and
every random number comes from the generator that is handed in, so that the same
generator gives the same texture.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Shape = tuple[int, int]


def noise(rng: np.random.Generator, shape: Shape, size: float) -> Picture:
    """Returns smooth noise whose humps are about `size` wide; mean 0, deviation 1.

    Random heights on a coarse grid, joined by cubic interpolation (value noise).
    """
    height, width = shape
    rows, columns = int(height / size) + 4, int(width / size) + 4
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    # The grid's origin is moved at random so that its lines are nowhere special.
    down, right = rng.uniform(0.5, 1.5, 2)
    y = np.arange(height, dtype=np.float32) / np.float32(size) + np.float32(down)
    x = np.arange(width, dtype=np.float32) / np.float32(size) + np.float32(right)
    fine = cv2.remap(
        coarse,
        np.broadcast_to(x, shape).copy(),
        np.broadcast_to(y[:, None], shape).copy(),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )
    return (fine - fine.mean()) / max(float(fine.std()), 1e-6)


def rough_noise(rng: np.random.Generator, shape: Shape, size: float, octaves: int = 3) -> Picture:
    """Returns noise with finer and fainter noise added to it; mean 0, deviation 1."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        total += noise(rng, shape, max(size / 2**octave, 1.0)) * np.float32(0.55**octave)
    return total / max(float(total.std()), 1e-6)


def smooth(picture: Picture, deviation: float) -> Picture:
    """Returns the picture under a Gaussian blur."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), deviation), dtype=np.float32)


def soft_step(picture: Picture, at: float, width: float) -> Picture:
    """Returns 0 below `at`, 1 above, and a straight slope of the given width between."""
    return np.clip((picture - np.float32(at)) / np.float32(width) + np.float32(0.5), 0, 1)


def fibres(rng: np.random.Generator, angle: Picture, *, reach: int = 4) -> Picture:
    """Returns streaks that follow a field of directions; mean 0, deviation 1.

    White noise is averaged with itself, shifted both ways along the direction by 1, 2,
    4, ... pixels: a cheap line integral convolution (Cabral & Leedom 1993).

    Args:
        rng: source of the noise.
        angle: direction at every pixel, radians, shape (height, width).
        reach: number of doublings; streaks are about `2**reach` pixels long.
    """
    height, width = angle.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = np.cos(angle), np.sin(angle)
    streaks = smooth(rng.standard_normal(angle.shape, dtype=np.float32), 0.6)
    for doubling in range(reach):
        step = np.float32(2**doubling)
        parts = [
            cv2.remap(
                streaks,
                x + sign * step * across,
                y + sign * step * down,
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT,
            )
            for sign in (-1, 1)
        ]
        streaks = (parts[0] + parts[1] + streaks) / np.float32(3)
    return (streaks - streaks.mean()) / max(float(streaks.std()), 1e-6)


def cell_walls(rng: np.random.Generator, shape: Shape, spacing: float) -> Picture:
    """Returns how far every pixel is from the walls of a foam of cells, pixels.

    The cells belong to the points of a jittered grid (Worley 1996): second-nearest
    distance less nearest distance, halved.
    """
    height, width = shape
    rows, columns = int(height / spacing) + 5, int(width / spacing) + 5
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32(spacing) + 2
    home = y.astype(np.int32) * columns + x.astype(np.int32)
    grid = np.mgrid[0:rows, 0:columns].astype(np.float32)
    points = (grid + rng.uniform(0, 1, grid.shape).astype(np.float32)).reshape(2, -1)
    nearest = np.full(shape, np.inf, np.float32)
    second = nearest.copy()
    for neighbour in (down * columns + right for down in (-1, 0, 1) for right in (-1, 0, 1)):
        point = np.take(points, home + neighbour, axis=1)
        squared = (y - point[0]) ** 2 + (x - point[1]) ** 2
        np.minimum(second, np.maximum(nearest, squared), out=second)
        np.minimum(nearest, squared, out=nearest)
    return (np.sqrt(second) - np.sqrt(nearest)) * np.float32(spacing / 2)


def scatter(
    rng: np.random.Generator, density: Picture, spacing: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scatters points, at most one for each square of side `spacing`.

    Args:
        rng: source of the positions.
        density: chance at every pixel, 0 to 1, that a square there has its point.
        spacing: side of a square, pixels.

    Returns:
        Rows and columns of the points, one-dimensional.
    """
    height, width = density.shape
    rows, columns = int(np.ceil(height / spacing)), int(np.ceil(width / spacing))
    grid = np.mgrid[0:rows, 0:columns].reshape(2, -1)
    points = ((grid + rng.uniform(0, 1, grid.shape)) * spacing).astype(np.float32)
    chance = rng.random(points[0].shape)
    inside = (points[0] < height - 0.5) & (points[1] < width - 0.5)
    places = points[:, inside].astype(np.intp)
    keep = np.flatnonzero(inside)[chance[inside] < density[places[0], places[1]]]
    return points[0, keep], points[1, keep]


def stamp(
    canvas: Picture,
    y: NDArray[np.float32],
    x: NDArray[np.float32],
    *,
    long: NDArray[np.float32],
    short: NDArray[np.float32],
    angle: NDArray[np.float32],
    depth: NDArray[np.float32],
    dent: NDArray[np.float32] | float = 0.0,
) -> None:
    """Draws soft-edged grains (nuclei) into `canvas`; where they overlap the deeper wins.

    All arguments after `canvas` are one-dimensional, one value for each grain.

    Args:
        canvas: changed in place.
        y: rows of the centres.
        x: columns of the centres.
        long: half the length, pixels.
        short: half the width, pixels.
        angle: direction of the length, radians.
        depth: value in the middle.
        dent: how much the outline departs from an ellipse, 0 to about 0.4.
    """
    grains = np.stack([y, x, long, short, angle, depth, np.broadcast_to(dent, y.shape)])
    # Grains of like size share a window, so that a few large ones do not cost much.
    reach = np.ceil(1.3 * np.maximum(long, short)).astype(np.intp) + 1
    for size in np.unique(reach):
        _stamp_alike(canvas, grains[:, reach == size].astype(np.float32), int(size))


def _stamp_alike(canvas: Picture, grains: Picture, reach: int) -> None:
    """Draws grains (a column each, rows as `stamp` takes them) that fit a window."""
    y, x, long, short, angle, depth, dent = grains
    window = np.arange(-reach, reach + 1, dtype=np.float32)
    down, right = (part.ravel()[:, None] for part in np.meshgrid(window, window, indexing="ij"))
    row, column = np.rint(y) + down, np.rint(x) + right
    dy, dx = row - y, column - x
    cosine, sine = np.cos(angle), np.sin(angle)
    along, aside = (dx * cosine + dy * sine) / long, (dy * cosine - dx * sine) / short
    squared = along * along + aside * aside + np.float32(1e-6)
    distance = np.sqrt(squared)
    # Sine of three times the direction, without going through the angle itself.
    wave = aside * (3 * along * along - aside * aside) / (squared * distance)
    # One pixel of soft edge at the mean radius keeps small grains from flickering.
    edge = (1 + dent * wave - distance) * np.sqrt(long * short) + np.float32(0.5)
    height, width = canvas.shape
    seen = (edge > 0) & (row >= 0) & (row < height) & (column >= 0) & (column < width)
    value = (np.minimum(edge, 1) * depth)[seen]
    np.maximum.at(canvas, (row[seen].astype(np.intp), column[seen].astype(np.intp)), value)
