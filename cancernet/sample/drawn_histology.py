"""One drawn slide of breast tissue in haematoxylin and eosin, with its annotation.

Nothing here comes from a photograph. Tissue is laid out as maps of dye (how much
haematoxylin, how much eosin), and light passes through them by the Beer-Lambert law:
`pixel = light * exp(-(haematoxylin * colour_h + eosin * colour_e))`.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from cancernet.sample.drawn_case import Case
from cancernet.sample.drawn_glands import draw_glands
from cancernet.sample.drawn_textures import Picture, noise, rough_noise, smooth, soft_step
from cancernet.sample.drawn_tissue import (
    Dyes,
    connective_tissue,
    draw_carcinoma,
    draw_fat,
    draw_lymphocytes,
)


@dataclasses.dataclass(frozen=True)
class Slide:
    """A drawn slide.

    Attributes:
        origin: row and column of the upper left corner on the scan, pixels.
        pixels: uint8 RGB, shape (height, width, 3).
        tissue: where there is tissue, bool, shape (height, width).
        annotated: where a coarse hand would have marked carcinoma, same shape.
    """

    origin: tuple[int, int]
    pixels: NDArray[np.uint8]
    tissue: NDArray[np.bool_]
    annotated: NDArray[np.bool_]


def draw_slide(rng: np.random.Generator, case: Case) -> Slide:
    """Draws a whole slide of one patient."""
    tissue = _tissue(rng, case)
    carcinoma = _carcinoma(rng, case, tissue)
    fat = _fat(rng, case, carcinoma) * tissue
    turn = np.float32(rng.uniform(0, 3.14))
    angle = np.float32(1.1) * rough_noise(rng, case.shape, 150, 4) + turn
    dyes = connective_tissue(rng, case, angle)
    draw_glands(rng, case, dyes, (1 - carcinoma) * (1 - fat) * tissue)
    draw_carcinoma(rng, case, dyes, carcinoma, angle)
    draw_fat(rng, case, dyes, fat)
    draw_lymphocytes(rng, case, dyes, tissue * (1 - fat))
    pixels = _photograph(rng, case, _stain_unevenly(rng, dyes, tissue))
    return Slide(case.origin, pixels, tissue > 0.5, _annotate(rng, carcinoma))


def _tissue(rng: np.random.Generator, case: Case) -> Picture:
    """Where there is tissue at all, 0 to 1: a lump or a strip with a ragged edge."""
    height, width = case.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    # Some tissue runs over the lower or right edge of the scan, as on real slides.
    y, x = (
        2 * part / side - 1 - np.float32(rng.uniform(-0.1, 0.25))
        for part, side in ((y, height), (x, width))
    )
    if case.biopsy:
        middle = np.float32(0.25) * np.sin(x * np.float32(rng.uniform(1, 3)))
        inside = 1 - np.abs(y - middle) * np.float32(1.6)
    else:
        inside = 1 - (np.abs(y) ** 3 + np.abs(x) ** 3)
    return soft_step(inside + np.float32(0.2) * rough_noise(rng, case.shape, 90, 5), 0.12, 0.03)


def _carcinoma(rng: np.random.Generator, case: Case, tissue: Picture) -> Picture:
    """Where there is carcinoma, 0 to 1: up to three ragged lumps of the wanted area."""
    height, width = case.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    score = np.full(case.shape, -np.inf, np.float32)
    for _ in range(rng.integers(1, 4)):
        top, left = rng.uniform(0.2, 0.8) * height, rng.uniform(0.2, 0.8) * width
        away = np.hypot(y - np.float32(top), x - np.float32(left))
        score = np.maximum(score, -away / np.float32(rng.uniform(90, 200)))
    score += np.float32(0.22) * rough_noise(rng, case.shape, 110, 5)
    if not case.prevalence:
        return np.zeros(case.shape, np.float32)
    limit = float(np.quantile(score[tissue > 0.5], 1 - case.prevalence))
    return soft_step(score, limit, 0.08) * tissue


def _fat(rng: np.random.Generator, case: Case, carcinoma: Picture) -> Picture:
    """Where there is fat, 0 to 1; carcinoma has eaten most of its own."""
    score = rough_noise(rng, case.shape, 110, 4)
    limit = float(np.quantile(score, 1 - case.fat))
    return soft_step(score - np.float32(0.7) * carcinoma, limit, 0.1)


def _stain_unevenly(rng: np.random.Generator, dyes: Dyes, tissue: Picture) -> Dyes:
    """Lets each dye take more or less from place to place, as uneven sections do.

    Without this the mean colour of a patch would tell its class.
    """
    shape = tissue.shape
    wash = np.float32(0.17) * soft_step(rough_noise(rng, shape, 130), 0.2, 2.5)
    haematoxylin, eosin = (
        layer * np.exp(np.float32(0.22) * rough_noise(rng, shape, 130, 2)) * tissue
        for layer in (dyes.haematoxylin + wash * (dyes.eosin > 0.2), dyes.eosin)
    )
    return Dyes(haematoxylin, eosin)


def _photograph(rng: np.random.Generator, case: Case, dyes: Dyes) -> NDArray[np.uint8]:
    """Shines light through the dyes; returns uint8 RGB with the scanner's blur and grain."""
    # Chromatin is uneven: what is dark already is mottled most.
    mottle = smooth(rng.standard_normal(case.shape, dtype=np.float32), 0.6)
    haematoxylin = smooth(dyes.haematoxylin * (1 + np.float32(0.14) * mottle), case.blur)
    eosin = smooth(dyes.eosin, case.blur)
    pixels = np.empty((*case.shape, 3), np.uint8)
    for channel in range(3):
        blue, pink = case.dyes[:, channel].astype(np.float32)
        density = np.maximum(haematoxylin * blue + eosin * pink, 0)
        light = np.float32(case.light[channel]) * np.exp(-density)
        # More grain than this would only make the files larger.
        light += np.float32(0.5) * rng.standard_normal(case.shape, dtype=np.float32)
        pixels[..., channel] = np.clip(np.rint(light), 0, 255)
    return pixels


def _annotate(rng: np.random.Generator, carcinoma: Picture) -> NDArray[np.bool_]:
    """Marks the carcinoma as coarsely as a hand on an overview would."""
    unsteady = np.float32(0.1) * noise(rng, carcinoma.shape, 90)
    return smooth(carcinoma, 12) + unsteady > 0.5
