"""Finds pictures that are one picture changed.

Resized, recompressed, turned by quarter turns, flipped, brighter or darker, of more or
less contrast, mildly cropped, or several of these:

    pairs = find_near_duplicates(paths)
    groups = connected(len(paths), [(pair.first, pair.second) for pair in pairs])

In three steps, each of which leaves less for the next: every picture is described by a
few hundred numbers (`descriptors`), those described alike are found through cells
(`resembling`), and the pairs are laid on one another and compared pixel by pixel
(`alignment`). docs/AUDIT.md has the recall and the false alarms, and the commands.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cancernet.base.errors import ImageError
from cancernet.dataset.images import first_alike
from cancernet.lookalike import descriptors
from cancernet.lookalike.alignment import UNLIKE, Agreement, agreement, promising
from cancernet.lookalike.nearest_pictures import PICTURES_A_BLOCK, Hits, Index, make_index, search
from cancernet.lookalike.pictures import Pictures, look_at_pictures, read_grey, spread

# Correlations from which on two pictures count as one; chosen on planted changes of
# real patches and scans (benchmarks/audit_recall.py).
ALIKE_DESCRIPTIONS = 0.7
ALIKE_GREY = 0.7
ALIKE_DETAIL = 0.5
# Where there is little to tell by, a mostly white patch with a strip of tissue, chance agrees
# more: then the correlation of detail must be larger, by so much where there is nothing. And
# more so where a smaller crop was free to be chosen: two strips fit at one of many places.
ENOUGH_EVIDENCE, SURER = 0.2, 0.25
FREE_CROP, ENOUGH_TO_FIT, SURER_TO_FIT = 0.93, 0.5, 0.45
# Candidates looked at for each picture, the best.
CANDIDATES = 6

LONGEST = 128  # pixels a side at which pictures are read again to be compared
CHUNK = 512  # pairs
REMEMBERED = 1024  # pictures

SAME_GREY = 4.0  # grey levels by which recompression may shift the mean
SAME_GAIN = 0.07  # and the share by which it may change the contrast
SAME_CROP = 0.985
IDENTICAL = "identical pixels"


class Pair(NamedTuple):
    """Two pictures that are one.

    Attributes:
        first, second: places in the list of paths, `first` the lesser.
        distance: 0 for identical pixels, else 1 less the correlation of their detail.
        change: what was done to one of them, in words.
    """

    first: int
    second: int
    distance: float
    change: str


def describe(pixels: np.ndarray) -> np.ndarray:
    """Describes RGB pixels (height, width, 3), 0-255; see `descriptors.describe`."""
    return descriptors.describe(descriptors.to_grey(pixels))[0]


def find_near_duplicates(
    paths: Sequence[Path | str],
    *,
    pictures: Pictures | None = None,
    apart: np.ndarray | None = None,
    processes: int | None = None,
    progress: Callable[[str, int, int], Any] = lambda step, done, total: None,
) -> list[Pair]:
    """Finds the pairs of pictures of which one is the other, perhaps changed.

    Pictures that are nearly uniform are compared with none: nothing in them tells one
    from another (`pictures.PLAIN`). Of a group of many variants not every pair is
    listed, but enough of them to connect the group.

    Args:
        paths: of image files; those that cannot be read resemble none.
        pictures: what `look_at_pictures` gave for them, if it was called before.
        apart: int (n,), group numbers; pairs within one group are not looked for.
        processes: how many; one for each processor if None.
        progress: told the step, how many more are done, and of how many.

    Returns:
        Sorted by `first`, then `second`.
    """
    count = len(paths)
    if pictures is None:
        pictures = look_at_pictures(
            paths, processes=processes, progress=lambda done: progress("reading", done, count)
        )
    groups = np.arange(count) if apart is None else np.asarray(apart)
    identical, first = _identical(pictures, groups)
    # One of identical pictures stands for all: a thousand copies would be a million pairs.
    standing = np.flatnonzero(pictures.comparable & (first == np.arange(count)))
    if len(standing) < 2:
        return sorted(identical)
    hits = _candidates(pictures.descriptions, standing, groups, processes, progress)
    return sorted(identical + _verified(paths, pictures, hits, processes, progress))


def connected(count: int, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Returns int64 (count,), the connected components of pairs, numbered by first appearance."""
    parent = list(range(count))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    number: dict[int, int] = {}
    roots = (root(place) for place in range(count))
    return np.array([number.setdefault(place, len(number)) for place in roots], np.int64)


def _identical(pictures: Pictures, groups: np.ndarray) -> tuple[list[Pair], np.ndarray]:
    """Pairs of the same pixels, and for each picture the first that has its pixels."""
    count = len(groups)
    first = np.arange(count)
    places = np.flatnonzero(pictures.comparable)
    if len(places):
        first[places] = places[first_alike(pictures.digest[places])]
    copies = np.flatnonzero((first != np.arange(count)) & (groups[first] != groups))
    return [Pair(int(first[i]), int(i), 0.0, IDENTICAL) for i in copies], first


