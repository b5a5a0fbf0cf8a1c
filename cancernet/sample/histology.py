"""Slides of breast tissue in haematoxylin and eosin, with the carcinoma marked."""

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from cancernet.sample.texture import (
    TURN,
    Picture,
    Shape,
    fibres,
    foam,
    generator,
    noise,
    outline,
    scatter,
    smooth,
    soft_step,
    stamp_nuclei,
    top_share,
)

PATCH = 50  # side of a patch in the published data, pixels

# Optical density of haematoxylin and eosin in red, green and blue (Macenko et al. 2009).
STAINS = np.array([[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]])


@dataclasses.dataclass(frozen=True)
class Slide:
    """A drawn slide.

    Attributes:
        origin: row and column of the upper left corner on the scan, multiples of PATCH.
        pixels: uint8 RGB, shape (height, width, 3).
        tissue: where there is tissue, bool, shape (height, width).
        marked: where a coarse hand would have marked carcinoma, same shape.
    """

    origin: tuple[int, int]
    pixels: NDArray[np.uint8]
    tissue: NDArray[np.bool_]
    marked: NDArray[np.bool_]


def draw_slide(seed: int, number: int, prevalence: float) -> Slide:
    """Draws the slide of patient `number`, of whose tissue a share `prevalence` is carcinoma."""
    rng = generator(seed, number)
    biopsy = rng.uniform() < 0.2
    patches = rng.integers((6, 16), (8, 19)) if biopsy else rng.integers((9, 9), (12, 13))
    # Some slides end in the middle of a patch.
    height, width = patches * PATCH + rng.integers(12, 48, 2) * (rng.uniform(0, 1, 2) < 0.3)
    shape = (int(height), int(width))
    tissue = _tissue(rng, shape, biopsy=bool(biopsy))
    carcinoma = _carcinoma(rng, tissue, prevalence)
    fat = noise(rng, shape, 110, 4) - 0.7 * carcinoma
    fat = top_share(fat, rng.uniform(0.02, 0.35), 0.1)
    haematoxylin, eosin = _dyes(rng, carcinoma, fat)
    # Uneven staining: without it the mean colour of a patch would tell its class.
    haematoxylin += 0.25 * (eosin > 0.2) * soft_step(noise(rng, shape, 130, 3), 0.2, 2.5)
    for dye in (haematoxylin, eosin):
        dye *= tissue * np.exp(0.22 * noise(rng, shape, 130, 2))
    origin = rng.integers(2, 30, 2) * PATCH
    return Slide(
        origin=(int(origin[0]), int(origin[1])),
        pixels=_photograph(rng, haematoxylin, eosin),
        tissue=tissue > 0.5,
        marked=smooth(carcinoma, 12) + 0.1 * noise(rng, shape, 90) > 0.5,
    )


def _tissue(rng: np.random.Generator, shape: Shape, *, biopsy: bool) -> Picture:
    """Where there is tissue, 0 to 1: a lump, or the strip of a biopsy, with a ragged edge."""
    # Some tissue runs over the lower or right edge of the scan, as on real slides.
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) - rng.uniform(-0.1, 0.25) for side in shape)
    if biopsy:
        inside = 1 - 1.6 * np.abs(y[:, None] - 0.25 * np.sin(rng.uniform(1, 3) * x))
    else:
        inside = 1 - np.abs(y[:, None]) ** 3 - np.abs(x) ** 3
    return soft_step(inside + 0.2 * noise(rng, shape, 90, 5), 0.12, 0.03)


def _carcinoma(rng: np.random.Generator, tissue: Picture, prevalence: float) -> Picture:
    """Where there is carcinoma, 0 to 1: up to three ragged lumps."""
    if not prevalence:
        return np.zeros(tissue.shape, np.float32)
    height, width = tissue.shape
    score = np.full(tissue.shape, -np.inf, np.float32)
    for _ in range(rng.integers(1, 4)):
        y = np.arange(height, dtype=np.float32)[:, None] - rng.uniform(0.2, 0.8) * height
        x = np.arange(width, dtype=np.float32) - rng.uniform(0.2, 0.8) * width
        score = np.maximum(score, -np.hypot(y, x) / rng.uniform(90, 200))
    score += 0.22 * noise(rng, tissue.shape, 110, 5)
    limit = float(np.quantile(score[tissue > 0.5], 1 - prevalence))
    return soft_step(score, limit, 0.08) * tissue


