"""`build_dataset.py --audit`: looks for leaks, without building."""

import argparse
import contextlib
from pathlib import Path

from cancernet.base.cluster import check_wishes
from cancernet.base.errors import EXIT_OK, EXIT_SOME_FAILED, CancerNetError


def add_audit_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of an audit, in a group of their own."""
    add = parser.add_argument_group("looking for leaks, without building").add_argument
    add(
        "--audit",
        nargs="?",
        const="",
        metavar="DIR",
        help="audit a built set (default: --output), or any folder with train, val, test folders; "
        "--dataset or --group-by then say how its names tell patients; exit code 1: it leaks",
    )
    add(
        "--report",
        type=Path,
        metavar="DIR",
        help="folder of the audit's page (default: <set>.audit beside a built set, else here)",
    )
    add("--workers", type=int, default=0, metavar="N", help="read in N Dask processes here")
    add("--scheduler", default="", metavar="ADDRESS", help="use this Dask scheduler's workers")


def audit_command(arguments: argparse.Namespace, built: Path) -> int:
    """Audits a folder, prints the verdicts and writes the report.

    Args:
        arguments: the flags.
        built: the set that is audited where `--audit` names no folder.

    Returns:
        The exit code: 1 when something leaks.

    Raises:
        CancerNetError: nothing there to audit, or the report cannot be written there.
    """
    from cancernet.auditing.audit import audit
    from cancernet.auditing.report import PAGE, lines, write_report
    from cancernet.base.cluster import Cluster

    check_wishes(arguments.workers, arguments.scheduler)
    folder = Path(arguments.audit) if arguments.audit else built
    target = arguments.report or _place_of_report(folder)
    if target.resolve().is_relative_to(folder.resolve()):
        raise CancerNetError(
            f"the report would be inside {folder}, in which nothing is written; name a folder "
            "elsewhere with --report"
        )
    with contextlib.ExitStack() as stack:
        cluster = None
        if arguments.scheduler or arguments.workers:
            cluster = stack.enter_context(
                Cluster(scheduler=arguments.scheduler, workers=arguments.workers)
            )
        found = audit(
            folder,
            dataset=arguments.dataset,
            group_by=arguments.group_by or "",
            cluster=cluster,
        )
    write_report(found, target)
    print("\n".join(lines(found)))
    print(f"Report: {target / PAGE}")
    return EXIT_SOME_FAILED if found.leaks else EXIT_OK


def _place_of_report(folder: Path) -> Path:
    """Returns `<folder>.audit`, beside a built set, and for any other folder here."""
    from cancernet.dataset.manifest import BUILD

    name = f"{folder.resolve().name or 'root'}.audit"
    return folder.resolve().parent / name if (folder / BUILD).is_file() else Path(name)
