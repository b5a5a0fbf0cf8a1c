"""Pixels of a data set: decoded once into a memory-mapped file, or at every use.

The file lies in the data set's folder as
`.cancernet-pixels/<split>-<size>-<interpolation>-<fingerprint>.npy`: uint8, shape
(images, size, size, 3), in the manifest's order. It may be deleted at any time.
Memory does not grow with the number of images: the operating system keeps the pages
that are in use.
"""

import contextlib
import logging
import shutil
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np

from cancernet.base.console import progress_bar
from cancernet.base.errors import CancerNetError, ImageError
from cancernet.base.files import LockedError, lock, remove_unfinished, written_beside
from cancernet.base.processor import processors
from cancernet.dataset.manifest import OWN_PREFIX, BuiltDataset
from cancernet.runs.run_record import Input
from cancernet.scoring.predictor import prepare

FOLDER = OWN_PREFIX + "-pixels"
# Raise it when the same file is to give other pixels than before.
DECODER_VERSION = 2
CHUNK = 64
FINGERPRINT_DIGITS = 16
BYTE = np.dtype(np.uint8)

_log = logging.getLogger(__name__)


class Pixels(Protocol):
    """Images by their place in a split: `pixels[places]` is uint8 (places, size, size, 3)."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: np.ndarray) -> np.ndarray: ...


class DecodedPixels:
    """Decodes the files at every use; memory holds one batch."""

    def __init__(self, folder: Path, paths: list[str], scaling: Input) -> None:
        """Takes paths relative to the folder; nothing is read yet."""
        self._folder, self._paths, self._scaling = folder, paths, scaling

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        images = np.empty((len(places), self._scaling.height, self._scaling.width, 3), np.uint8)
        for row, place in enumerate(places):
            file = self._folder / self._paths[place]
            try:
                images[row] = prepare(file, self._scaling).pixels
            except ImageError as error:
                raise CancerNetError(f"{file}: {error}; run build_dataset.py again") from None
        return images


class JoinedPixels:
    """Some images of several splits, as a fold has them; the splits are kept separately."""

    def __init__(self, parts: list[Pixels], places: np.ndarray) -> None:
        """Takes the splits in order, and places in all of them one after the other."""
        self._parts = parts
        self._starts = np.cumsum([0, *map(len, parts)])
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        chosen = self._places[places]
        images: np.ndarray | None = None
        for part, start, end in zip(self._parts, self._starts[:-1], self._starts[1:], strict=True):
            rows = np.flatnonzero((chosen >= start) & (chosen < end))
            if not len(rows):
                continue
            found = part[chosen[rows] - start]
            if images is None:
                images = np.empty((len(chosen), *found.shape[1:]), found.dtype)
            images[rows] = found
        if images is None:
            raise IndexError("no image was asked for")
        return images


def open_pixels(dataset: BuiltDataset, split: str, scaling: Input, *, cache: bool) -> Pixels:
    """Returns the pixels of a split, from the file if one exists or can be written.

    `cache` says whether the file may be read and written.

    Raises:
        CancerNetError: an image cannot be read; it is named.
    """
    if cache and dataset.whole is not None:
        return _of_whole(dataset, dataset.whole, split, scaling)
    decoded = DecodedPixels(dataset.folder, dataset.split(split).paths, scaling)
    if not cache or not len(decoded):
        return decoded
    path = cache_path(dataset, split, scaling)
    shape = (len(decoded), scaling.height, scaling.width, 3)
    kept = map_array(path, shape=shape, dtype=BYTE)
    if kept is not None:
        return kept
    reason: object = None
    try:
        write_cache(path, decoded, shape, title=f"Decoding {split} images")
    except OSError as error:
        reason = error.strerror or error
    # Another process may have written it meanwhile, and have removed what this one had begun.
    kept = map_array(path, shape=shape, dtype=BYTE)
    if kept is not None:
        return kept
    if reason is not None:
        _log.warning("Images are decoded in every epoch: they cannot be kept (%s)", reason)
    return decoded


def _of_whole(
    dataset: BuiltDataset, whole: BuiltDataset, split: str, scaling: Input
) -> JoinedPixels:
    """Finds the images of another division among the kept ones of the whole, decoded once."""
    wanted = dataset.split(split).paths
    place_of: dict[str, int] = {}
    kept: list[Pixels] = []
    for name, part in whole.parts.items():
        if set(wanted).isdisjoint(part.paths):
            continue  # of a search, testing is not even decoded
        place_of |= {path: place for place, path in enumerate(part.paths, len(place_of))}
        kept.append(open_pixels(whole, name, scaling, cache=True))
    places = np.array([place_of[path] for path in wanted], np.int64)
    return JoinedPixels(kept, places)


def cache_path(dataset: BuiltDataset, split: str, scaling: Input) -> Path:
    """Returns where the pixels of a split are kept; the name holds all they depend on."""
    key = dataset.fingerprint[:FINGERPRINT_DIGITS]
    name = f"{split}-{scaling.width}-{scaling.interpolation}-v{DECODER_VERSION}-{key}.npy"
    return dataset.folder / FOLDER / name


def write_cache(path: Path, decoded: Pixels, shape: tuple[int, ...], *, title: str) -> None:
    """Decodes every image into the file and removes those of other manifests.

    What a killed process left half-written goes too, unless another is writing just now.

    Raises:
        OSError: the folder cannot be written or the disk is full.
        CancerNetError: an image cannot be read.
    """
    path.parent.mkdir(exist_ok=True)
    with contextlib.ExitStack() as held:
        with contextlib.suppress(LockedError):
            held.enter_context(lock(path.parent / "lock"))
            remove_unfinished(path.parent)
        write_array(path, _decode_in_order(decoded, title), shape=shape, dtype=BYTE)
        split_and_size = path.name.rsplit("-", 1)[0]
        for old in path.parent.glob(f"{split_and_size}-*.npy"):
            if old != path:
                with contextlib.suppress(OSError):
                    old.unlink()


def _decode_in_order(decoded: Pixels, title: str) -> Iterator[np.ndarray]:
    threads = processors()
    starts = range(0, len(decoded), CHUNK)
    under_way: deque[Future[np.ndarray]] = deque()
    with (
        ThreadPoolExecutor(threads) as executor,
        progress_bar(title=title, total=len(decoded)) as bar,
    ):

        def next_done() -> np.ndarray:
            images = under_way.popleft().result()
            bar.update(len(images))
            return images

        try:
            for start in starts:
                places = np.arange(start, min(start + CHUNK, len(decoded)))
                under_way.append(executor.submit(decoded.__getitem__, places))
                if len(under_way) > 2 * threads:
                    yield next_done()
            while under_way:
                yield next_done()
        finally:
            for future in under_way:
                future.cancel()


def write_array(
    path: Path, pieces: Iterable[np.ndarray], *, shape: tuple[int, ...], dtype: np.dtype
) -> None:
    """Writes pieces one after the other along the first axis; memory holds one of them.

    Plain writes raise on a full disk, where writing to a mapped file would kill the process.

    Args:
        path: a file there is replaced when all is written.
        pieces: together of the given shape.
        dtype: the pieces are converted to it.

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
    except Exception:  # NumPy and zipfile raise many kinds for a damaged file
        return None
    fits = isinstance(array, np.ndarray) and array.shape == shape and array.dtype == dtype
    return array if fits else None
