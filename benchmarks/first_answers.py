"""The first answer of several runs, from the start of `predict.py` to its end, in seconds.

    python benchmarks/first_answers.py RUN RUN ... --patches PATCH ... [--rounds 5]

Every patch is judged alone and, where a run judges in context, with the neighbours that lie beside
it. Whole processes, the runs in turn. In brackets, how many times the first run's seconds that is.
"""

import argparse
import sys
from pathlib import Path

from measured import ROOT, interleaved, median

ALONE = "alone"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--patches", type=Path, nargs="+", required=True)
    parser.add_argument("--rounds", type=int, default=5, help="of which the medians are shown")
    arguments = parser.parse_args()
    first, *others = arguments.patches
    asked = {ALONE: [first, "--alone"], **{path.name: [path] for path in [first, *others]}}
    print(f"| run | {' | '.join(asked)} | peak memory, MB |\n|---|{'---:|' * (len(asked) + 1)}")
    found = {name: seconds(arguments.runs, rest, arguments.rounds) for name, rest in asked.items()}
    for run in arguments.runs:
        cells = [
            f"{took[run][0]:.2f} ({took[run][0] / took[arguments.runs[0]][0]:.2f})"
            for took in found.values()
        ]
        print(
            f"| {run.name} | {' | '.join(cells)} | {max(t[run][1] for t in found.values()):.0f} |"
        )


def seconds(runs: list[Path], rest: list[object], rounds: int) -> dict[Path, tuple[float, float]]:
    """Returns the median seconds and peak megabytes of every run."""
    commands = {
        str(run): [sys.executable, ROOT / "predict.py", *rest, "--run", run] for run in runs
    }
    costs = interleaved(commands, rounds)
    return {
        run: (median(costs[str(run)], "seconds"), median(costs[str(run)], "peak_megabytes"))
        for run in runs
    }


if __name__ == "__main__":
    main()
