"""Finds pictures that are one picture turned about its middle, mirrored, or of other contrast.

Some sets were multiplied before they were published: turned in steps of a few degrees
with the corners cut off, mirrored, their contrast equalised, and the names lost.
`near_duplicates` knows quarter turns and crops; here the angle may be any, but the
middle must stay the middle.

A turn about the middle leaves the disc that fits into the picture whole. In polar
coordinates it is a shift along the angle, and mirroring a reversal, so the best
correlation over all turns is read off a Fourier transform along the angle (as in
Reddy & Chatterji 1996, doi:10.1109/83.506761). Before that, brightness and contrast are
made the same everywhere by the mean and the spread of a pixel's surroundings.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.errors import CancerNetError, ImageError
from cancernet.lookalike.near_duplicates import connected
from cancernet.lookalike.pictures import read_grey, spread

SIDE = 224  # pixels a side to which pictures are brought
SMOOTH, SURROUNDINGS, WIDER = 1.0, 4.0, 8.0  # standard deviations, pixels
NOISE = 2.0  # grey levels; structure below this is not raised
RADII, ANGLES = 24, 192  # 192: turns by 30, 45 and 90 degrees are whole steps
REACH = 0.96  # of the disc's radius

# Correlations. Variants of one mammogram reach 0.86, different mammograms at most 0.53
# (benchmarks/sibling_grouping.py --correlations --variants 4); in between nothing was seen.
ALIKE = 0.65
# The same without regard to the angle, to pass over most pairs cheaply: variants reach
# 0.92, of different mammograms one pair in a hundred 0.81.
WORTH_A_LOOK = 0.85

LARGEST = 20_000  # pictures; a pair costs little, but there are n * n of them
CHUNK = 64
ROWS = 256
PAIRS = 2048

Ticker = Callable[[int], Any]


def group_siblings(
    paths: Sequence[Path | str],
    *,
    processes: int | None = None,
    progress: Ticker = lambda done: None,
) -> np.ndarray:
    """Returns int64 (n,): a group number for each picture, 0 upwards by first appearance.

    Two pictures are in one group when a chain of turned or mirrored ones connects them.

    Args:
        paths: of image files; those that cannot be read are alone.
        processes: how many; one for each processor if None.
        progress: told how many more pictures were looked at.

    Raises:
        CancerNetError: more than `LARGEST`.
    """
    if len(paths) > LARGEST:
        raise CancerNetError(
            f"{len(paths):,} images are too many to look for those that belong together (at most "
            f"{LARGEST:,}); say with --group-by REGEX which are of one patient"
        )
    discs = np.zeros((len(paths), ANGLES, RADII), np.float32)
    chunks = ([str(path) for path in paths[i : i + CHUNK]] for i in range(0, len(paths), CHUNK))
    with contextlib.closing(spread(_discs, chunks, len(paths), processes)) as results:
        for place, found in results:
            discs[place * CHUNK : place * CHUNK + len(found)] = found
            progress(len(found))
    return _groups(discs)


def disc(grey: np.ndarray) -> np.ndarray:
    """Describes the disc in the middle of a picture.

    Args:
        grey: float32 (height, width), 0-255.

    Returns:
        float32 (ANGLES, RADII) of norm 1, or all 0 for a picture without structure.
    """
    import cv2

    height, width = grey.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = np.ascontiguousarray(grey[top : top + side, left : left + side], np.float32)
    way = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    square = np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=way))
    detail = cv2.GaussianBlur(square, (0, 0), SMOOTH)
    detail = detail - cv2.GaussianBlur(detail, (0, 0), SURROUNDINGS)
    variance = cv2.GaussianBlur(detail * detail, (0, 0), WIDER)
    even = detail / np.sqrt(variance + np.float32(NOISE) ** 2)
    middle = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    polar = cv2.warpPolar(even, (RADII, ANGLES), middle, REACH * SIDE / 2, cv2.INTER_LINEAR)
    # A ring's weight is its area.
    polar = np.asarray(polar) * np.sqrt((np.arange(RADII, dtype=np.float32) + 0.5) / RADII)
    polar = polar - polar.mean()
    norm = float(np.linalg.norm(polar))
    return (polar / norm if norm > 1e-3 else np.zeros_like(polar)).astype(np.float32)


def correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the best correlation of pairs of spectra over all turns and both mirrorings.

    Args:
        first, second: complex (pairs, frequencies, RADII), transforms of discs.
    """
    plain = np.einsum("pfr,pfr->pf", first.conj(), second)
    mirrored = np.einsum("pfr,pfr->pf", first, second)
    best = [np.fft.irfft(cross, ANGLES, axis=1).max(axis=1) for cross in (plain, mirrored)]
    return np.maximum(*best)


def _discs(chunk: list[str]) -> np.ndarray:
    found = np.zeros((len(chunk), ANGLES, RADII), np.float32)
    for place, path in enumerate(chunk):
        with contextlib.suppress(ImageError):
            found[place] = disc(read_grey(path, 2 * SIDE))
    return found


def _groups(discs: np.ndarray) -> np.ndarray:
    """Groups the discs; a pair that earlier pairs connect is not compared any more."""
    spectra = np.fft.rfft(discs, axis=1).astype(np.complex64)
    links = np.zeros((0, 2), np.int64)
    group = np.arange(len(discs))
    for pairs in _worth_a_look(_lengths(spectra)):
        pairs = pairs[group[pairs[:, 0]] != group[pairs[:, 1]]]
        alike = correlation(spectra[pairs[:, 0]], spectra[pairs[:, 1]]) >= ALIKE
        if alike.any():
            links = np.concatenate([links, pairs[alike]])
            group = connected(len(discs), links)
    return group


def _lengths(spectra: np.ndarray) -> np.ndarray:
    """What a turn does not change, float32 (n, frequencies * RADII) of norm 1."""
    weight = np.full(spectra.shape[1], np.sqrt(2.0), np.float32)
    weight[[0, -1]] = 1.0  # the others stand for a frequency and its negative
    lengths = np.abs(spectra) * (weight / np.sqrt(np.float32(ANGLES)))[None, :, None]
    return np.asarray(lengths.reshape(len(spectra), -1), np.float32)


def _worth_a_look(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Gives pairs (k, 2), the lower place first, that may be siblings."""
    for begin in range(0, len(lengths), ROWS):
        near = lengths[begin : begin + ROWS] @ lengths[begin:].T >= WORTH_A_LOOK
        pairs = np.argwhere(np.triu(near, k=1)) + begin
        for start in range(0, len(pairs), PAIRS):
            yield pairs[start : start + PAIRS]
