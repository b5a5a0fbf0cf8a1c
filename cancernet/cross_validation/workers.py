"""Trains folds in several processes, each with its share of the cores."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cancernet.base.console import progress_bar, typed
from cancernet.base.errors import RunError, StoppedError
from cancernet.base.processor import processors
from cancernet.runs.run_record import Fold

ROOT = Path(__file__).resolve().parents[2]
POLL = 0.2  # seconds
_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from pathlib import Path; "
    "from cancernet.commands.command_line import run; "
    "from cancernet.commands.cross_validate import train_fold; "
    "run(lambda: train_fold(Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])) or 0)"
)


def train_in_processes(folder: Path, data: Path, folds: Sequence[Fold], workers: int) -> None:
    """Trains the folds, `workers` at a time; each writes `fold-XX.log` beside its folder.

    Raises:
        RunError: some folds failed; the others are finished.
        StoppedError: the user pressed Ctrl-C; every fold keeps its last complete epoch.
    """
    again = f"{typed('train')} --resume --run {folder} --data {data} --fold-workers {workers}"
    waiting, failed = list(folds), []
    running: dict[subprocess.Popen, Fold] = {}
    try:
        with progress_bar(title="Folds", total=len(folds), unit=" folds") as bar:
            while waiting or running:
                while waiting and len(running) < workers:
                    fold = waiting.pop(0)
                    running[_start(folder, data, fold, workers)] = fold
                for process in [one for one in running if one.poll() is not None]:
                    fold = running.pop(process)
                    bar.update()
                    if process.returncode:
                        failed.append(fold)
                time.sleep(POLL)
    except KeyboardInterrupt:
        for process in running:
            process.send_signal(signal.SIGINT)
        for process in running:
            process.wait()
        raise StoppedError(
            f"stopped; finished folds and complete epochs are kept; resume with `{again}`"
        ) from None
    if failed:
        raise RunError(
            f"{len(failed)} of {len(folds)} folds failed, the first of them {failed[0].name}; read "
            f"{folder / failed[0].name}.log, then resume with `{again}`"
        )


def _start(folder: Path, data: Path, fold: Fold, workers: int) -> subprocess.Popen:
    cores = str(max(1, processors() // workers))
    threads = {"TF_NUM_INTRAOP_THREADS": cores, "OMP_NUM_THREADS": cores}
    with open(folder / f"{fold.name}.log", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", _CODE, str(ROOT), str(folder), str(fold.number), str(data)],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **threads},
        )
