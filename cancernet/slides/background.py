"""Which part of a slide is glass: bright and without colour, or never scanned."""

import numpy as np
from numpy.typing import NDArray

# A pixel is glass when even its darkest channel is this bright: tissue stained with
# haematoxylin or eosin always takes light out of one. Black is what a scanner left out.
BRIGHT = 210
BLACK = 16
LEAST_TISSUE = 0.1


def is_background(pixels: NDArray[np.uint8]) -> bool:
    """Tells whether less than `LEAST_TISSUE` of a patch (height, width, 3) is tissue."""
    darkest, brightest = pixels.min(axis=-1), pixels.max(axis=-1)
    return bool(((darkest < BRIGHT) & (brightest > BLACK)).mean() < LEAST_TISSUE)
