"""`build_dataset.py`: builds a data set, or audits one."""

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from cancernet import catalog
from cancernet.base.errors import EXIT_OK, EXIT_SOME_FAILED, CancerNetError
from cancernet.base.parallel import check_cluster_flags
from cancernet.building.settings import FOLDER, BuildSettings
from cancernet.commands.command_line import Parser, add_settings, given_settings
from cancernet.config import DATASETS, ORIGINAL
from cancernet.dataset.notices import Leak, Notice, NoticeKind, say_leaks, say_notice

# Apart from every real data set, so that drawn and real images never come together.
SAMPLE = DATASETS / "sample"


def main(description: str | None) -> int:
    """Builds or audits what the command line says; returns the exit code."""
    arguments = _parse(description)
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
    return _build(arguments, dataset)


def _parse(description: str | None) -> argparse.Namespace:
    parser = Parser(description)
    add_settings(parser, BuildSettings)
    parser.add_argument(
        "--sample",
        action="store_true",
        help=f"draw a sample into {SAMPLE}/original and build from it",
    )
    parser.add_argument(
        "--download", action="store_true", help="fetch the data set with kagglehub first"
    )
    _add_audit_flags(parser)
    return parser.parse_args()


def _build(arguments: argparse.Namespace, name: str) -> int:
    """Builds what the flags ask for; returns the exit code."""
    from cancernet.building.build import build
    from cancernet.building.summary import describe, name_failed

    settings = BuildSettings(
        **{
            "dataset": name,
            "source": _default_source(name, sample=arguments.sample),
            "output": (SAMPLE if arguments.sample else DATASETS) / name,
            **given_settings(arguments, BuildSettings),
        }
    )
    settings = _with_images(settings, arguments)
    announced: set[str] = set()

    def announce(notices: Sequence[Notice], leaks: Sequence[Leak]) -> None:
        for text in [*map(say_notice, notices), say_leaks(leaks)]:
            if text and text not in announced:
                announced.add(text)
                print(f"warning: {text}", file=sys.stderr)

    outcome = build(settings, announce=announce)
    # Once more: the files that had to be left out may have changed the numbers. Those under two
    # labels are named one by one instead.
    announce([one for one in outcome.facts.notices if one.kind is not NoticeKind.DISPUTED], ())
    for line in name_failed(outcome.failed):
        print(line, file=sys.stderr)
    print(describe(outcome))
    return EXIT_SOME_FAILED if outcome.failed else EXIT_OK


def _with_images(settings: BuildSettings, arguments: argparse.Namespace) -> BuildSettings:
    """Draws or fetches the images where that was asked; returns where they are."""
    sample, fetch, given = arguments.sample, arguments.download, arguments.source is not None
    if sample and fetch:
        raise CancerNetError("--sample and --download exclude each other; choose one")
    if fetch and given:
        raise CancerNetError("--download decides where the images go; leave out --source")
    if settings.dataset == FOLDER:
        if sample or fetch:
            raise CancerNetError(
                f"--dataset {FOLDER} has no sample and no download; name your images with "
                f"--source, or a data set of the catalogue: {', '.join(catalog.DATASETS)}"
            )
        if not given:
            raise CancerNetError(
                f"--dataset {FOLDER} needs --source DIR, the folder of your images"
            )
    elif sample:
        from cancernet.sample.layouts import draw_sample

        print(f"Drawing the sample into {settings.source}, unless it is there ...", file=sys.stderr)
        draw_sample(settings.dataset, settings.source)
    elif fetch:
        from cancernet.building.source_files import download

        return dataclasses.replace(settings, source=download(catalog.dataset(settings.dataset)))
    elif not given:
        _refuse_no_data(catalog.dataset(settings.dataset), settings.source)
    return settings


def _default_source(name: str, *, sample: bool) -> Path:
    """Returns where the images of a data set are unless the user says otherwise."""
    folder = SAMPLE / "original" if sample else ORIGINAL
    return folder if name == catalog.DEFAULT else folder.with_name(f"{folder.name}-{name}")


def _refuse_no_data(dataset: catalog.Dataset, folder: Path) -> None:
    if folder.is_dir() and any(entry.name != "README.md" for entry in folder.iterdir()):
        return
    kaggle = f" (Kaggle name {dataset.kaggle})" if dataset.kaggle else ""
    by_itself = ", or use --download" if dataset.kaggle else ""
    flags = "" if dataset.name == catalog.DEFAULT else f" --dataset {dataset.name}"
    raise CancerNetError(
        f"there are no images in {folder}: download {dataset.address}{kaggle} and unpack it "
        f"there{by_itself}; to try everything on a drawn sample: python build_dataset.py "
        f"--sample{flags}"
    )


def _add_audit_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("looking for leaks, without building").add_argument
    add(
        "--audit",
        nargs="?",
        const="",
        metavar="DIR",
        help="audit a built set (default: --output), or any folder with train, val, test folders; "
        "--dataset or --group-by then say how its names tell patients",
    )
    add(
        "--report",
        type=Path,
        metavar="DIR",
        help="folder of the audit's page (default: <set>.audit beside a built set, else here)",
    )
    add("--workers", type=int, default=0, metavar="N", help="read in N Dask processes here")
    add("--scheduler", default="", metavar="ADDRESS", help="use this Dask scheduler's workers")


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
    print("\n".join(lines(found)))
    print(f"Report: {target / PAGE}")
    for line in (unreadable := name_unreadable(found)):
        print(line, file=sys.stderr)
    return EXIT_SOME_FAILED if found.leaks or unreadable else EXIT_OK


def _place_of_report(folder: Path) -> Path:
    """Returns `<folder>.audit`, beside a built set, and for any other folder here."""
    from cancernet.dataset.build_record import BUILD

    name = f"{folder.resolve().name or 'root'}.audit"
    return folder.resolve().parent / name if (folder / BUILD).is_file() else Path(name)
