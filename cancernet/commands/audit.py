"""What `build_dataset.py --audit` does."""

import contextlib
from pathlib import Path

from cancernet.auditing.audit import audit
from cancernet.auditing.report import PAGE, lines, write_report
from cancernet.base.cluster import Cluster
from cancernet.base.errors import EXIT_OK, EXIT_SOME_FAILED, CancerNetError
from cancernet.dataset.manifest import BUILD


def audit_command(
    folder: Path,
    *,
    report: Path | None,
    dataset: str | None,
    group_by: str,
    scheduler: str = "",
    workers: int = 0,
) -> int:
    """Audits a folder, prints the verdicts and writes the report.

    Args:
        folder: a built set, or any folder of images.
        report: where the report goes; None for `<folder>.audit` beside a built set, and for
            any other folder `<its name>.audit` in the folder one is in.
        dataset: name in the catalogue, to read the groups of a folder not built here.
        group_by: a pattern that names the group in a path, likewise.
        scheduler: address of a Dask scheduler whose workers read the images; or
        workers: how many such processes to start here; neither: in this machine's processors.

    Returns:
        The exit code: 1 when something leaks.

    Raises:
        CancerNetError: nothing there to audit, or the report cannot be written there.
    """
    target = report or _place_of_report(folder)
    _refuse_inside(folder, target)
    with contextlib.ExitStack() as stack:
        cluster = None
        if scheduler or workers:
            cluster = stack.enter_context(Cluster(scheduler=scheduler, workers=workers))
        found = audit(folder, dataset=dataset, group_by=group_by, cluster=cluster)
    write_report(found, target)
    print("\n".join(lines(found)))
    print(f"Report: {target / PAGE}")
    return EXIT_SOME_FAILED if found.leaks else EXIT_OK


def _place_of_report(folder: Path) -> Path:
    name = f"{folder.resolve().name or 'root'}.audit"
    return folder.resolve().parent / name if (folder / BUILD).is_file() else Path(name)


def _refuse_inside(folder: Path, target: Path) -> None:
    if target.resolve().is_relative_to(folder.resolve()):
        raise CancerNetError(
            f"the report would lie inside {folder}, which is only looked at; name a folder "
            "elsewhere with --report"
        )
