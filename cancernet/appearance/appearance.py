"""Describes the training images in run.json, so that images unlike them are noticed.

An image is a point in the space of its `MEASURES`: 30 numbers of brightness, colour, contrast,
layout and size. They are taken at about a thousand points of what the network sees, which costs
little compared with scoring. Each is measured from the training images' typical value in units of
their spread; then all are turned and scaled so that the training images vary equally in every
direction (Mahalanobis). What counts is the distance to the nearest of a few dozen reference
points, since histology (fat, stroma, tumour) is not one cloud.
"""

import base64
import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cancernet.base.records import Record

GRID = 32  # points that are looked at along each side, about
QUANTILES = (2, 25, 50, 75, 98)  # per cent of the points
DISTANCES = (1, 2, 4, 8)  # pixels between two points whose green is compared
COMPARED = (1, 4)  # of these, those at which contrast across is compared with contrast down
FURTHEST = 20.0  # spreads; one odd measure must not decide alone


@dataclasses.dataclass(frozen=True)
class Measure:
    """One of the numbers.

    Attributes:
        name: what it is, with its unit where it has one.
        least: the smallest spread that counts. However alike the training images are, an image
            that differs by this much is not yet unusual.
    """

    name: str
    least: float


# Neither a coloured label nor twice the size makes a grey scan an image of another kind.
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Appearance(Record):
    """What the training images of a run look like.

    Attributes:
        typical: measure -> median of the training images.
        spread: measure -> how much they differ in it; never less than its `least`.
        turn: matrix that makes them vary alike in every direction, as `packed` text.
        references: points among them, after the turn, as `packed` text.
        threshold: distance to the nearest reference beyond which an image is unlike them.
        images: number of training images that were described.

    Raises:
        ValueError: numbers that no fit gives.
    """

    typical: Mapping[str, float]
    spread: Mapping[str, float]
    turn: str
    references: str
    threshold: float
    images: int

    def __post_init__(self) -> None:
        values = [*self.typical.values(), *self.spread.values(), self.threshold]
        if list(self.typical) != list(self.spread) or not all(map(math.isfinite, values)):
            raise ValueError("`typical` and `spread` must have a finite number for each measure")
        if min(self.spread.values(), default=0.0) <= 0 or self.threshold <= 0:
            raise ValueError("`spread` and `threshold` must be above 0")
        if len(self._turn) != len(self.typical) or not len(self._references):
            raise ValueError("`turn` must be square and `references` not empty")

    @property
    def is_known(self) -> bool:
        """Whether it was made of the measures that this version takes."""
        return list(self.typical) == [each.name for each in MEASURES]

    def unlike(
        self, pixels: NDArray[np.uint8], sizes: Sequence[tuple[int, int]]
    ) -> list[bool | None]:
        """Tells which images, as `measure` takes them, are of another kind; None: not known."""
        if not self.is_known:
            return [None] * len(pixels)
        found: list[bool | None] = (
            self.distances(measure(pixels, sizes)) > self.threshold
        ).tolist()
        return found

    def distances(self, measured: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the distance of each row of `measure` from the nearest reference, (n,)."""
        typical, spread = (np.array(list(each.values())) for each in (self.typical, self.spread))
        apart = np.clip((measured - typical) / spread, -FURTHEST, FURTHEST) @ self._turn
        squares = ((apart[:, None] - self._references) ** 2).sum(axis=2)
        return np.sqrt(squares.min(axis=1))

    @functools.cached_property
    def _turn(self) -> NDArray[np.float32]:
        return unpacked(self.turn, columns=len(self.typical))

    @functools.cached_property
    def _references(self) -> NDArray[np.float32]:
        return unpacked(self.references, columns=len(self.typical))


def packed(matrix: NDArray[np.floating]) -> str:
    """Returns a matrix as text: its rows as little-endian float32 in base64."""
    return base64.b64encode(matrix.astype("<f4").tobytes()).decode()


def unpacked(text: str, *, columns: int) -> NDArray[np.float32]:
    """Returns the matrix of a `packed` text.

    Raises:
        ValueError: the text is not such a matrix, or a value is not a finite number.
    """
    values = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    matrix = values.reshape(-1, columns)
    if not np.isfinite(matrix).all():
        raise ValueError("a matrix holds what is not a finite number")
    return matrix


def measure(pixels: NDArray[np.uint8], sizes: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Measures images.

    Args:
        pixels: as the network sees them, RGB 0-255, (n, height, width, 3), sides of 2 or more.
        sizes: width and height of each image before it was scaled, pixels.

    Returns:
        (n, 30), a column for each of `MEASURES`.
    """
    down, across = (max(1, round(side / GRID)) for side in pixels.shape[1:3])
    points = np.moveaxis(pixels[:, ::down, ::across], -1, 0)
    red, green, blue = np.ascontiguousarray(points).astype(np.float32)
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
    ordered = np.sort(grey.astype(np.int16), axis=1)  # nine times as quick as of uint8
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
    """Measures how much the points of (n, height, width) differ from those near them."""
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
    """Compares the halves of (n, lines) regardless of side: mirroring makes no other kind."""
    middle = lines.shape[1] // 2
    return np.abs(lines[:, :middle].mean(axis=1) - lines[:, middle:].mean(axis=1))