def _dyes(rng: np.random.Generator, carcinoma: Picture, fat: Picture) -> tuple[Picture, Picture]:
    """Returns how much haematoxylin and eosin the tissue binds at every pixel."""
    shape = (carcinoma.shape[0], carcinoma.shape[1])
    size = rng.uniform(1.0, 1.3)  # mean radius of an ordinary nucleus
    angle = 1.1 * noise(rng, shape, 150, 4) + rng.uniform(0, 3.14)
    streaks = fibres(rng, angle)
    clefts = soft_step(streaks + 0.8 * noise(rng, shape, 45), 2.3, 0.5)
    eosin = (0.62 + 0.13 * streaks + 0.1 * noise(rng, shape, 60, 3)) * (1 - 0.9 * clefts)
    haematoxylin = np.full(shape, 0.08, np.float32)
    nuclei = np.zeros(shape, np.uint8)
    # Connective tissue: thin nuclei along the fibres.
    stroma = rng.uniform(0.15, 0.7) * soft_step(noise(rng, shape, 80, 3), 0, 3)
    points = scatter(rng, stroma * (1 - 0.8 * carcinoma), 4.0)
    along = angle[tuple(points.astype(int))]
    stamp_nuclei(rng, nuclei, points, size=size, stretch=2.2, angle=along)
    _draw_glands(rng, (haematoxylin, eosin, nuclei), (1 - carcinoma) * (1 - fat), size)
    # Carcinoma: crowds of large, uneven, dark or pale nuclei; from sheets to nests and cords.
    growth = noise(rng, shape, rng.uniform(9, 30)) + 0.8 * noise(rng, shape, 50, 3)
    growth = carcinoma * soft_step(growth, rng.uniform(-1.0, -0.2), 0.4)
    eosin *= 1 - 0.35 * growth
    haematoxylin += 0.1 * growth
    atypia = rng.uniform(0.25, 0.6)
    points = scatter(rng, growth * rng.uniform(0.4, 0.8), 1.9 * size * (1 + atypia))
    larger, depth = size * (1 + atypia), rng.uniform(0.8, 1.1)
    stamp_nuclei(rng, nuclei, points, size=larger, depth=depth, spread=0.6 * atypia, stretch=1.25)
    # Fat cells are hollow, with thin pink walls.
    hollow = soft_step(fat, 0.45, 0.3) * soft_step(foam(rng, shape, rng.uniform(11, 16)), 1.1, 1)
    # Lymphocytes: clusters of small, round, dark nuclei, whatever the class.
    crowd = top_share(noise(rng, shape, 45, 3), rng.uniform(0.02, 0.25), 0.6)
    points = scatter(rng, 0.8 * crowd * (1 - fat), 2.4)
    stamp_nuclei(rng, nuclei, points, size=rng.uniform(0.85, 1.0), depth=1.15, stretch=1.0)
    haematoxylin += 0.0125 * nuclei
    return haematoxylin * (1 - hollow), eosin * (1 - hollow)


def _draw_glands(
    rng: np.random.Generator,
    layers: tuple[Picture, Picture, NDArray[np.uint8]],
    room: Picture,
    size: float,
) -> None:
    """Draws ducts where there is room, some filled with carcinoma in situ, which is class 0.

    Changes the layers (haematoxylin, eosin, nuclei); `size` is a nucleus's mean radius.
    """
    haematoxylin, eosin, nuclei = layers
    places = np.argwhere(smooth(room, 8) > 0.85)
    in_situ = rng.uniform(0, 0.5)
    for y, x in rng.permutation(places)[: rng.integers(12, 45)].tolist():
        radius = rng.uniform(5, 20)
        curve = outline(rng, (y, x), radius, 0.1)
        cv2.fillPoly(nuclei, [curve], 0)
        cv2.fillPoly(haematoxylin, [curve], 0.28)
        cv2.fillPoly(eosin, [curve], 0.42)
        cv2.polylines(eosin, [curve], True, 0.85, 2)  # the cuff of collagen
        filled = rng.uniform() < in_situ
        lumen = 0.0 if filled else rng.uniform(0.3, 0.75)
        hollow = np.rint((x, y) + lumen * (curve - (x, y))).astype(np.int32)
        cv2.fillPoly(haematoxylin, [hollow], 0.02)
        cv2.fillPoly(eosin, [hollow], 0.03)
        count = int(0.6 * radius**2 * (1 - lumen**2) / size**2)
        turn = rng.uniform(0, TURN, count)
        away = radius * np.sqrt(rng.uniform((lumen + 0.1) ** 2, 0.9, count))
        points = np.array([[y], [x]]) + away * [np.sin(turn), np.cos(turn)]
        larger = rng.uniform(1.1, 1.4) if filled else 1.0
        stamp_nuclei(rng, nuclei, points, size=size * larger, angle=turn)


def _photograph(
    rng: np.random.Generator, haematoxylin: Picture, eosin: Picture
) -> NDArray[np.uint8]:
    """Shines light through the dyes (Beer-Lambert) and takes a slightly blurred picture.

    Stains, light and blur are those of the patient's laboratory.
    """
    stains = STAINS + rng.normal(0, 0.035, STAINS.shape)
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    stains *= rng.uniform((0.85, 0.8), (1.15, 1.25))[:, None]
    light = rng.uniform(233, 249) + rng.normal(0, 2.5, 3)
    # Chromatin is uneven: what is dark is mottled most.
    mottle = smooth(rng.standard_normal(eosin.shape, dtype=np.float32), 0.6)
    dyes = np.stack([haematoxylin * (1 + 0.14 * mottle), eosin], axis=-1)
    dyes = smooth(dyes, rng.uniform(0.35, 0.65)).astype(np.float32)
    density = np.maximum(dyes @ stains.astype(np.float32), 0)
    grain = 0.5 * rng.standard_normal(density.shape, dtype=np.float32)
    picture = light.astype(np.float32) * np.exp(-density) + grain
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
