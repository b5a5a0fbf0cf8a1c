"""One build from beginning to end."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from cancernet.building.check import check_files
from cancernet.building.described import describe_dataset
from cancernet.building.existing import as_built
from cancernet.building.find import find_files
from cancernet.building.identify import identify_paths
from cancernet.building.plan import make_plan
from cancernet.building.record import as_row, read_failed, write_record
from cancernet.building.refuse import check_disk, check_folders, check_images, check_leaks
from cancernet.building.settings import BuildSettings
from cancernet.building.staging import alone, refuse_what_is_not_ours, staged
from cancernet.building.transfer import transfer
from cancernet.dataset.build_record import BuildRecord
from cancernet.dataset.leaks import Leak
from cancernet.dataset.notices import Notice
from cancernet.lookalike.content_groups import group_by_content

Announce = Callable[[Sequence[Notice], Sequence[Leak]], None]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a build did.

    Attributes:
        output: the built set.
        facts: the content of its `build.json`.
        failed: files with a defect, as `left_out.csv` says it: source, reason, detail.
        unchanged: it was there already, exactly so; nothing was written.
    """

    output: Path
    facts: BuildRecord
    failed: list[tuple[str, str, str]]
    unchanged: bool


def build(settings: BuildSettings, *, announce: Announce = lambda notices, leaks: None) -> Outcome:
    """Builds a data set; the output folder is complete or as it was before.

    Args:
        settings: every choice.
        announce: told what a reader must know before anything is written.

    Raises:
        CancerNetError: bad input or settings; the message says what to do.
        OSError: the disk is full, or may not be written.
    """
    # A link to a folder on a larger disk stays a link; what it leads to is replaced.
    output = Path(os.path.realpath(settings.output))
    check_folders(settings.source, output)
    refuse_what_is_not_ours(output)
    found = find_files(settings.source)
    dataset = describe_dataset(settings, found.images)
    identified = identify_paths(found.images, dataset)
    check_images(found, identified, dataset, settings.source)
    if dataset.by_content:
        # Comparing images takes much longer than reading paths: not again for what is there.
        facts = as_built(output, settings, found, identified, identified.images.sources)
        if facts is not None:
            return _unchanged(facts, settings)
        images = group_by_content(settings.source, identified.images)
        identified = dataclasses.replace(identified, images=images)
    plan = make_plan(identified.images, dataset, settings)
    check_leaks(plan.leaks, settings)
    announce([*identified.notices, *plan.notices], plan.leaks)
    with alone(output):
        facts = as_built(output, settings, found, identified, plan.images.sources)
        if facts is not None:
            return _unchanged(facts, settings)
        check_disk(plan, output, settings)
        with staged(output) as staging:
            plan.make_folders(staging)
            done = transfer(plan, staging, settings)
            checked = check_files(staging, plan, done, identified.left_out, settings)
            check_leaks(checked.plan.leaks, settings)
            facts, failed = write_record(staging, checked, found, identified, settings)
    return Outcome(settings.output, facts, [as_row(file) for file in failed], unchanged=False)


def _unchanged(facts: BuildRecord, settings: BuildSettings) -> Outcome:
    check_leaks(facts.leaks, settings)
    failed = read_failed(settings.output, facts.failed_reasons)
    return Outcome(settings.output, facts, failed, unchanged=True)
