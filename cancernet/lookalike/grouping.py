"""Groups images that show the same, where no name says so.

Some sets were multiplied before they were published: turned in steps of a few degrees
with the corners cut off, mirrored, their contrast equalised, and the names lost.
`near_duplicates` finds quarter turns and crops; `group_siblings` finds any angle, but the
middle must stay the middle.

A turn about the middle leaves the disc that fits into the picture whole. In polar
coordinates it is a shift along the angle, and mirroring a reversal, so the best
correlation over all turns is read off a Fourier transform along the angle (as in
Reddy & Chatterji 1996, doi:10.1109/83.506761). Before that, the mean and the spread of a
pixel's surroundings make brightness and contrast the same everywhere.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cancernet.base.errors import CancerNetError, ImageError
from cancernet.base.parallel import spread
from cancernet.catalog import Dataset
from cancernet.dataset.find_leaks import families
from cancernet.dataset.images import Images
from cancernet.dataset.notices import Notice, NoticeKind
from cancernet.lookalike.near_duplicates import connected, find_near_duplicates, step_bars
from cancernet.lookalike.pictures import read_grey

# Raise it whenever the same images give other groups: sets are then built again.
VERSION = 4
EXAMPLES = 3

SIDE = 224  # pixels a side to which pictures are brought
SMOOTH, SURROUNDINGS, WIDER = 1.0, 4.0, 8.0  # standard deviations, pixels
NOISE = 2.0  # grey levels; structure below this is not raised
RADII, ANGLES = 24, 192  # 192: turns by 30, 45 and 90 degrees are whole steps
REACH = 0.96  # of the disc's radius

# Correlations. Variants of one mammogram reach 0.86, different mammograms at most 0.53
# (benchmarks/sibling_grouping.py --correlations --variants 4); in between nothing was seen.
ALIKE = 0.65
# The same without regard to the angle, to skip most pairs cheaply: variants reach 0.92,
# one pair in a hundred of different mammograms 0.81.
WORTH_A_LOOK = 0.85

LARGEST = 20_000  # pictures; a pair costs little, but there are n * n of them
CHUNK = 64
ROWS = 256
PAIRS = 2048


def group_by_content(source: Path, images: Images) -> Images:
    """Joins images that show the same, and whatever the names join already.

    Copies by their names (`scan7_rot90`) are joined too: comparing does not find every change.
    A file that cannot be read stays alone.

    Args:
        source: folder as downloaded.
        images: of it; `patients` as far as names tell.

    Returns:
        The same images; `patients` are the groups, named by their first image.

    Raises:
        CancerNetError: there are too many to compare each with each.
    """
    paths = [source / path for path in images.sources]
    with step_bars() as progress:
        turned = group_siblings(
            paths, progress=lambda done: progress("looking for turned images", done, len(paths))
        )
    family, _ = families(images.sources, images.label)
    alone = np.arange(len(paths)) - len(paths)  # numbers that no family has
    copies = np.where(family < 0, alone, family)
    links = np.concatenate([_neighbours(known) for known in (turned, images.patient, copies)])
    group = connected(len(paths), links)
    # A search compares each image with its few nearest of other groups. What it finds makes
    # room for the next nearest, so search until an audit would find nothing more.
    while len(links := _alike(paths, group)):
        group = connected(len(paths), np.concatenate([links, _neighbours(group)]))
    _, first = np.unique(group, return_index=True)
    names = [str(PurePosixPath(images.sources[place]).with_suffix("")) for place in first.tolist()]
    order = np.argsort(names)
    return dataclasses.replace(
        images,
        patients=[names[place] for place in order.tolist()],
        patient=np.argsort(order)[group].astype(np.int32),
    )


def _alike(paths: list[Path], group: np.ndarray) -> np.ndarray:
    """Returns the near duplicates of different groups, as places (n, 2)."""
    with step_bars("near duplicates: ") as progress:
        found = find_near_duplicates(paths, apart=group, progress=progress)
    pairs = np.array([pair[:2] for pair in found], np.int64).reshape(-1, 2)
    return pairs[group[pairs[:, 0]] != group[pairs[:, 1]]]


def _neighbours(group: np.ndarray) -> np.ndarray:
    """Returns pairs (n, 2) that connect the members of every group."""
    order = np.argsort(group, kind="stable")
    same = group[order[1:]] == group[order[:-1]]
    return np.stack([order[:-1][same], order[1:][same]], axis=1)


def notice_two_labels(images: Images, dataset: Dataset) -> list[Notice]:
    """Returns a notice of the groups of like images that have several labels, if any."""
    counts = images.counts(len(dataset.classes)) > 0
    mixed = np.flatnonzero(counts.sum(axis=1) > 1)
    if not len(mixed):
        return []
    examples = []
    for group in mixed[:EXAMPLES].tolist():
        members = np.flatnonzero(images.patient == group)
        _, first = np.unique(images.label[members], return_index=True)
        examples.append(" and ".join(images.sources[members[i]] for i in first[:2].tolist()))
    return [
        Notice(kind=NoticeKind.TWO_LABELS, count=len(mixed), unit="group", examples=tuple(examples))
    ]


def group_siblings(
    paths: Sequence[Path | str],
    *,
    processes: int | None = None,
    progress: Callable[[int], Any] = lambda done: None,
) -> np.ndarray:
    """Returns int64 (n,): a group number for each picture, 0 upwards by first appearance.

    Two pictures are in one group when a chain of turned or mirrored ones connects them.

    Args:
        paths: of image files; those that cannot be read are alone.
        processes: how many; one for each processor if None.
        progress: told how many more pictures were described.

    Raises:
        CancerNetError: more than `LARGEST`.
    """
    if len(paths) > LARGEST:
        raise CancerNetError(
            f"{len(paths):,} images are too many to find those that belong together (at most "
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
