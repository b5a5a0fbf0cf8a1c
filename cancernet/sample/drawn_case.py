"""What is peculiar to a patient of the drawn sample: stain, scanner and tissue."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from cancernet.sample.drawn_textures import Shape

PATCH = 50  # side of a patch in the published data, pixels

# How a carcinoma grows.
PATTERNS = ("sheet", "nest", "cord", "gland")

# Optical density of the dyes in red, green and blue (Macenko et al. 2009, reference stain).
HAEMATOXYLIN = np.array([0.5626, 0.7201, 0.4062])
EOSIN = np.array([0.2159, 0.8012, 0.5581])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One patient. Shares are parts of the tissue's area, 0 to 1; lengths are pixels.

    Attributes:
        shape: height and width of the slide.
        origin: row and column of its upper left corner on the scan, multiples of PATCH.
        biopsy: a strip cut with a needle instead of an excised lump.
        prevalence: share that is invasive carcinoma.
        pattern: how the carcinoma grows, one of PATTERNS.
        fat: share of fat.
        cellularity: how many nuclei the connective tissue has, 0 to 1.
        inflammation: share with clusters of lymphocytes.
        glands: number of ducts and lobules.
        in_situ: share of the glands that are filled with carcinoma in situ.
        lymphocyte: mean radius of a lymphocyte's nucleus.
        nucleus: mean radius of an ordinary nucleus.
        crowding: how tightly the carcinoma's nuclei lie, 0 to 1.
        atypia: how much larger and more uneven they are than ordinary ones, as a share.
        dyes: optical density of a unit of haematoxylin and of eosin, shape (2, 3).
        light: what the scanner gives for bare glass, shape (3,), 0-255.
        blur: standard deviation of the scanner's blur.
    """

    shape: Shape
    origin: tuple[int, int]
    biopsy: bool
    prevalence: float
    pattern: str
    fat: float
    cellularity: float
    inflammation: float
    glands: int
    in_situ: float
    lymphocyte: float
    nucleus: float
    crowding: float
    atypia: float
    dyes: NDArray[np.float64]
    light: NDArray[np.float64]
    blur: float


def invent_case(rng: np.random.Generator, *, prevalence: float) -> Case:
    """Draws a patient's peculiarities by lot."""
    biopsy = bool(rng.uniform() < 0.2)
    # Rows and columns of patches; some slides end in the middle of one.
    whole = rng.integers((6, 16), (8, 19)) if biopsy else rng.integers((9, 9), (12, 13))
    part = rng.integers(12, 48, 2) * (rng.uniform(0, 1, 2) < 0.3)
    dyes = np.stack([HAEMATOXYLIN, EOSIN]) + rng.normal(0, 0.035, (2, 3))
    dyes /= np.linalg.norm(dyes, axis=1, keepdims=True)
    dyes *= np.array([[rng.uniform(0.85, 1.15)], [rng.uniform(0.8, 1.25)]])
    return Case(
        shape=(int(whole[0] * PATCH + part[0]), int(whole[1] * PATCH + part[1])),
        origin=(int(rng.integers(2, 30)) * PATCH, int(rng.integers(2, 30)) * PATCH),
        biopsy=biopsy,
        prevalence=prevalence,
        pattern=str(rng.choice(PATTERNS)),
        fat=float(rng.uniform(0.02, 0.4)),
        cellularity=float(rng.uniform(0.15, 0.7)),
        inflammation=float(rng.uniform(0.02, 0.22)),
        glands=int(rng.integers(12, 45)),
        in_situ=float(rng.uniform(0, 0.5)),
        lymphocyte=float(rng.uniform(0.85, 1.0)),
        nucleus=float(rng.uniform(1.0, 1.3)),
        crowding=float(rng.uniform(0.4, 0.8)),
        atypia=float(rng.uniform(0.2, 0.55)),
        dyes=dyes,
        light=rng.uniform(233, 249) + rng.normal(0, 2.5, 3),
        blur=float(rng.uniform(0.35, 0.65)),
    )
