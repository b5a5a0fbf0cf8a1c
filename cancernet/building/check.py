"""Removes from a staged set the images that turned out to be damaged or duplicates.

A damaged file is replaced by its second copy where that is sound. The other damaged files
go, and so do exact duplicates; then the rest is divided again, since the split must not
depend on files that are not in the set.
"""

import dataclasses
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.building.plan import Plan, make_plan
from cancernet.building.settings import BuildSettings
from cancernet.building.transfer import Transferred, transfer
from cancernet.catalog import Dataset, LeftOutFile, Reason
from cancernet.dataset.images import Images, first_alike
from cancernet.dataset.notices import Notice, NoticeKind

EXAMPLES = 4


@dataclasses.dataclass(frozen=True)
class Checked:
    """What is left after the check.

    Attributes:
        plan: of the images that are in the set.
        stamps: of all images that were read, as `Transferred.stamp`.
        left_out: every image file that is not in the set.
    """

    plan: Plan
    done: Transferred
    stamps: np.ndarray
    left_out: list[LeftOutFile]


def check_files(
    staging: Path,
    plan: Plan,
    done: Transferred,
    left_out: list[LeftOutFile],
    settings: BuildSettings,
) -> Checked:
    """Replaces or removes what is damaged or there twice, and divides the rest again.

    Args:
        staging: the folder that holds what was transferred.
        plan, done: of all images that were read.
        left_out: files that were not read, the second copies among them.

    Raises:
        CancerNetError: no image is left, or the rest cannot be divided.
    """
    stamps = done.stamp
    plan, left_out, done = _take_second_copies(staging, plan, left_out, done, settings)
    dropped: dict[int, LeftOutFile] = {}
    if not settings.include_masks:
        dropped = find_duplicates(plan.images, done.sha256, done.width > 0, plan.dataset)
    dropped |= done.failed
    if dropped:
        kept = np.setdiff1d(np.arange(len(plan)), list(dropped))
        plan, done = _divide_again(staging, plan, kept, dropped, settings), done.take(kept)
    plan.notices.extend(_notice_disputed(dropped.values()))
    return Checked(plan, done, stamps, [*left_out, *plan.left_out, *dropped.values()])


def _take_second_copies(
    staging: Path,
    plan: Plan,
    left_out: list[LeftOutFile],
    done: Transferred,
    settings: BuildSettings,
) -> tuple[Plan, list[LeftOutFile], Transferred]:
    """Replaces files that could not be read or decoded by their second copies.

    The stamps stay those of the first files: they tell a later build that nothing changed.
    """
    copies = defaultdict(list)
    for file in left_out:
        if file.reason is Reason.SECOND_COPY:
            copies[file.detail].append(file.source)
    first, failed = plan.images.sources, dict(done.failed)
    damaged, taken = [], set()
    while places := [place for place in sorted(failed) if copies[first[place]]]:
        sources = list(plan.images.sources)
        for place in places:
            sources[place] = copies[first[place]].pop(0)
        plan = dataclasses.replace(plan, images=dataclasses.replace(plan.images, sources=sources))
        again = transfer(plan, staging, settings, places=places)
        for number, place in enumerate(places):
            if number in again.failed:
                sources[place] = first[place]
                continue
            file = failed.pop(place)
            told = f"{file.detail}; its second copy {sources[place]} is taken"
            damaged.append(file._replace(detail=told))
            taken.add(sources[place])
            done.sha256[place] = again.sha256[number]
            done.width[place], done.height[place] = again.width[number], again.height[number]
            done.bits[place] = again.bits[number]
            done.oddity[place] = again.oddity[number]
    kept = [file for file in left_out if file.source not in taken]
    return plan, [*kept, *damaged], dataclasses.replace(done, failed=failed)


def find_duplicates(
    images: Images, sha256: np.ndarray, readable: np.ndarray, dataset: Dataset
) -> dict[int, LeftOutFile]:
    """Finds images that must go so that no bytes occur twice in the set.

    Of duplicates with one label the first by path stays: a second would count the image
    twice, and in another patient it would carry training into testing. Of duplicates
    with different labels all go, because nobody knows which is right.

    Args:
        sha256: uint8 (n, 32) of their bytes.
        readable: bool (n,); the others are not compared.

    Returns:
        Place of an image -> why it is left out.
    """
    places = np.flatnonzero(readable)
    if not len(places):
        return {}
    first = places[first_alike(sha256[places])]
    # For every group: the first image with another label than the group's first.
    differs = images.label[places] != images.label[first]
    opponent: dict[int, int] = {}
    for place, begin in zip(places[differs].tolist(), first[differs].tolist(), strict=True):
        opponent.setdefault(begin, place)
    repeated = (first != places) | np.isin(first, list(opponent))
    left_out = {}
    for place, begin in zip(places[repeated].tolist(), first[repeated].tolist(), strict=True):
        source = images.sources[place]
        if begin not in opponent:
            left_out[place] = LeftOutFile(source, Reason.DUPLICATE, images.sources[begin])
            continue
        same_label = images.label[place] == images.label[begin]
        other = opponent[begin] if same_label else begin
        detail = f"{images.sources[other]} is of class {dataset.classes[images.label[other]]}"
        left_out[place] = LeftOutFile(source, Reason.CONTRADICTED, detail, failed=True)
    return left_out


def _notice_disputed(dropped: Iterable[LeftOutFile]) -> list[Notice]:
    """Names the images that are there under two labels."""
    found = [file for file in dropped if file.reason is Reason.CONTRADICTED]
    if not found:
        return []
    examples = tuple(f"{file.source}: {file.detail}" for file in found[:EXAMPLES])
    return [Notice(kind=NoticeKind.DISPUTED, count=len(found), unit="image", examples=examples)]


def _divide_again(
    staging: Path,
    plan: Plan,
    kept: np.ndarray,
    dropped: Mapping[int, LeftOutFile],
    settings: BuildSettings,
) -> Plan:
    """Divides what is left, and moves the staged files to where they go now."""
    if not len(kept):
        example = dropped[min(dropped)]
        raise CancerNetError(
            f"not one of {len(plan):,} images can be used; first {example.source}: "
            f"{example.reason.value} ({example.detail})"
        )
    # What the lists lack was found with all images, and stays true.
    again = dataclasses.replace(
        make_plan(plan.images.take(kept), plan.dataset, settings),
        left_out=plan.left_out,
        without_images=plan.without_images,
        unlisted=plan.unlisted,
    )
    for place in dropped:
        (staging / plan.path_of(place)).unlink(missing_ok=True)
    # Within a class every name occurs once, whatever the split: nothing is overwritten.
    for new_place, place in enumerate(kept.tolist()):
        before, after = plan.path_of(place), again.path_of(new_place)
        if before != after:
            os.rename(staging / before, staging / after)
    return again
