"""Which images show the same, by looking at them."""

from pathlib import Path

import numpy as np

from cancernet.errors import ImageError
from cancernet.images import read_rgb, to_array

SIDE = 32
ALIKE = 0.98


def find_siblings(source: Path, paths: list[str]) -> np.ndarray:
    """Returns the pairs that look alike, int64 (n, 2), the lower place first."""
    vectors = np.zeros((len(paths), SIDE * SIDE), np.float32)
    for place, path in enumerate(paths):
        try:
            grey = to_array(read_rgb(source / path), width=SIDE, height=SIDE).mean(axis=2)
        except ImageError:
            continue
        flat = grey.reshape(-1).astype(np.float32)
        flat -= flat.mean()
        vectors[place] = flat / max(float(np.linalg.norm(flat)), 1e-6)
    alike = np.triu(vectors @ vectors.T > ALIKE, k=1)
    return np.argwhere(alike)
