"""Finds pictures that are one picture changed.

Resized, recompressed, turned by quarter turns, flipped, brighter or darker, of more or
less contrast, mildly cropped, or several of these:

    pairs = find_near_duplicates(paths)
    groups = connected(len(paths), [(pair.first, pair.second) for pair in pairs])

In three steps, each of which leaves less for the next: every picture is described by a
few hundred numbers (`pictures`), those with similar descriptions are found through cells
(`nearest_pictures`), and the pairs are aligned and compared pixel by pixel (`alignment`).
docs/AUDIT.md has the recall, the false alarms and the commands. Written here because no
known library finds symmetries and crops together.
"""

import contextlib
import enum
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cancernet.base.console import progress_bar
from cancernet.base.errors import ImageError
from cancernet.base.parallel import spread
from cancernet.dataset.images import first_alike
from cancernet.lookalike.alignment import UNLIKE, Agreement, agreement, promising
from cancernet.lookalike.nearest_pictures import find_alike
from cancernet.lookalike.pictures import (
    SYMMETRIES,
    Pictures,
    look_at_pictures,
    read_grey,
)

# From these correlations on, two pictures count as one; chosen on planted changes of
# real patches and scans (benchmarks/audit_recall.py).
ALIKE_DESCRIPTIONS = 0.7
ALIKE_GREY = 0.7
ALIKE_DETAIL = 0.5
# Where there is little detail, as in a white patch with a strip of tissue, chance agrees
# more: the correlation of detail must then be larger, by up to this much. More so where a
# smaller crop could be chosen: two strips fit at one of many places.
ENOUGH_EVIDENCE, SURER = 0.2, 0.25
FREE_CROP, ENOUGH_TO_FIT, SURER_TO_FIT = 0.93, 0.5, 0.45
# Nobody changes the ratio of a picture's sides by more. A narrow strip, such as a patch at the edge
# of a slide, would fit somewhere into many others; sooner where there is little detail.
MOST_SQUEEZED, MOST_WITH_LITTLE = 2.5, 2.0
# Candidates looked at for each picture, the best.
CANDIDATES = 6

LONGEST = 128  # pixels a side at which pictures are read again to be compared
CHUNK = 512  # pairs
REMEMBERED = 1024  # pictures

SAME_GREY = 4.0  # grey levels by which recompression may shift the mean
SAME_GAIN = 0.07  # and the share by which it may change the contrast
SAME_CROP = 0.985


class Change(enum.StrEnum):
    """What was done to one picture of a pair."""

    IDENTICAL = "identical pixels"  # nothing
    FLIPPED = "flipped"
    ROTATED = "rotated"
    CROPPED = "cropped"
    RESIZED = "resized"
    RELIT = "brightness or contrast changed"
    RETOUCHED = "recompressed or retouched"  # something else


class Pair(NamedTuple):
    """Two pictures that are one.

    Attributes:
        first, second: places in the list of paths, `first` the lesser.
        distance: 0 for identical pixels, else 1 less the correlation of their detail.
        changes: what was done to one of them.
        crop: share of the one picture's side that the other shows, 0 to 1.
    """

    first: int
    second: int
    distance: float
    changes: tuple[Change, ...]
    crop: float = 1.0

    @property
    def identical(self) -> bool:
        """Whether the pixels are the same."""
        return self.changes == (Change.IDENTICAL,)


def find_near_duplicates(
    paths: Sequence[Path | str],
    *,
    pictures: Pictures | None = None,
    apart: np.ndarray | None = None,
    processes: int | None = None,
    progress: Callable[[str, int, int], Any] = lambda step, done, total: None,
) -> list[Pair]:
    """Finds the pairs of pictures of which one is the other, perhaps changed.

    Nearly uniform pictures are left out: nothing tells one from another (`pictures.PLAIN`).
    Of a group of many variants not every pair is listed, but enough to connect the group.

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
    hits = find_alike(
        pictures.table["descriptions"],
        standing,
        groups,
        least=ALIKE_DESCRIPTIONS,
        most=CANDIDATES,
        processes=processes,
        progress=lambda done: progress("searching", done, len(standing)),
    )
    return sorted(identical + _verified(paths, pictures, hits, processes, progress))


@contextlib.contextmanager
def step_bars(title: str = "") -> Iterator[Callable[[str, int, int], None]]:
    """Gives what `find_near_duplicates` takes as `progress`: a bar for each step in turn."""
    bars: dict[str, Any] = {}

    def advance(step: str, done: int, total: int) -> None:
        if step not in bars:
            for bar in bars.values():
                bar.close()
            unit = " pairs" if step == "comparing" else " images"
            what = (title + step).capitalize()
            bars[step] = progress_bar(title=what, total=total, unit=unit, in_logs=True)
        bars[step].update(done)

    try:
        yield advance
    finally:
        for bar in bars.values():
            bar.close()


def connected(count: int, pairs: Sequence[tuple[int, int]] | np.ndarray) -> np.ndarray:
    """Returns int64 (count,), the connected components of pairs, numbered by first appearance."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    one, other = np.asarray(pairs, np.int32).reshape(-1, 2).T
    links = coo_array((np.ones(len(one), bool), (one, other)), shape=(count, count))
    return connected_components(links, directed=False)[1].astype(np.int64)


