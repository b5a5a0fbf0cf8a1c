"""Whether patches lie on one grid: a map's cost is that of the cells between all their edges."""

import numpy as np
from numpy.typing import NDArray

from cancernet.base.errors import CancerNetError

# Patches on a grid make one cell each, and one for every place between them that is empty;
# n patches that lie anyhow make up to (2n)^2.
MOST_CELLS = 4_000_000
CELLS_A_PATCH = 16  # where neighbours overlap by up to three quarters
# Cells that all patches cover together, each counted as often as it is covered.
MOST_COVERED = 10 * MOST_CELLS


def check_grid(boxes: NDArray[np.int64]) -> None:
    """Refuses patches whose map would take gigabytes.

    Args:
        boxes: left, top, width, height of each, shape (patches, 4).

    Raises:
        CancerNetError: their edges cut the slide into too many cells.
    """
    crossed = []
    cells = 1
    for axis in (0, 1):
        start, end = boxes[:, axis], boxes[:, axis] + boxes[:, axis + 2]
        cuts = np.unique(np.concatenate([start, end]))
        crossed.append(np.searchsorted(cuts, end) - np.searchsorted(cuts, start))
        cells *= len(cuts)
    covered = int((crossed[0] * crossed[1]).sum())
    more = CELLS_A_PATCH * len(boxes)
    if cells > MOST_CELLS + more or covered > MOST_COVERED + more:
        raise CancerNetError(
            f"the patches do not lie on one grid: {len(boxes):,} of them cut the slide into "
            f"{cells:,} cells; check the places in their names, or map fewer at once"
        )
