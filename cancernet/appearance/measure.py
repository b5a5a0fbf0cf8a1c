"""What an image looks like, in 30 numbers: brightness, colour, contrast, layout and size.

They are taken at about a thousand points of what the network sees, which costs little beside
scoring.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GRID = 32  # points that are looked at along each side, about
QUANTILES = (2, 25, 50, 75, 98)  # per cent of the points
DISTANCES = (1, 2, 4, 8)  # pixels between two points whose green is compared
COMPARED = (1, 4)  # of these, those at which contrast across is compared with contrast down


@dataclasses.dataclass(frozen=True)
class Measure:
    """One of the numbers.

    Attributes:
        name: what it is, with its unit where it has one.
        least: the smallest spread that counts. However alike the training images are in it, an
            image that differs by so much is not yet unusual.
    """

    name: str
    least: float


# A label in colour does not make another kind of a grey scan, nor does a doubled size.
MEASURES = (
    *(Measure(f"brightness, {percent} % quantile", 5) for percent in QUANTILES),
    Measure("red - green, mean", 6),
    Measure("blue - green, mean", 6),
    Measure("brightness, deviation", 3),
    Measure("red - green, deviation", 6),
    Measure("blue - green, deviation", 6),
    Measure("red - green by brightness", 3),
    Measure("blue - green by brightness", 3),
    Measure("colourfulness, log2", 0.5),
    Measure("greenish, share", 0.06),
    Measure("bluish, share", 0.06),
    Measure("reddish, share", 0.06),
    Measure("black, share", 0.06),
    Measure("white, share", 0.06),
    *(Measure(f"contrast at {distance} px, log", 0.1) for distance in DISTANCES),
    *(Measure(f"contrast at {distance} px, across / down, log", 0.1) for distance in COMPARED),
    Measure("contrast in few places, log", 0.05),
    Measure("even, share", 0.06),
    Measure("upper half - lower half", 3),
    Measure("left half - right half", 3),
    Measure("longer side in px, log2", 0.5),
    Measure("width / height, log2", 0.5),
)


def measure(pixels: NDArray[np.uint8], sizes: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Measures images.

    Args:
        pixels: as the network sees them, RGB 0-255, (n, height, width, 3), sides of 2 or more.
        sizes: width and height of each image before it was scaled, pixels.

    Returns:
        (n, 30), a column for each of `MEASURES`.
    """
    down, across = (max(1, round(side / GRID)) for side in pixels.shape[1:3])
    red, green, blue = np.moveaxis(pixels[:, ::down, ::across].astype(np.float32), -1, 0)
    grey = (red + 2 * green + blue) / 4
    width, height = np.asarray(sizes, np.float64).T
    columns = [
        *_colours(np.stack([grey, red - green, blue - green]).reshape(3, len(pixels), -1)),
        *_contrasts(pixels[..., 1], down, across),
        *(_halves(lines) for lines in (grey.mean(axis=2), grey.mean(axis=1))),
        np.log2(np.maximum(width, height)),
        np.log2(width / height),
    ]
    return np.stack(columns, axis=1).astype(np.float64)


def _colours(channels: NDArray[np.float32]) -> list[NDArray]:
    """Measures brightness, red - green and blue - green, (3, n, points)."""
    grey, red, blue = channels
    means = channels.mean(axis=2)
    apart = channels - means[..., None]
    deviations = np.sqrt(np.square(apart).mean(axis=2))
    together = (apart[0] * apart[1:]).mean(axis=2) / (deviations[0] + 5)
    ordered = np.sort(grey.astype(np.uint8), axis=1)
    shares = (red + blue < -10, blue - red > 20, red - blue > 30, grey < 16, grey > 240)
    return [
        *(ordered[:, ordered.shape[1] * percent // 100] for percent in QUANTILES),
        *means[1:],
        *deviations,
        *together,
        np.log2(1 + np.abs(channels[1:]).mean(axis=(0, 2))),
        *(share.mean(axis=1) for share in shares),
    ]


def _contrasts(green: NDArray[np.uint8], down: int, across: int) -> list[NDArray]:
    """Measures how much points of (n, height, width) differ from others near by."""
    contrasts: list[NDArray] = []
    ratios: list[NDArray] = []
    first: list[NDArray[np.int16]] = []
    for distance in DISTANCES:
        near = min(distance, *(side - 1 for side in green.shape[1:]))
        pairs = (
            (green[:, ::down, near::across], green[:, ::down, :-near:across]),
            (green[:, near::down, ::across], green[:, :-near:down, ::across]),
        )
        steps = [
            np.abs(np.subtract(*pair, dtype=np.int16)).reshape(len(green), -1) for pair in pairs
        ]
        along, upright = (each.mean(axis=1) for each in steps)
        contrasts.append(np.log(1 + along + upright))
        if distance in COMPARED:
            ratios.append(np.log((1 + along) / (1 + upright)))
        first = first or steps
    both = np.concatenate(first, axis=1)
    gathered = np.log(1 + np.sqrt(2 * np.square(both, dtype=np.float32).mean(axis=1)))
    return [*contrasts, *ratios, gathered - contrasts[0], (both < 2).mean(axis=1)]


def _halves(lines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compares the halves of (n, lines), whichever is brighter: a mirror makes no other kind."""
    middle = lines.shape[1] // 2
    return np.abs(lines[:, :middle].mean(axis=1) - lines[:, middle:].mean(axis=1))
