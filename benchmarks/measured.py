"""Runs a command as a whole process and says what it cost."""

import dataclasses
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Cost:
    """Wall seconds, processor seconds (user + system) and peak memory of one process."""

    seconds: float
    cpu_seconds: float
    peak_megabytes: float


def run_once(
    command: list[object],
    *,
    folder: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    exit_code: int = 0,
) -> Cost:
    """Runs a command in a folder to its end, output thrown away; `environment` is added to ours.

    Raises:
        SystemExit: it ended with another exit code; its last lines of stderr are shown.
    """
    added = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})}
    # Without it every start would compile the checkout anew, but not what is installed.
    added.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        env=added,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != exit_code:
        sys.exit(f"{command} failed:\n{errors.decode(errors='replace')[-2000:]}")
    return Cost(
        seconds=time.perf_counter() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_megabytes=usage.ru_maxrss / 1024,
    )


def interleaved(
    commands: dict[str, list[object]], runs: int, *, exit_code: int = 0
) -> dict[str, list[Cost]]:
    """Runs the commands in turn, A B A B, after one uncounted round, and gives every cost."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for count in range(runs + 1):
        for name, command in commands.items():
            cost = run_once(command, exit_code=exit_code)
            if count:
                costs[name].append(cost)
    return costs


def median(costs: list[Cost], field: str) -> float:
    """Returns the median of one field over the runs."""
    return statistics.median(getattr(cost, field) for cost in costs)


def circumstances() -> dict[str, object]:
    """Machine, versions and commit, for the record of a measurement."""
    processor = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(
            (x.partition(":")[2].strip() for x in lines if x.startswith("model name")), processor
        )
    except OSError:
        pass
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    names = ("tensorflow", "keras", "numpy", "onnxruntime", "pillow", "opencv-python-headless")
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in names},
        "commit": commit,
    }


def write(path: Path | None, content: Mapping[str, object]) -> None:
    """Writes the figures and their circumstances as JSON."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**circumstances(), **content}, indent=1) + "\n")
