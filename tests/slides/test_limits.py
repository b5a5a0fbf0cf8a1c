"""How many cells patches may cut a slide into: exactly the limit, and one more."""

import numpy as np
import pytest

from cancernet.base.errors import CancerNetError
from cancernet.slides import cells


def row_of(count, *, width=1, step=1):
    """Patches in one row, touching unless the step is larger."""
    left = np.arange(count) * step
    ones = np.ones(count, np.int64)
    return np.stack([left, 0 * left, width * ones, ones], axis=1)


def cuts_of(boxes):
    """The cuts across times the cuts down, as the message counts cells."""
    return np.prod(
        [
            len(np.unique(np.concatenate([boxes[:, axis], boxes[:, axis] + boxes[:, axis + 2]])))
            for axis in (0, 1)
        ]
    )


def test_as_many_cells_as_the_limit_pass(monkeypatch):
    boxes = row_of(10, step=3)  # 20 cuts across, 2 down
    cut = cuts_of(boxes)
    assert cut == 40
    monkeypatch.setattr(cells, "CELLS_A_PATCH", 1)
    monkeypatch.setattr(cells, "MOST_CELLS", cut - len(boxes))
    cells.check_grid(boxes)
    monkeypatch.setattr(cells, "MOST_CELLS", cut - len(boxes) - 1)
    with pytest.raises(CancerNetError, match="10 of them cut the slide into 40 cells"):
        cells.check_grid(boxes)


def test_as_much_overlap_as_the_limit_passes(monkeypatch):
    boxes = row_of(10, width=4)  # each covers four of the thirteen cells
    monkeypatch.setattr(cells, "CELLS_A_PATCH", 1)
    monkeypatch.setattr(cells, "MOST_COVERED", 40 - len(boxes))
    cells.check_grid(boxes)
    monkeypatch.setattr(cells, "MOST_COVERED", 40 - len(boxes) - 1)
    with pytest.raises(CancerNetError, match="do not lie on one grid"):
        cells.check_grid(boxes)