def _candidates(
    descriptions: np.ndarray,
    standing: np.ndarray,
    groups: np.ndarray,
    processes: int | None,
    progress: Callable[[str, int, int], Any],
) -> Hits:
    """Returns the pairs that are described alike, each once, as places in the list of paths."""
    total = len(standing)
    index = make_index(descriptions, standing, groups)
    blocks = (
        (begin, min(begin + PICTURES_A_BLOCK, total)) for begin in range(0, total, PICTURES_A_BLOCK)
    )
    found: list[Hits] = []
    with contextlib.closing(
        spread(functools.partial(_search, index), blocks, total, processes)
    ) as results:
        for _, (done, hits) in results:
            found.append(hits)
            progress("searching", done, total)
    hits = Hits(*(np.concatenate(column) for column in zip(*map(_columns, found), strict=True)))
    # A pair may have been found from both sides; the better one is looked at.
    low, high = np.minimum(hits.first, hits.second), np.maximum(hits.first, hits.second)
    order = np.lexsort((hits.first, -hits.score, high, low))
    hits = hits.take(order)
    low, high = low[order], high[order]
    new = np.ones(len(hits), bool)
    new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    return hits.take(np.flatnonzero(new))


def _columns(hits: Hits) -> tuple[np.ndarray, ...]:
    return hits.first, hits.second, hits.box, hits.symmetry, hits.score


def _search(index: Index, block: tuple[int, int]) -> tuple[int, Hits]:
    from threadpoolctl import threadpool_limits

    # The processes share the processors already; threads within each would wait for each
    # other most of the time.
    with threadpool_limits(1):
        hits = search(index, *block, least=ALIKE_DESCRIPTIONS, most=CANDIDATES)
    return block[1] - block[0], hits


def _verified(
    paths: Sequence[Path | str],
    pictures: Pictures,
    hits: Hits,
    processes: int | None,
    progress: Callable[[str, int, int], Any],
) -> list[Pair]:
    columns = _columns(hits)[:4]

    def rows(begin: int) -> Iterator[tuple[int, ...]]:
        return zip(*(column[begin : begin + CHUNK].tolist() for column in columns), strict=True)

    chunks: Iterator[list[tuple[Any, ...]]] = (
        [
            (str(paths[one]), str(paths[other]), pictures.thumb[one], pictures.thumb[other], *how)
            for one, other, *how in rows(begin)
        ]
        for begin in range(0, len(hits), CHUNK)
    )
    pairs = []
    with contextlib.closing(spread(_agreements, chunks, len(hits), processes)) as results:
        for place, agreements in results:
            for (one, other, _, turn), found in zip(rows(place * CHUNK), agreements, strict=True):
                if _is_one(found):
                    sizes = pictures.size[one].tolist(), pictures.size[other].tolist()
                    change = _in_words(found, turn, *sizes)
                    low, high = sorted((one, other))
                    pairs.append(Pair(low, high, round(1 - found.detail, 4), change))
            progress("comparing", len(agreements), len(hits))
    return pairs


def _is_one(found: Agreement) -> bool:
    enough, surer = ENOUGH_EVIDENCE, SURER
    if found.crop < FREE_CROP:
        enough, surer = ENOUGH_TO_FIT, SURER_TO_FIT
    lacking = max(0.0, 1 - found.evidence / enough)
    return found.grey >= ALIKE_GREY and found.detail >= ALIKE_DETAIL + surer * lacking


def _agreements(chunk: list[tuple[Any, ...]]) -> list[Agreement]:
    read = functools.lru_cache(maxsize=REMEMBERED)(lambda path: read_grey(path, LONGEST))
    found = []
    for first, second, small, other_small, *how in chunk:
        agreed = UNLIKE
        with contextlib.suppress(ImageError):  # it vanished since it was described
            if promising(small, other_small, *how):
                agreed = agreement(read(first), read(second), *how)
        found.append(agreed)
    return found


def _in_words(found: Agreement, symmetry: int, first: list[int], second: list[int]) -> str:
    """Names the changes, as in "rotated, resized"."""
    transposed, top_bottom, left_right = descriptors.SYMMETRIES[symmetry]
    words = []
    if transposed != (top_bottom != left_right):  # an odd number of mirrors
        words.append("flipped")
    elif symmetry:
        words.append("rotated")
    if found.crop < SAME_CROP:
        words.append(f"cropped to {100 * found.crop:.0f} % of the side")
    shown = first[::-1] if transposed else first
    if any(abs(a * found.crop - b) > 0.03 * b + 1 for a, b in zip(shown, second, strict=True)):
        words.append("resized")
    if abs(found.gain - 1) > SAME_GAIN or abs(found.shift) > SAME_GREY:
        words.append("brightness or contrast changed")
    return ", ".join(words) or "recompressed or retouched"
