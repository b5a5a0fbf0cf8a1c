"""Feeds hostile inputs to everything that reads files from others, for as long as you like.

    python benchmarks/fuzz.py --minutes 10 [--only image --only run.json] [--seed 3]
    python benchmarks/fuzz.py --images 1000

The inputs are those of `tests/helpers/hostile_parsers.py`; Hypothesis makes and shrinks them,
without guidance by coverage. Each parser gets one line: inputs tried, the slowest in seconds, and
every fault with its place. With `--images N` as many damaged files of each later format (or a few
more): how many were read all the same, how many ended in a sentence, and the most memory so far.
A fault is an exception other than CancerNetError, a started program, unpickling, a write outside
the folder, more than 10 processor seconds, or more than `--memory` bytes of address space (Linux).
The exit code is 1 when there was a fault.
"""

import argparse
import collections
import os
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.helpers.hostile_parsers import Parser

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SLOW = 10.0
ROUND = 100  # examples of a parser before the next has its turn


def main() -> int:
    arguments = parse_arguments()
    limit_memory(arguments.memory)
    from tests.helpers.hostile_parsers import BY_FORMAT, PARSERS

    if arguments.images:
        return by_format(BY_FORMAT, arguments.images, arguments.seed, arguments.only)
    wanted = [p for p in PARSERS if not arguments.only or any(o in p.name for o in arguments.only)]
    tried: collections.Counter[str] = collections.Counter()
    slowest: dict[str, float] = collections.defaultdict(float)
    faults: dict[str, dict[str, str]] = collections.defaultdict(dict)
    end = time.monotonic() + 60 * arguments.minutes
    turn = arguments.seed
    while time.monotonic() < end:
        for parser in wanted:
            if time.monotonic() < end:
                one_round(parser, turn, tried, slowest, faults)
        turn += 1
    for parser in wanted:
        name = parser.name
        print(f"{name:<28}{tried[name]:>8} tried  slowest {slowest[name]:6.3f} s  "
              f"{len(faults[name])} faults")  # fmt: skip
        for place, words in faults[name].items():
            print(f"    {place}: {words}")
    inputs = sum(tried[parser.name] for parser in wanted)
    print(f"{inputs} inputs, {sum(map(len, faults.values()))} faults")
    return 1 if any(faults.values()) else 0


def by_format(parsers: Mapping[str, "Parser"], images: int, seed: int, only: list[str]) -> int:
    """Tries as many damaged files of each format; prints a table."""
    found = 0
    print(f"before the first: {peak_memory():.0f} MB\n")
    print(
        "| format | damaged files | read | refused in a sentence | faults | slowest, s | memory |"
    )
    print("|---|---|---|---|---|---|---|")
    for kind, parser in parsers.items():
        if only and not any(name in kind for name in only):
            continue
        tried: collections.Counter[str] = collections.Counter()
        slowest: dict[str, float] = collections.defaultdict(float)
        faults: dict[str, dict[str, str]] = collections.defaultdict(dict)
        turn = seed
        while tried[kind] < images:
            one_round(parser, turn, tried, slowest, faults)
            turn += 1
        read, wrong = tried[f"{kind} read"], len(faults[kind])
        found += wrong
        print(f"| {kind} | {tried[kind]:,} | {read:,} | {tried[kind] - read - wrong:,} | {wrong} | "
              f"{slowest[kind]:.2f} | {peak_memory():.0f} MB |", flush=True)  # fmt: skip
        for place, words in faults[kind].items():
            print(f"    {place}: {words}")
    return 1 if found else 0


def peak_memory() -> float:
    """The most memory that this process has had resident, MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (default 1)")
    parser.add_argument("--images", type=int, default=0, help="damaged files of each later format")
    parser.add_argument("--only", action="append", default=[], help="parsers whose names hold this")
    parser.add_argument("--seed", type=int, default=1, help="of the first round (default 1)")
    parser.add_argument("--memory", type=float, default=8e9, help="bytes (default 8e9)")
    return parser.parse_args()


def limit_memory(size: float) -> None:
    """Lets the program fail rather than the machine swell."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (int(size), int(size)))


def one_round(
    parser: "Parser",
    turn: int,
    tried: collections.Counter[str],
    slowest: dict[str, float],
    faults: dict[str, dict[str, str]],
) -> None:
    """Tries a hundred inputs; notes faults by the place they come from and goes on."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    from tests.helpers.hostile_watch import watched

    def attempt(value: Any) -> None:
        tried[parser.name] += 1
        started = time.process_time()  # whatever else the machine does
        try:
            with tempfile.TemporaryDirectory(dir=base) as folder:
                inner = Path(folder) / "in"
                inner.mkdir()
                with watched(Path(folder)):
                    tried[f"{parser.name} read"] += bool(parser.feed(inner, value))
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            ours = [f for f in frames if "/cancernet/" in f.filename] or frames
            place = f"{os.path.relpath(ours[-1].filename, ROOT)}:{ours[-1].lineno}"
            where = f"{place} {type(error).__name__}"
            faults[parser.name].setdefault(where, f"{error!s:.120} from {value!r:.160}")
        seconds = time.process_time() - started
        slowest[parser.name] = max(slowest[parser.name], seconds)
        if seconds > SLOW:
            faults[parser.name].setdefault(f"slow, {seconds:.0f} s", f"{value!r:.160}")

    examples = max(3, int(ROUND * parser.share))
    with tempfile.TemporaryDirectory() as base, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = settings(
            max_examples=examples, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(given(parser.inputs)(attempt))  # fmt: skip
        seed(random.Random(f"{parser.name} {turn}").getrandbits(32))(run)()


if __name__ == "__main__":
    sys.exit(main())
