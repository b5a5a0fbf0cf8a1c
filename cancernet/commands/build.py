"""`build_dataset.py`: builds a data set, or audits one."""

import argparse
import contextlib
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cancernet import catalog
from cancernet.base.console import YELLOW, fitted
from cancernet.base.errors import EXIT_OK, EXIT_SOME_FAILED, CancerNetError
from cancernet.base.parallel import check_cluster_flags
from cancernet.building.settings import SAMPLE, BuildSettings, prepare
from cancernet.commands.command_line import (
    Parser,
    add_settings,
    alert,
    command_parser,
    given_settings,
)
from cancernet.config import DATASETS
from cancernet.dataset.notices import Leak, Notice, NoticeKind, say_leaks, say_notice

if TYPE_CHECKING:
    from cancernet.building.build import Outcome


def main() -> int:
    """Builds or audits what the command line says; returns the exit code."""
    arguments = _parse()
    dataset = arguments.dataset or catalog.DEFAULT
    check_cluster_flags(arguments.workers, arguments.scheduler)
    if arguments.audit is not None:
        built = arguments.output or DATASETS / dataset
        return audit_command(
            Path(arguments.audit) if arguments.audit else built,
            report=arguments.report,
            dataset=arguments.dataset,
            group_by=arguments.group_by or "",
            scheduler=arguments.scheduler,
            workers=arguments.workers,
        )
    if arguments.workers or arguments.scheduler:
        raise CancerNetError("--workers and --scheduler are for --audit; a build has its own")
    given = given_settings(arguments, BuildSettings)
    outcome = build_and_tell(prepare(given, sample=arguments.sample, download=arguments.download))
    return EXIT_SOME_FAILED if outcome.failed else EXIT_OK


def _parse() -> argparse.Namespace:
    parser = command_parser("build")
    add_settings(parser, BuildSettings)
    parser.add_argument(
        "--sample",
        action="store_true",
        help="draw a sample and build from it: --source is where it is drawn (default: "
        f"{SAMPLE}/original, or {SAMPLE}/original-<data set>), --output the built set (default: "
        f"{SAMPLE}/<data set>)",
    )
    parser.add_argument(
        "--download", action="store_true", help="fetch the data set with kagglehub first"
    )
    _add_audit_flags(parser)
    return parser.parse_args()


def build_and_tell(settings: BuildSettings) -> "Outcome":
    """Builds a data set; prints what a reader must know beforehand, and the result."""
    from cancernet.building.build import build
    from cancernet.building.summary import describe, name_failed

    announced: set[str] = set()

    def announce(notices: Sequence[Notice], leaks: Sequence[Leak], untold: NoticeKind) -> None:
        told = [notice for notice in notices if notice.kind is not untold]
        for text in [*map(say_notice, told), say_leaks(leaks)]:
            if text and text not in announced:
                announced.add(text)
                alert(f"warning: {text}", YELLOW)

    # How many look alike under two labels is known when exact copies of this kind are left out.
    outcome = build(settings, announce=functools.partial(announce, untold=NoticeKind.TWO_LABELS))
    # Once more: the files that had to be left out may have changed the numbers. Those under two
    # labels are named one by one instead.
    announce(outcome.facts.notices, (), NoticeKind.DISPUTED)
    for line in name_failed(outcome.failed):
        print(line, file=sys.stderr)
    print(fitted(describe(outcome)))
    return outcome


def _add_audit_flags(parser: Parser) -> None:
    add = parser.add_argument_group("looking for leaks, without building").add_argument
    add(
        "--audit",
        nargs="?",
        const="",
        metavar="DIR",
        help="audit a built set (default: --output), or any folder with train, val, test folders; "
        "--dataset or --group-by then say how its names tell patients",
    )
    parser.rare += [
        add(
            "--report",
            type=Path,
            metavar="DIR",
            help="folder of the audit's page (default: <set>.audit beside a built set, else here)",
        ),
        add("--workers", type=int, default=0, metavar="N", help="read in N Dask processes here"),
        add("--scheduler", default="", metavar="ADDRESS", help="use this Dask scheduler's workers"),
    ]


def audit_command(
    folder: Path,
    *,
    report: Path | None,
    dataset: str | None,
    group_by: str,
    scheduler: str = "",
    workers: int = 0,
) -> int:
    """Audits a folder, prints the verdicts and writes the report; the others are the flags.

    Returns:
        The exit code: 1 when something leaks or an image could not be read.

    Raises:
        CancerNetError: nothing there to audit, or the report cannot be written there.
    """
    from cancernet.auditing.audit import PAGE, audit, lines, name_unreadable, write_report
    from cancernet.base.parallel import Cluster

    target = report or _place_of_report(folder)
    if target.resolve().is_relative_to(folder.resolve()):
        raise CancerNetError(
            f"the report would be inside {folder}, in which nothing is written; name a folder "
            "elsewhere with --report"
        )
    with contextlib.ExitStack() as stack:
        cluster = None
        if scheduler or workers:
            cluster = stack.enter_context(Cluster(scheduler=scheduler, workers=workers))
        found = audit(folder, dataset=dataset, group_by=group_by, cluster=cluster)
    write_report(found, target)
    print(fitted("\n".join(lines(found))))
    print(f"Report: {target / PAGE}")
    for line in (unreadable := name_unreadable(found)):
        print(line, file=sys.stderr)
    return EXIT_SOME_FAILED if found.leaks or unreadable else EXIT_OK


def _place_of_report(folder: Path) -> Path:
    """Returns `<folder>.audit`, beside a built set, and for any other folder here."""
    from cancernet.dataset.build_record import BUILD

    name = f"{folder.resolve().name or 'root'}.audit"
    return folder.resolve().parent / name if (folder / BUILD).is_file() else Path(name)