def _identical(pictures: Pictures, groups: np.ndarray) -> tuple[list[Pair], np.ndarray]:
    """Pairs of the same pixels, and for each picture the first that has its pixels."""
    count = len(groups)
    first = np.arange(count)
    places = np.flatnonzero(pictures.comparable)
    if len(places):
        first[places] = places[first_alike(pictures.table["digest"][places])]
    copies = np.flatnonzero((first != np.arange(count)) & (groups[first] != groups))
    return [Pair(int(first[i]), int(i), 0.0, (Change.IDENTICAL,)) for i in copies], first


def _verified(
    paths: Sequence[Path | str],
    pictures: Pictures,
    hits: np.ndarray,
    processes: int | None,
    progress: Callable[[str, int, int], Any],
) -> list[Pair]:
    thumb, size = pictures.table["thumb"], pictures.table["size"]
    chunks: Iterator[list[tuple[Any, ...]]] = (
        [
            (str(paths[one]), str(paths[other]), thumb[one], thumb[other], box, symmetry)
            for one, other, box, symmetry, _ in hits[begin : begin + CHUNK].tolist()
        ]
        for begin in range(0, len(hits), CHUNK)
    )
    pairs = []
    with contextlib.closing(spread(_agreements, chunks, len(hits), processes)) as results:
        for place, agreements in results:
            chunk = hits[place * CHUNK : (place + 1) * CHUNK].tolist()
            for (one, other, _, symmetry, _), found in zip(chunk, agreements, strict=True):
                first, second = size[one].tolist(), size[other].tolist()
                if _is_one(found) and _is_same_form(found, symmetry, first, second):
                    changes = _changes(found, symmetry, first, second)
                    distance = round(1 - found.detail, 4)
                    pairs.append(
                        Pair(min(one, other), max(one, other), distance, changes, found.crop)
                    )
            progress("comparing", len(agreements), len(hits))
    return pairs


def _is_one(found: Agreement) -> bool:
    enough, surer = ENOUGH_EVIDENCE, SURER
    if found.crop < FREE_CROP:
        enough, surer = ENOUGH_TO_FIT, SURER_TO_FIT
    lacking = max(0.0, 1 - found.evidence / enough)
    return found.grey >= ALIKE_GREY and found.detail >= ALIKE_DETAIL + surer * lacking


def _is_same_form(found: Agreement, symmetry: int, first: list[int], second: list[int]) -> bool:
    most = MOST_SQUEEZED if found.evidence >= ENOUGH_EVIDENCE else MOST_WITH_LITTLE
    height, width = first[::-1] if SYMMETRIES[symmetry][0] else first
    squeezed = height * second[1] / (width * second[0])
    return 1 / most <= squeezed <= most


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


def _changes(
    found: Agreement, symmetry: int, first: list[int], second: list[int]
) -> tuple[Change, ...]:
    """Returns what was done to a picture of the size `first`, in a fixed order."""
    transposed, top_bottom, left_right = SYMMETRIES[symmetry]
    mirrors = transposed + top_bottom + left_right
    shown = first[::-1] if transposed else first
    resized = any(
        abs(a * found.crop - b) > 0.03 * b + 1 for a, b in zip(shown, second, strict=True)
    )
    made = {
        Change.FLIPPED: mirrors % 2 == 1,
        Change.ROTATED: symmetry > 0 and mirrors % 2 == 0,
        Change.CROPPED: found.crop < SAME_CROP,
        Change.RESIZED: resized,
        Change.RELIT: abs(found.gain - 1) > SAME_GAIN or abs(found.shift) > SAME_GREY,
    }
    return tuple(change for change, was_made in made.items() if was_made) or (Change.RETOUCHED,)
