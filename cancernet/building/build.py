"""One build from beginning to end."""

import dataclasses
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from cancernet.base.errors import CancerNetError, SplitError
from cancernet.base.words import IMAGES_READ, did_you_mean
from cancernet.building.check import check_files
from cancernet.building.describe import describe_dataset
from cancernet.building.identify import Identified, identify_paths
from cancernet.building.plan import Plan, make_plan
from cancernet.building.record import as_built, as_row, read_failed, write_record
from cancernet.building.settings import FOLDER, BuildSettings
from cancernet.building.source_files import Found, find_files
from cancernet.building.staging import alone, refuse_what_is_not_ours, staged
from cancernet.building.transfer import no_hard_links, transfer
from cancernet.catalog import Dataset
from cancernet.dataset.build_record import BuildRecord
from cancernet.dataset.notices import Leak, LeakKind, Notice, name_leak
from cancernet.dataset.splitting import refuse_missing_classes
from cancernet.lookalike.grouping import group_by_content

BLOCK = 4096  # bytes; a file takes whole blocks of the disk
# What helps depends on the split in use.
SPELLED = "--classes takes the names of the folders"
WAYS_OUT = {
    "patient": "say with --group-by content, a pattern or a table's column `patient` what belongs "
    "together",
    "lists": "put what belongs together on one list",
}

Announce = Callable[[Sequence[Notice], Sequence[Leak]], None]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a build did.

    Attributes:
        facts: the content of its `build.json`.
        failed: files with a defect, as `left_out.csv` says it: source, reason, detail.
        unchanged: exactly this set was there already; nothing was written.
    """

    output: Path
    facts: BuildRecord
    failed: list[tuple[str, str, str]]
    unchanged: bool


def build(settings: BuildSettings, *, announce: Announce = lambda notices, leaks: None) -> Outcome:
    """Builds a data set; the output folder is complete or as it was before.

    Args:
        announce: called with what a reader must know before anything is written.

    Raises:
        CancerNetError: bad input or settings; the message says what to do.
        OSError: the disk is full, or may not be written.
    """
    # A link to a folder on a larger disk stays a link; its target is replaced.
    output = Path(os.path.realpath(settings.output))
    _check_folders(settings.source, output)
    refuse_what_is_not_ours(output)
    found = find_files(settings.source)
    dataset, missing = describe_dataset(settings, found.images)
    found = dataclasses.replace(found, left_out=[*found.left_out, *missing])
    identified = identify_paths(found.images, dataset)
    _check_images(found, identified, dataset, settings)
    if dataset.by_content:
        # Comparing images takes long: not again for what is built already.
        facts = as_built(output, settings, found, identified, identified.images.sources)
        if facts is not None:
            return _unchanged(facts, settings)
        images = group_by_content(settings.source, identified.images)
        identified = dataclasses.replace(identified, images=images)
    plan = make_plan(identified.images, dataset, settings)
    _check_leaks(plan.leaks, settings)
    announce([*identified.notices, *plan.notices], plan.leaks)
    with alone(output):
        facts = as_built(output, settings, found, identified, plan.images.sources)
        if facts is not None:
            return _unchanged(facts, settings)
        _check_disk(plan, output, settings)
        with staged(output) as staging:
            plan.make_folders(staging)
            done = transfer(plan, staging, settings)
            checked = check_files(staging, plan, done, identified.left_out, settings)
            _check_leaks(checked.plan.leaks, settings)
            facts, failed = write_record(staging, checked, found, identified, settings)
    return Outcome(settings.output, facts, [as_row(file) for file in failed], unchanged=False)


def _unchanged(facts: BuildRecord, settings: BuildSettings) -> Outcome:
    _check_leaks(facts.leaks, settings)
    failed = read_failed(settings.output, facts.failed_reasons)
    return Outcome(settings.output, facts, failed, unchanged=True)


def _check_folders(source: Path, output: Path) -> None:
    """Raises CancerNetError where there is no source folder, or one folder is in the other."""
    if not source.is_dir():
        what = "is a file, not a folder" if source.exists() else "does not exist"
        raise CancerNetError(f"the source folder {source} {what}; name another with --source")
    inside, outside = os.path.join(os.path.realpath(source), ""), os.path.join(output, "")
    if inside.startswith(outside) or outside.startswith(inside):
        raise CancerNetError(
            f"one of the source folder {source} and the output folder {output} is inside the "
            "other; name an --output elsewhere"
        )


def _check_images(
    found: Found, identified: Identified, dataset: Dataset, settings: BuildSettings
) -> None:
    """Raises CancerNetError where no file belongs to the data set, or none to a class."""
    source = settings.source
    if found.images and dataset.name == FOLDER and settings.table is None:
        _check_class_folders(found, dataset, source)
    if len(identified.images):
        if settings.split != "lists":
            counts = identified.images.counts(len(dataset.classes))
            refuse_missing_classes(counts, dataset, identified.left_out)
        return
    there = f"no image ({IMAGES_READ})"
    if found.images:
        first = min(identified.left_out, key=lambda file: file.source)
        detail = f": {first.detail}" if first.detail else ""
        there = (
            f"{len(found.images):,} images, but none that fits; first {first.source} "
            f"({first.reason.value}{detail})"
        )
    advice = (
        f" (origin: {dataset.origin}); --dataset {FOLDER} takes images of your own in other folders"
    )
    if dataset.name == FOLDER:
        advice = f", {SPELLED}"
    raise CancerNetError(f"{source} has {there}; the expected layout is {dataset.layout}{advice}")


def _check_class_folders(found: Found, dataset: Dataset, source: Path) -> None:
    """Raises CancerNetError where a class has no folder, which is perhaps spelled differently."""
    folders = {part for path in found.images for part in path.split("/")[:-1]}
    for name in dataset.classes:
        if name not in folders:
            raise CancerNetError(
                f"there is no folder {name} with images in {source}{did_you_mean(name, folders)}; "
                f"{SPELLED}"
            )


def _check_leaks(leaks: Sequence[Leak], settings: BuildSettings) -> None:
    """Raises SplitError where something leaks, unless the user insists."""
    # Masks were asked for by a flag of their own.
    found = [leak for leak in leaks if leak.kind is not LeakKind.MASKS]
    if found and not settings.allow_leaks:
        named = " ".join(map(name_leak, found)).removesuffix(".")
        raise SplitError(
            f"this split leaks: {named}; {WAYS_OUT.get(settings.split, 'use --split patient')}, or "
            "insist with --allow-leaks, and every report made from it will say so"
        )


def _check_disk(plan: Plan, output: Path, settings: BuildSettings) -> None:
    """Raises CancerNetError where copies do not fit on the disk, or hard links are impossible."""
    if settings.link == "hard":
        if os.stat(settings.source).st_dev != os.stat(output.parent).st_dev:
            raise no_hard_links(str(settings.source), "they are on different disks")
    elif settings.link == "copy":
        need, free = _bytes_of(plan, settings.source), shutil.disk_usage(output.parent).free
        if need > free:
            raise CancerNetError(
                f"the disk is full: copying needs about {need / 1e6:,.1f} MB, and "
                f"{free / 1e6:,.1f} MB are free where {output} is; make room, or use --link hard "
                "or --link symbolic"
            )


def _bytes_of(plan: Plan, source: Path) -> int:
    """Returns the bytes of disk that copies will take, judged by a thousand of the images."""
    step = -(-len(plan) // 1000)
    some = [_size(os.path.join(source, path)) for path in plan.images.sources[::step]]
    blocks = sum(-(-size // BLOCK) for size in some)
    return round(blocks * BLOCK * len(plan) / len(some))


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # it will be left out
