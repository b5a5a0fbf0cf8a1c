"""Connective tissue, fat, lymphocytes and carcinoma as maps of dye on a slide."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from cancernet.sample.drawn_case import Case
from cancernet.sample.drawn_textures import (
    Picture,
    cell_walls,
    fibres,
    noise,
    rough_noise,
    scatter,
    smooth,
    soft_step,
    stamp,
)


@dataclasses.dataclass(frozen=True)
class Dyes:
    """How much of each dye is bound at every pixel; both (height, width), changed in place."""

    haematoxylin: Picture
    eosin: Picture


def connective_tissue(rng: np.random.Generator, case: Case, angle: Picture) -> Dyes:
    """Returns a slide full of pink fibres, with clefts between and thin nuclei along them.

    Args:
        rng: source of every random number.
        case: the patient.
        angle: direction of the fibres at every pixel, radians.
    """
    streaks = fibres(rng, angle)
    density = rough_noise(rng, case.shape, 60)
    eosin = np.float32(0.62) + np.float32(0.13) * streaks + np.float32(0.1) * density
    clefts = soft_step(streaks + np.float32(0.8) * noise(rng, case.shape, 45), 2.3, 0.5)
    eosin *= 1 - np.float32(0.9) * clefts
    haematoxylin = np.float32(0.06) + np.float32(0.05) * soft_step(density, 0, 2)
    crowd = np.float32(case.cellularity) * soft_step(rough_noise(rng, case.shape, 80), 0, 3)
    y, x = scatter(rng, crowd, 4.0)
    direction = angle[y.astype(np.intp), x.astype(np.intp)]
    draw_nuclei(rng, haematoxylin, y, x, size=case.nucleus, stretch=2.2, angle=direction)
    return Dyes(haematoxylin, eosin)


def draw_carcinoma(
    rng: np.random.Generator, case: Case, dyes: Dyes, carcinoma: Picture, angle: Picture
) -> None:
    """Draws crowds of large, dark, uneven nuclei that push the fibres aside.

    Args:
        rng: source of every random number.
        case: the patient.
        dyes: the slide.
        carcinoma: where it is, 0 to 1 at every pixel.
        angle: direction of the fibres, which cords of cells follow.
    """
    growth = _growth(rng, case, angle) * carcinoma
    body = smooth(growth, 1.2)
    dyes.eosin[:] = dyes.eosin * (1 - np.float32(0.35) * body) + np.float32(0.04) * carcinoma
    # What stood here is grown over.
    dyes.haematoxylin[:] = dyes.haematoxylin * (1 - np.float32(0.8) * body)
    dyes.haematoxylin[:] += np.float32(0.1) * body
    size = case.nucleus * (1 + case.atypia)
    y, x = scatter(rng, growth * np.float32(case.crowding), size * 1.9)
    draw_nuclei(rng, dyes.haematoxylin, y, x, size=size, stretch=1.25, spread=case.atypia * 0.6)


def _growth(rng: np.random.Generator, case: Case, angle: Picture) -> Picture:
    """Where in the carcinoma its cells lie, 0 to 1, by the pattern in which it grows."""
    loose = np.float32(0.8) * rough_noise(rng, case.shape, 50)
    if case.pattern == "sheet":
        return soft_step(loose + rough_noise(rng, case.shape, 14), -1.0, 0.3)
    if case.pattern == "nest":
        return soft_step(cell_walls(rng, case.shape, 17) + loose, 1.2, 0.8)
    if case.pattern == "cord":
        return soft_step(fibres(rng, angle) + noise(rng, case.shape, 7) + loose, 0.1, 0.3)
    rings = cell_walls(rng, case.shape, 13)
    return soft_step(rings + loose, 1.0, 0.5) * (1 - soft_step(rings, 3.6, 0.5))


def draw_fat(rng: np.random.Generator, case: Case, dyes: Dyes, fat: Picture) -> None:
    """Empties fat cells where there is fat (0 to 1) and leaves their thin pink walls."""
    walls = cell_walls(rng, case.shape, rng.uniform(11, 16))
    whole = np.float32(0.5) + np.float32(0.25) * noise(rng, case.shape, 30)
    hollow = soft_step(walls, 0.6, 0.7) * soft_step(fat, 0.45, 0.3) * soft_step(whole, 0.05, 0.2)
    dyes.eosin[:] = dyes.eosin * (1 - hollow) + np.float32(0.015) * hollow
    dyes.haematoxylin[:] = dyes.haematoxylin * (1 - hollow)


def draw_lymphocytes(rng: np.random.Generator, case: Case, dyes: Dyes, room: Picture) -> None:
    """Draws clusters of small, round, dark nuclei where there is room, whatever the class."""
    score = rough_noise(rng, case.shape, 45, 3)
    limit = float(np.quantile(score, 1 - case.inflammation))
    crowd = soft_step(score, limit, 0.6) * room * np.float32(0.8)
    y, x = scatter(rng, crowd, 2.4)
    draw_nuclei(rng, dyes.haematoxylin, y, x, size=case.lymphocyte, stretch=1.0, depth=1.4)


def draw_nuclei(
    rng: np.random.Generator,
    canvas: Picture,
    y: NDArray[np.float32],
    x: NDArray[np.float32],
    *,
    size: float,
    stretch: float,
    spread: float = 0.12,
    depth: float = 1.25,
    angle: NDArray[np.float32] | None = None,
) -> None:
    """Draws one nucleus at every point.

    Args:
        rng: source of every random number.
        canvas: haematoxylin at every pixel, changed in place.
        y: rows of the nuclei.
        x: columns of the nuclei.
        size: mean radius, pixels.
        stretch: how many times as long as wide.
        spread: how unlike one another they are, standard deviation as a share.
        depth: how much dye they bind on average.
        angle: their directions, radians; by lot if None.
    """
    count = y.size
    radius = size * np.exp(rng.normal(0, spread, count))
    ratio = np.sqrt(stretch * np.exp(rng.normal(0, spread, count)))
    if angle is None:
        angle = rng.uniform(0, 3.14, count).astype(np.float32)
    stamp(
        canvas,
        y,
        x,
        long=(radius * ratio).astype(np.float32),
        short=(radius / ratio).astype(np.float32),
        angle=angle,
        depth=rng.normal(depth, 0.15 + spread * 0.5, count).clip(0.5, 2.2).astype(np.float32),
        dent=rng.uniform(0, spread, count).astype(np.float32),
    )
