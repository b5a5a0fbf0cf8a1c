"""Finished runs of `patients_left_out.py`, for what judges them again."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from judged import DENSE

from cancernet.runs.run_folder import Run, open_run


def parse_arguments(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("work", type=Path, help="the --work of patients_left_out.py")
    parser.add_argument("--runs", default="run-idc-cancernet-[0-9]*", help="pattern of their names")
    parser.add_argument("--dense", nargs="+", default=DENSE, help="patients judged one by one")
    return parser.parse_args()


def finished_runs(arguments: argparse.Namespace) -> Iterator[tuple[int, Run]]:
    """Yields the fold of each finished run that is named, and the run, by name."""
    for folder in sorted(arguments.work.glob(arguments.runs)):
        if (folder / "metrics.json").exists():
            run = open_run(folder)
            yield int(folder.name.removeprefix(f"run-{run.record.recipe}-").split("-")[0]), run
