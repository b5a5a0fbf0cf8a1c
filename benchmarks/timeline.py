"""What one training does when, and on how many processors.

    python benchmarks/timeline.py DATA [--root DIR] [--rounds N] [--json FILE] [-- FLAGS]

Runs `train_model.py` of this checkout (with --root also of others, in turn) on a built data set
and looks a hundred times a second what its main thread is doing: a stage is an import, or the
function that `train` has called. Processor seconds are those of the process with all its threads
and child processes, so a stage of 1 s and 2 processor seconds kept two cores busy. Every row is the
median of the rounds; where other work shares the machine, processor seconds say more than
wall seconds. FLAGS are those of the training (default: --recipe idc-cancernet-fast --epochs 1).
"""

import argparse
import json
import os
import runpy
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType

from measured import ROOT, run_once, write

INTERVAL = 0.01
IMPORT = "_find_and_load"
FLAGS = ["--recipe", "idc-cancernet-fast", "--epochs", "1"]
AROUND = "all but the epochs"
CONTEXT = "judge_in_context"  # called by `train`
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    arguments = parse_arguments()
    roots = [ROOT, *(root.resolve() for root in arguments.root)]
    rounds: dict[str, list[dict[str, list[float]]]] = {str(root): [] for root in roots}
    with tempfile.TemporaryDirectory() as temporary:
        for number in range(arguments.rounds):
            for place, root in enumerate(roots):
                stages = one_run(root, arguments, Path(temporary, f"{place}-{number}"))
                rounds[str(root)].append(stages)
    for root, found in rounds.items():
        print_table(root, found)
    own = rounds[str(ROOT)]
    around = [middle(own, AROUND, place) for place in (0, 1)]
    context = [statistics.median(in_context(each, place) for each in own) for place in (0, 1)]
    figures = {"flags": arguments.flags, "rounds": rounds, "around": around, "context": context}
    write(arguments.json, figures)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="a built data set")
    parser.add_argument(
        "--root", type=Path, action="append", default=[], help="another checkout, also measured"
    )
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    parser.add_argument("flags", nargs="*", default=FLAGS, help="of the training, after --")
    return parser.parse_args()


def one_run(root: Path, arguments: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """Runs a training in a process of its own; returns stage -> (wall, processor) seconds."""
    report = folder.with_suffix(".json")
    command = [
        sys.executable, __file__, str(arguments.data.resolve()), "--", str(report),
        "--data", str(arguments.data.resolve()), "--run", str(folder), *arguments.flags,
    ]  # fmt: skip
    environment = {"TIMELINE_INSIDE": "1"}
    cost = run_once(command, folder=root, environment=environment)
    stages: dict[str, list[float]] = json.loads(report.read_text())
    seen = [sum(both[place] for both in stages.values()) for place in (0, 1)]
    stages["start and end of Python"] = [cost.seconds - seen[0], cost.cpu_seconds - seen[1]]
    epochs = json.loads((folder / "metrics.json").read_text())["training"]
    stages[AROUND] = [cost.seconds - epochs["seconds"], cost.cpu_seconds - epochs["cpu_seconds"]]
    return stages


def inside(report: Path, flags: list[str]) -> None:
    """Trains in this process, beside a thread that watches."""
    watch = Watch()
    sys.argv = ["train_model.py", *flags]
    sys.path[0] = os.getcwd()
    try:
        runpy.run_path("train_model.py", run_name="__main__")
    finally:
        report.write_text(json.dumps(watch.end()))


class Watch:
    """Looks what the main thread is doing, until `end`."""

    def __init__(self) -> None:
        self._main = threading.get_ident()
        self._stages: dict[str, list[float]] = {}
        self._last = (time.perf_counter(), processor_seconds())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> dict[str, list[float]]:
        self._over.set()
        self._thread.join()
        return self._stages

    def _look(self) -> None:
        while not self._over.wait(INTERVAL):
            stage = self._stages.setdefault(stage_of(sys._current_frames()[self._main]), [0.0, 0.0])
            # A child that has just ended is counted by nobody for a moment.
            now = (time.perf_counter(), max(self._last[1], processor_seconds()))
            for place in (0, 1):
                stage[place] += now[place] - self._last[place]
            self._last = now


def stage_of(frame: FrameType | None) -> str:
    """Names what a thread does: the import of a package, or what `train` has called."""
    frames: list[FrameType] = []
    while frame is not None:
        frames.insert(0, frame)
        frame = frame.f_back
    for each in frames:
        if each.f_code.co_name == IMPORT:
            package = str(each.f_locals.get("name")).partition(".")[0]
            if package not in ("cancernet", "__main__"):
                return f"import {package}"
    own = [
        (Path(each.f_code.co_filename).name, each.f_code.co_name)
        for each in frames
        if f"{os.sep}cancernet{os.sep}" in each.f_code.co_filename
        and not each.f_code.co_name.startswith("<")
    ]
    if ("train.py", "train") in own:
        own = own[own.index(("train.py", "train")) + 1 :]
        return " > ".join(name for _, name in own[:2]) or "train"
    return "before the training" if own else "Python"


def processor_seconds() -> float:
    """Returns the processor time of this process and of those below it, ended ones included."""
    times = os.times()
    return sum(times[:4]) + sum(map(_of_child, _children(os.getpid())))


def _children(process: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        below = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [*below, *(each for child in below for each in _children(child))]


def _of_child(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def middle(rounds: list[dict[str, list[float]]], name: str, place: int) -> float:
    """Returns the median seconds of a stage: wall (place 0) or processor (1)."""
    return statistics.median(stages.get(name, [0.0, 0.0])[place] for stages in rounds)


def in_context(stages: dict[str, list[float]], place: int) -> float:
    """Returns the seconds that fitting the context took."""
    return sum(both[place] for name, both in stages.items() if name.startswith(CONTEXT))


def print_table(root: str, rounds: list[dict[str, list[float]]]) -> None:
    names = dict.fromkeys(name for stages in rounds for name in stages if name != AROUND)
    print(f"\n{root}\n\n| stage | s | processor s |\n|---|---:|---:|")
    for name in [*names, AROUND]:
        wall, processor = (middle(rounds, name, place) for place in (0, 1))
        if max(wall, processor) >= 0.05:
            print(f"| {name} | {wall:.2f} | {processor:.2f} |")


if __name__ == "__main__":
    if "TIMELINE_INSIDE" in os.environ:
        inside(Path(sys.argv[3]), sys.argv[4:])
    else:
        main()
