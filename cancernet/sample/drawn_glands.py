"""Ducts, lobules and ducts filled with carcinoma in situ, as drawn on a slide."""

import numpy as np
from numpy.typing import NDArray

from cancernet.sample.drawn_case import Case
from cancernet.sample.drawn_shapes import TURN, Outline, outline
from cancernet.sample.drawn_textures import Picture, smooth
from cancernet.sample.drawn_tissue import Dyes, draw_nuclei


def draw_glands(rng: np.random.Generator, case: Case, dyes: Dyes, room: Picture) -> None:
    """Draws a patient's glands where there is room for them (0 to 1 at every pixel)."""
    places = np.flatnonzero(smooth(room, 8) > 0.85)
    if not places.size:
        return
    for place in rng.choice(places, case.glands):
        y, x = divmod(int(place), case.shape[1])
        if rng.uniform() < case.in_situ:
            curve = outline(rng, y, x, rng.uniform(9, 22), 0.07)
            draw_filled_duct(rng, dyes, curve, nucleus=case.nucleus)
        elif rng.uniform() < 0.5:
            draw_lobule(rng, dyes, y, x, nucleus=case.nucleus)
        else:
            curve = outline(rng, y, x, rng.uniform(7, 20), 0.14)
            lumen = rng.uniform(0.45, 0.8)
            draw_tube(rng, dyes, curve, lumen=lumen, nucleus=case.nucleus, layers=2)


def draw_lobule(
    rng: np.random.Generator, dyes: Dyes, y: float, x: float, *, nucleus: float
) -> None:
    """Draws a cluster of small round acini in pale, loose stroma."""
    size = rng.uniform(12, 26)
    window, distance = _polar(dyes, outline(rng, y, x, size * 1.25, 0.1))
    inside = distance < 1
    dyes.eosin[window][inside] *= np.float32(0.75)
    dyes.haematoxylin[window][inside] += np.float32(0.06)
    for _ in range(int(size * size / 26)):
        turn, away = rng.uniform(0, TURN), size * np.sqrt(rng.uniform(0, 1))
        curve = outline(
            rng, y + away * np.sin(turn), x + away * np.cos(turn), rng.uniform(2.8, 5), 0.1
        )
        draw_tube(rng, dyes, curve, lumen=rng.uniform(0.15, 0.45), nucleus=nucleus, layers=1)


def draw_tube(
    rng: np.random.Generator,
    dyes: Dyes,
    curve: Outline,
    *,
    lumen: float,
    nucleus: float,
    layers: int,
) -> None:
    """Draws rings of nuclei in order around a hollow that takes `lumen` of the radius."""
    window, distance = _polar(dyes, curve)
    _collagen(dyes, window, distance, curve.radius)
    wall, hollow = distance < 1, distance < lumen
    dyes.eosin[window][wall] = np.float32(0.42)
    dyes.haematoxylin[window][wall] = np.float32(0.28)
    dyes.eosin[window][hollow] = np.float32(0.03)
    dyes.haematoxylin[window][hollow] = np.float32(0.02)
    for layer in range(layers):
        share = 0.92 - (1 - lumen) * 0.5 * layer if layers > 1 else (1 + lumen) / 2
        count = int(TURN * curve.radius * share / (2.1 * nucleus))
        angle = np.arange(count) * (TURN / max(count, 1)) + rng.normal(0, 0.06, count)
        radius = curve.at(angle) * share
        # The basal nuclei lie flat on the rim, the luminal ones stand on it.
        tilt = angle + (np.pi / 2 if layer == 0 and layers > 1 else 0.0)
        _nuclei(rng, dyes, curve, angle, radius, tilt, size=nucleus, spread=0.1)


def draw_filled_duct(
    rng: np.random.Generator, dyes: Dyes, curve: Outline, *, nucleus: float
) -> None:
    """Draws a duct stuffed with large nuclei inside a smooth rim: not invasive, so class 0."""
    window, distance = _polar(dyes, curve)
    _collagen(dyes, window, distance, curve.radius)
    inside = distance < 1
    dyes.eosin[window][inside] = np.float32(0.45)
    dyes.haematoxylin[window][inside] = np.float32(0.3)
    rim = 0.0
    if curve.radius > 13 and rng.uniform() < 0.6:
        rim = rng.uniform(0.3, 0.5)
        dead = distance < rim
        dyes.eosin[window][dead] = np.float32(1.05)
        dyes.haematoxylin[window][dead] = np.float32(0.15)
    size = nucleus * rng.uniform(1.1, 1.4)
    count = int(np.pi * curve.radius**2 * (1 - rim**2) / (4.2 * size * size))
    angle = rng.uniform(0, TURN, count)
    radius = curve.at(angle) * np.sqrt(rng.uniform(rim**2, 0.94, count))
    _nuclei(rng, dyes, curve, angle, radius, rng.uniform(0, TURN, count), size=size, spread=0.18)


def _collagen(
    dyes: Dyes, window: tuple[slice, slice], distance: NDArray[np.float64], radius: float
) -> None:
    """Lays a denser pink cuff, about 3 pixels wide, around a gland."""
    cuff = (distance >= 1) & (distance < 1 + 3 / radius)
    dyes.eosin[window][cuff] += np.float32(0.22)


def _polar(dyes: Dyes, curve: Outline) -> tuple[tuple[slice, slice], NDArray[np.float64]]:
    """Returns the window around a curve and, in it, distance as a multiple of the curve's."""
    reach = int(curve.radius * 1.6) + 4
    bounds = []
    for centre, limit in zip((curve.y, curve.x), dyes.eosin.shape, strict=True):
        # A gland may lie beyond the edge altogether: then the window is empty.
        first, last = np.clip([int(centre) - reach, int(centre) + reach], 0, limit)
        bounds.append(slice(int(first), int(last)))
    window = (bounds[0], bounds[1])
    return window, curve.distance(*np.mgrid[window])


def _nuclei(
    rng: np.random.Generator,
    dyes: Dyes,
    curve: Outline,
    angle: NDArray[np.float64],
    radius: NDArray[np.float64],
    tilt: NDArray[np.float64],
    *,
    size: float,
    spread: float,
) -> None:
    draw_nuclei(
        rng,
        dyes.haematoxylin,
        (curve.y + radius * np.sin(angle)).astype(np.float32),
        (curve.x + radius * np.cos(angle)).astype(np.float32),
        size=size,
        stretch=1.4,
        spread=spread,
        angle=tilt.astype(np.float32),
    )
