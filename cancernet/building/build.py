"""One build from beginning to end: find, look, plan, transfer, check, record, put in place."""

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cancernet import catalog
from cancernet.base.errors import CancerNetError
from cancernet.base.files import sha256_of
from cancernet.base.records import from_json
from cancernet.building import record
from cancernet.building.described import describe_dataset
from cancernet.building.duplicates import find_duplicates, warn_of_contradictions
from cancernet.building.existing import is_as_built, listing, refuse_what_is_not_ours
from cancernet.building.find import Found, find_files
from cancernet.building.identify import Look, look_at_paths
from cancernet.building.naming import make_folders, namer
from cancernet.building.plan import Plan, describe_split, make_plan, settings_as_built
from cancernet.building.second_copies import take_second_copies
from cancernet.building.settings import BuildSettings
from cancernet.building.staging import alone, put_in_place, staged
from cancernet.building.transfer import Transferred, no_hard_links, transfer
from cancernet.catalog.patient_id import say_respelled
from cancernet.dataset.build_record import BuildRecord, Unlisted
from cancernet.dataset.images import Images, LeftOutFile
from cancernet.dataset.leaks import refuse_leaks
from cancernet.dataset.manifest import MANIFEST
from cancernet.lookalike.content_groups import group_by_content

BLOCK = 4096  # bytes; a file takes whole blocks of the disk


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a build did.

    Attributes:
        output: the built set.
        facts: the content of its `build.json`.
        failed: files with a defect, in the order of their paths.
        unchanged: it was there already, exactly so; nothing was written.
    """

    output: Path
    facts: BuildRecord
    failed: list[LeftOutFile]
    unchanged: bool


def build(
    settings: BuildSettings, *, announce: Callable[[list[str]], None] = lambda warnings: None
) -> Outcome:
    """Builds a data set; the output folder is complete or as it was before.

    Args:
        settings: every choice.
        announce: told the warnings before anything is written.

    Raises:
        CancerNetError: bad input or settings; the message says what to do.
        OSError: the disk is full, or may not be written.
    """
    # A link to a folder on a larger disk stays a link; what it leads to is replaced.
    output = Path(os.path.realpath(settings.output))
    _check_folders(settings.source, output)
    refuse_what_is_not_ours(output)
    found = find_files(settings.source)
    dataset = describe_dataset(settings, found.images)
    look = look_at_paths(found.images, dataset)
    _refuse_nothing(found, look, dataset, settings.source)
    if dataset.by_content:
        # Looking takes much longer than reading paths: not again for what is there.
        facts = _as_built(output, settings, found, look, look.images)
        if facts is not None:
            _refuse_leaks(facts.leaks, settings)
            return _unchanged(settings, output, facts)
        grouped = group_by_content(settings.source, look.images)
        look = dataclasses.replace(look, images=grouped)
    plan = make_plan(look.images, dataset, settings)
    _refuse_leaks(plan.leaks, settings)
    announce([text for text in (*_notices(look), *plan.warnings, plan.leak) if text])
    with alone(output):
        refuse_what_is_not_ours(output)
        facts = _as_built(output, settings, found, look, plan.images)
        if facts is not None:
            return _unchanged(settings, output, facts)
        _check_disk(plan, output, settings)
        with staged(output) as staging:
            facts, failed = _fill(staging, plan, found, look, dataset, settings)
            record.write_build(staging, facts)
            # Minutes have passed; somebody may have put a file there.
            refuse_what_is_not_ours(output)
            put_in_place(staging, output)
    return Outcome(settings.output, facts, failed, unchanged=False)


def _refuse_leaks(leaks: Sequence[str], settings: BuildSettings) -> None:
    refuse_leaks(leaks, split=settings.split, allowed=settings.allow_leaks)


def _as_built(
    output: Path, settings: BuildSettings, found: Found, look: Look, images: Images
) -> BuildRecord | None:
    facts = is_as_built(
        output, settings.source, settings_as_built(settings), found.images, images.sources
    )
    # An earlier version took spellings of one patient for several.
    if facts is not None and facts.same_patients != _same_patients(look):
        return None
    return facts


def _notices(look: Look) -> list[str]:
    return list(filter(None, [say_respelled(look.respelled)]))


def _same_patients(look: Look) -> dict[str, tuple[str, ...]]:
    return {one.kept: tuple(one.others) for one in look.respelled}


def _unchanged(settings: BuildSettings, output: Path, facts: BuildRecord) -> Outcome:
    failed = record.read_failed(output, list(facts.failed_reasons))
    return Outcome(settings.output, facts, failed, unchanged=True)


def _fill(
    staging: Path,
    plan: Plan,
    found: Found,
    look: Look,
    dataset: catalog.Dataset,
    settings: BuildSettings,
) -> tuple[BuildRecord, list[LeftOutFile]]:
    """Fills the staging folder, all but `build.json`; returns its content and the failed."""
    make_folders(staging, dataset)
    name_of = namer(plan.images, plan.splits, dataset)
    done = _transfer(plan.images, name_of, range(len(plan.images)), staging, settings)

    def bring(images: Images, places: list[int]) -> Transferred:
        return _transfer(images, namer(images, plan.splits, dataset), places, staging, settings)

    images, not_there, done = take_second_copies(plan.images, look.left_out, done, bring)
    plan = dataclasses.replace(plan, images=images)
    name_of = namer(images, plan.splits, dataset)
    readable = done.width > 0
    dropped: dict[int, LeftOutFile] = {}
    if not settings.include_masks:
        dropped = find_duplicates(plan.images, done.sha256, readable, dataset)
    dropped |= done.failed
    kept = np.setdiff1d(np.arange(len(plan.images)), list(dropped))
    if dropped:
        plan, name_of = _plan_again(staging, plan, name_of, kept, dropped, dataset, settings)
        _refuse_leaks(plan.leaks, settings)
    plan.warnings.extend(warn_of_contradictions(dropped, dataset))
    left_out = sorted([*found.left_out, *not_there, *plan.left_out, *dropped.values()])
    failed = [file for file in left_out if file.failed]
    record.write_manifest(staging, plan.images, plan.splits, name_of, done.sha256[kept], dataset)
    record.write_left_out(staging, left_out)
    reasons = record.count_reasons(left_out)
    facts = BuildRecord(
        dataset=dataset.name,
        title=dataset.title,
        classes=dataset.classes,
        words=dataset.words,
        positive=dataset.positive,
        drawn=found.drawn,
        source=str(settings.source),
        listing=listing(found.images, done.stamp),
        settings=settings_as_built(settings),
        split_kind=describe_split(settings, dataset, leaks=bool(plan.leak)),
        unit=dataset.unit,
        absent={name: tuple(labels) for name, labels in plan.absent.items()},
        leak=plan.leak,
        leaks=tuple(plan.leaks),
        warnings=(*_notices(look), *plan.warnings),
        same_patients=_same_patients(look),
        counts=record.count_splits(plan.images, plan.splits, dataset),
        left_out=reasons,
        failed=len(failed),
        failed_reasons=tuple(sorted({file.reason for file in failed})),
        listed_without_images=tuple(plan.without_images),
        unlisted=from_json(Unlisted, plan.unlisted),
        image_size=record.most_common_size(done.width[kept], done.height[kept]),
        fingerprint=sha256_of(staging / MANIFEST),
    )
    return facts, failed


def _transfer(
    images: Images,
    name_of: Callable[[int], str],
    places: Sequence[int],
    staging: Path,
    settings: BuildSettings,
) -> Transferred:
    from tqdm import tqdm

    wait = 0.2 if sys.stderr.isatty() else 10.0  # seconds between lines; a log needs few
    sources = map(images.sources.__getitem__, places)
    with tqdm(total=len(places), desc="Building", unit=" images", mininterval=wait) as bar:
        return transfer(
            settings.source,
            staging,
            zip(sources, map(name_of, places), strict=True),
            len(places),
            link=settings.link,
            progress=bar.update,
        )


def _plan_again(
    staging: Path,
    plan: Plan,
    name_of: Callable[[int], str],
    kept: np.ndarray,
    dropped: dict[int, LeftOutFile],
    dataset: catalog.Dataset,
    settings: BuildSettings,
) -> tuple[Plan, Callable[[int], str]]:
    """Divides what is left; the split must not depend on files that are not in the set."""
    if not len(kept):
        example = dropped[min(dropped)]
        raise CancerNetError(
            f"not one of {len(plan.images):,} images can be used; first {example.source}: "
            f"{example.reason} ({example.detail})"
        )
    again = make_plan(plan.images.take(kept), dataset, settings)
    # What the lists lack was found out with all images, and stays true.
    again = dataclasses.replace(
        again, left_out=plan.left_out, without_images=plan.without_images, unlisted=plan.unlisted
    )
    for place in dropped:
        (staging / name_of(place)).unlink(missing_ok=True)
    new_name_of = namer(again.images, again.splits, dataset)
    # Within a class every name occurs once, whatever the split: nothing is overwritten.
    for new_place, place in enumerate(kept.tolist()):
        before, after = name_of(place), new_name_of(new_place)
        if before != after:
            os.rename(staging / before, staging / after)
    return again, new_name_of


def _check_folders(source: Path, output: Path) -> None:
    if not source.is_dir():
        what = "is a file, not a folder" if source.exists() else "does not exist"
        raise CancerNetError(f"the source folder {source} {what}; name another with --source")
    inside, outside = os.path.join(os.path.realpath(source), ""), os.path.join(output, "")
    if inside.startswith(outside) or outside.startswith(inside):
        raise CancerNetError(
            f"the source folder {source} and the output folder {output} lie in one another; "
            "name an --output elsewhere"
        )


def _check_disk(plan: Plan, output: Path, settings: BuildSettings) -> None:
    if settings.link == "hard":
        if os.stat(settings.source).st_dev != os.stat(output.parent).st_dev:
            raise no_hard_links(str(settings.source), "they are on different disks")
    elif settings.link == "copy":
        need, free = _blocks(plan, settings.source), shutil.disk_usage(output.parent).free
        if need > free:
            raise CancerNetError(
                f"the disk is full: copying needs about {need / 1e6:,.1f} MB, and "
                f"{free / 1e6:,.1f} MB are free where {output} is; make room, or use --link hard "
                "or --link symbolic"
            )


def _blocks(plan: Plan, source: Path) -> int:
    """Bytes of disk that copies will take, judged by a thousand of the images."""
    step = -(-len(plan.images) // 1000)
    some = [_size(os.path.join(source, path)) for path in plan.images.sources[::step]]
    blocks = sum(-(-size // BLOCK) for size in some)
    return round(blocks * BLOCK * len(plan.images) / len(some))


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # it will be left out


def _refuse_nothing(found: Found, look: Look, dataset: catalog.Dataset, source: Path) -> None:
    if len(look.images):
        return
    if not found.images:
        there = "no image (PNG, JPEG, TIFF or BMP)"
    else:
        first = min(look.left_out)
        detail = f": {first.detail}" if first.detail else ""
        there = (
            f"{len(found.images):,} images, but none that fits; first {first.source} "
            f"({first.reason}{detail})"
        )
    advice = (
        "name the folders by --classes as they are spelled"
        if dataset.name == "folder"
        else "see --help for where to get the images, and --dataset folder for images of your own"
    )
    raise CancerNetError(f"{source} has {there}; expected is the layout {dataset.layout}, {advice}")
