"""One audit from beginning to end: its checks, lines for a terminal, `audit.json`, and a page."""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cancernet import __version__
from cancernet.auditing import checks, picture_checks, words
from cancernet.auditing.checks import LEAK, Check, CheckKind, Finding
from cancernet.auditing.inventory import Inventory, read_inventory
from cancernet.base.errors import CancerNetError
from cancernet.base.files import json_text, write_bytes
from cancernet.base.parallel import Cluster
from cancernet.base.verdicts import CheckVerdict
from cancernet.base.words import DRAWN_IMAGES, NOTICE, counted
from cancernet.lookalike.near_duplicates import find_near_duplicates, step_bars
from cancernet.lookalike.pictures import look_at_pictures

JSON, PAGE = "audit.json", "audit.html"
SHOWN = 24  # findings of a check whose images are shown on the page
LISTED = 60  # findings about other files that are listed
LONGEST, SHORTEST = 160, 96  # pixels of the longer side of an image on the page


@dataclasses.dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        checks: the answers, in the order of the report.
    """

    inventory: Inventory
    checks: list[Check]

    @property
    def leaks(self) -> list[Check]:
        """The checks that found a leak."""
        return [check for check in self.checks if check.verdict is LEAK]

    @functools.cached_property
    def verdicts(self) -> list[CheckVerdict]:
        """The checks in words."""
        return [words.say_check(check, self.inventory) for check in self.checks]


def audit(
    folder: Path,
    *,
    dataset: str | None = None,
    group_by: str = "",
    cluster: Cluster | None = None,
) -> Audit:
    """Audits a folder; nothing in it is changed.

    Args:
        folder: a built set, or any folder of images.
        dataset: name in the catalogue, for the groups of a folder that was not built here.
        group_by: a pattern that names the group in a path, likewise.
        cluster: workers that read the images in place of this machine's processors.

    Raises:
        CancerNetError: there is nothing to audit.
    """
    inventory = read_inventory(folder, dataset=dataset, group_by=group_by)
    # Before there are pictures in memory: names take much of it too.
    groups = checks.check_groups(inventory)
    families = checks.check_families(inventory)
    confounding = checks.check_confounding(inventory)
    paths = [os.path.abspath(path) for path in inventory.full_paths()]  # noqa: PTH100, by speed
    with step_bars() as progress:
        pictures = look_at_pictures(
            paths,
            progress=lambda done: progress("reading", done, len(paths)),
            elsewhere=None if cluster is None else functools.partial(_on, cluster),
        )
        matter = picture_checks.pairs_that_matter(inventory)
        pairs = find_near_duplicates(paths, pictures=pictures, apart=matter, progress=progress)
    return Audit(
        inventory,
        [
            groups,
            picture_checks.check_identical(inventory, pictures),
            picture_checks.check_near(inventory, pictures, pairs),
            families,
            picture_checks.check_labels(inventory, pairs),
            picture_checks.check_masks(inventory, pictures),
            picture_checks.check_readable(inventory, pictures),
            confounding,
            picture_checks.check_stain(inventory, pictures),
            checks.check_prevalence(inventory),
        ],
    )


def _on(cluster: Cluster, function: Callable[[Any], Any], chunks: Iterator[Any]) -> Iterator[Any]:
    """Maps a function over chunks of paths on the workers, for `look_at_pictures`."""
    done = cluster.in_order(function, chunks, doing=lambda names: f"read {names[0]}")
    return (result for _, result in done)


def lines(audit: Audit) -> list[str]:
    """Returns the table for the terminal, verdict, check and sentence, and what it comes to."""
    inventory = audit.inventory
    groups = f", {counted(len(inventory.groups), inventory.unit)}" if inventory.has_groups else ""
    wide = max(len(one.name) for one in audit.verdicts)
    return [
        f"Audit of {inventory.folder}: {counted(len(inventory), 'image')}{groups}",
        "",
        *(f"{one.verdict:13}  {one.name:{wide}}  {one.sentence}" for one in audit.verdicts),
        "",
        words.conclude(audit.checks, inventory),
    ]


def name_unreadable(audit: Audit) -> list[str]:
    """Returns a line for each image that could not be read."""
    return [
        f"error: {audit.inventory.folder / path}: {words.say_fault(finding.fault)}"
        for check in audit.checks
        if check.kind is CheckKind.READABLE
        for finding in check.findings
        for path in finding.paths
    ]


def write_report(audit: Audit, folder: Path) -> None:
    """Writes `audit.json` and `audit.html` into a folder of their own.

    Raises:
        CancerNetError: the folder holds something other than an earlier report.
    """
    if folder.exists() and not folder.is_dir():
        raise CancerNetError(f"{folder} is a file; name a folder with --report")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / JSON).is_file():
        raise CancerNetError(
            f"{folder} holds other files than an earlier report; name another with --report"
        )
    from cancernet.report.rendering import page_bytes

    folder.mkdir(parents=True, exist_ok=True)
    content = json_text(as_json(audit), indent=1, ascii_only=True)
    write_bytes(folder / JSON, (content + "\n").encode())
    write_bytes(folder / PAGE, page_bytes(page(audit)))


def as_json(audit: Audit) -> dict[str, Any]:
    """The whole audit: every check, and every finding with its images."""
    inventory = audit.inventory
    return {
        "program": f"cancernet {__version__}, build_dataset.py --audit",
        "folder": os.fspath(inventory.folder),
        "title": inventory.title,
        "drawn": inventory.drawn,
        "fingerprint": inventory.fingerprint,
        "images": len(inventory),
        "unit": inventory.unit,
        "groups": len(inventory.groups),
        "grouping": words.say_grouping(inventory),
        "leaks": [f"{one.name}: {one.sentence}" for one in audit.verdicts if one.leaks],
        "checks": [
            {
                **dataclasses.asdict(verdict),
                "numbers": check.numbers,
                "findings": [_finding(inventory, finding) for finding in check.findings],
            }
            for check, verdict in zip(audit.checks, audit.verdicts, strict=True)
        ],
    }


def page(audit: Audit) -> str:
    """Returns the page as one HTML document that fetches nothing."""
    from cancernet.report.rendering import Picture, render, small_picture

    inventory, alerts = audit.inventory, [DRAWN_IMAGES] * audit.inventory.drawn
    if audit.leaks:
        names = ", ".join(one.name for one in audit.verdicts if one.leaks)
        alerts.append(f"LEAK ({names}): {words.TOO_GOOD}.")

    def picture(path: str) -> Picture | None:
        return small_picture(inventory.folder / path, longest=LONGEST, shortest=SHORTEST)

    return render(
        "audit.html.j2",
        title=f"Audit of {inventory.title}",
        notice=NOTICE,
        alerts=alerts,
        inventory=inventory,
        grouping=words.say_grouping(inventory),
        verdicts=audit.verdicts,
        checks=[
            (check, verdict, words.tabulate(check, inventory))
            for check, verdict in zip(audit.checks, audit.verdicts, strict=True)
            if check.findings or check.shares or check.numbers
        ],
        say=words.say_fault,
        picture=picture,
        shown=SHOWN,
        listed=LISTED,
    )


def _finding(inventory: Inventory, finding: Finding) -> dict[str, Any]:
    places = finding.places
    return {
        "words": words.say_fault(finding.fault),
        "paths": [*(inventory.paths[place] for place in places), *finding.paths],
        "splits": [inventory.split_name(place) for place in places],
        "labels": [inventory.label_name(place) for place in places],
        "groups": [inventory.group_name(place) for place in places],
    }
