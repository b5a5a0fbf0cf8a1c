"""Large arrays in `.npy` files: written piece by piece, read through the page cache."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cancernet.base.files import written_beside


def write_array(
    path: Path, pieces: Iterable[np.ndarray], *, shape: tuple[int, ...], dtype: np.dtype
) -> None:
    """Writes pieces one after the other along the first axis; memory holds one of them.

    Plain writes: on a full disk they raise, where writing to a mapped file would kill
    the process.

    Args:
        path: what stands there is replaced when all is written.
        pieces: together of the given shape.
        shape: of the whole.
        dtype: of the file; the pieces are converted to it.

    Raises:
        OSError: the folder cannot be written or the disk is full.
        ValueError: the pieces do not add up to the shape.
    """
    needed = int(np.prod(shape)) * dtype.itemsize
    if shutil.disk_usage(path.parent).free < needed:
        raise OSError(f"{needed / 1e9:.1f} GB are needed")
    length = 0
    with written_beside(path) as temporary, open(temporary, "wb") as file:
        header = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(file, header)
        for piece in pieces:
            if piece.shape[1:] != shape[1:]:
                raise ValueError(f"a piece of shape {piece.shape} does not fit into {shape}")
            file.write(np.ascontiguousarray(piece, dtype).tobytes())
            length += len(piece)
        if length != shape[0]:
            raise ValueError(f"{length} rows were written where {shape[0]} were expected")


def map_array(path: Path, *, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
    """Maps a file; None where it is missing, cut short, of another shape or type."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:  # NumPy and zipfile raise whatever they like about a damaged file
        return None
    fits = isinstance(array, np.ndarray) and array.shape == shape and array.dtype == dtype
    return array if fits else None
