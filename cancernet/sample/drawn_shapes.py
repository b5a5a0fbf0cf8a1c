"""Wavy closed curves: the outlines of glands, lumps and masses."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

TURN = 2 * np.pi


@dataclasses.dataclass(frozen=True)
class Outline:
    """A curve around (y, x): a circle of `radius` pixels with waves on it.

    Attributes:
        waves: one row for each wave: how many around, height as a share, phase.
    """

    y: float
    x: float
    radius: float
    waves: NDArray[np.float64]

    def at(self, angle: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the distance of the curve from its centre in these directions, radians."""
        count, height, phase = self.waves.T[:, :, None]
        swing = (height * np.sin(count * angle.ravel() + phase)).sum(axis=0)
        return np.asarray(self.radius * (1 + swing)).reshape(angle.shape)

    def distance(
        self, y: NDArray[np.intp], x: NDArray[np.intp], *, squeeze: float = 1.0
    ) -> NDArray[np.float64]:
        """Returns how far points lie from the centre, as a multiple of the curve's distance.

        Args:
            y: rows of the points.
            x: columns of the points.
            squeeze: height of the curve by its width; below 1 it lies, above it stands.
        """
        dy, dx = (y - self.y) / np.sqrt(squeeze), (x - self.x) * np.sqrt(squeeze)
        return np.hypot(dy, dx) / self.at(np.arctan2(dy, dx))


def outline(
    rng: np.random.Generator,
    y: float,
    x: float,
    radius: float,
    waviness: float,
    *,
    counts: tuple[int, ...] = (2, 3, 5),
) -> Outline:
    """Returns a curve with so many waves around, their heights random up to `waviness`."""
    number = len(counts)
    waves = np.stack(
        [
            np.array(counts, dtype=np.float64),
            rng.uniform(0, waviness, number),
            rng.uniform(0, TURN, number),
        ],
        axis=1,
    )
    return Outline(y, x, radius, waves)
