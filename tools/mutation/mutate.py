"""Plants small faults in the code of a room, one at a time, and counts those its tests notice.

    make mutation ROOMS="measures dataset" SAMPLE=100      # installs mutmut, then the same as
    .venv/bin/python tools/mutation/mutate.py measures dataset --sample 100

One file with every fault, then only those that were not noticed, after a new test:

    .venv/bin/python tools/mutation/mutate.py runs --only reading.py --sample 0
    .venv/bin/python tools/mutation/mutate.py runs --only reading.py --again

The room `measures` is cancernet/measures/ (or cancernet/measures.py), tested by tests/measures/
(or tests/test_measures*.py, or what --tests names). mutmut plants the faults and runs only the
tests that reach the function, in a copy under output/mutation/; nothing here changes. The sample
is the same for the same code and --seed. `late` counts faults that were noticed only because the
tests took far too long: try them again if the machine was busy.

Not planted: faults outside functions and in decorated ones, which mutmut cannot; and those in the
words of a message, in `strict=` and in `encoding=`, which say nothing of the tests. A fault
that changes nothing anybody can see is entered in tools/mutation/equivalent.toml with the reason.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from faults import Fault, faults_of
from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).resolve().parents[2]
WORK = Path("output/mutation")
EQUIVALENT = Path("tools/mutation/equivalent.toml")
NOTICED = {"killed", "timeout", "segfault"}
TABLE = "[tool.mutmut]\n"
PYTEST = ["-p", "reached", "-p", "no:cacheprovider", "--hypothesis-profile=mutation"]


def main() -> int:
    """Tries every room in turn; 1 when a room cannot be tried."""
    arguments = parse_arguments()
    os.chdir(ROOT)
    print(
        f"{'room':<18}{'faults':>8}{'tried':>8}{'noticed':>9}{'late':>6}{'share':>8}{'minutes':>9}"
    )
    return max([try_room(room, arguments) for room in arguments.rooms])


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rooms", nargs="+", metavar="ROOM", help="a folder or file of cancernet/")
    parser.add_argument("--only", nargs="+", default=["*.py"], metavar="GLOB", help="its files")
    parser.add_argument("--tests", nargs="+", default=[], metavar="PATH", help="tests to run")
    parser.add_argument("--deselect", nargs="+", default=[], metavar="TEST", help="tests to leave")
    parser.add_argument("--sample", type=int, default=100, help="faults a room; 0: all (100)")
    parser.add_argument("--seed", type=int, default=7, help="which faults the sample takes (7)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="faults tried at once")
    parser.add_argument(
        "--again", action="store_true", help="only those not noticed, or late, last time"
    )
    return parser.parse_args()


def try_room(room: str, arguments: argparse.Namespace) -> int:
    """Tries the faults of one room and prints its line."""
    start = time.monotonic()
    files = files_of(room, arguments.only)
    tests = arguments.tests or tests_of(room)
    if not files or not tests:
        print(f"{room}: no such files or no tests in this checkout", file=sys.stderr)
        return 1
    record = WORK / f"{room.replace('/', '.')}.json"
    if arguments.again and not record.exists():
        print(f"{room}: not tried yet, so leave out --again", file=sys.stderr)
        return 1
    known = equivalent_faults()
    found = {
        fault.name: fault
        for path in files
        for fault in faults_of(path)
        if (fault.function, fault.change) not in known
    }
    before = json.loads(record.read_text("utf-8")) if arguments.again else {}
    names = chosen(sorted(found), before, arguments)
    if not names:
        print(f"{room}: nothing to try")
        return 0
    tree = WORK / "tree"
    copy_checkout(tree)
    configure(tree, files, tests, arguments.deselect)
    if plant(tree, names, arguments.jobs):
        print(f"{room}: mutmut failed; see {WORK / 'mutmut.log'}", file=sys.stderr)
        return 1
    statuses = {name: status for name, status in before.items() if name in found}
    statuses |= {name: status for name, status in read(tree, files) if name in names}
    record.write_text(json.dumps(statuses, indent=1), "utf-8")
    report(room, found, statuses, time.monotonic() - start)
    return 0


def files_of(room: str, globs: list[str]) -> list[Path]:
    """Returns the files of a room, relative to the checkout."""
    place = Path("cancernet") / room
    if place.is_dir():
        return sorted({path for glob in globs for path in place.rglob(glob)})
    return [path for path in (place, place.with_name(f"{place.name}.py")) if path.is_file()]


def tests_of(room: str) -> list[str]:
    """Returns the folder or the files that test a room."""
    place = Path("tests") / room.removesuffix(".py")
    if place.is_dir():
        return [str(place)]
    return sorted(map(str, place.parent.glob(f"test_{place.name}*.py")))


def equivalent_faults() -> set[tuple[str, str]]:
    """Returns function and change of the faults that are known to change nothing."""
    entries = tomllib.loads(EQUIVALENT.read_text("utf-8")).get("fault", [])
    return {(entry["function"], entry["change"]) for entry in entries}


def chosen(names: list[str], before: dict[str, str], arguments: argparse.Namespace) -> list[str]:
    """Returns the faults to try: those not noticed or only late before, or a sample."""
    if arguments.again:
        return [name for name in names if before.get(name, "killed") != "killed"]
    if arguments.sample and arguments.sample < len(names):
        return sorted(random.Random(arguments.seed).sample(names, arguments.sample))
    return names


def copy_checkout(tree: Path) -> None:
    """Copies what git would see of the checkout, changes that are not committed included."""
    shutil.rmtree(tree, ignore_errors=True)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, text=True).split("\0"):
        if name and Path(name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, tree / name)


def configure(tree: Path, files: list[Path], tests: list[str], deselected: list[str]) -> None:
    """Writes mutmut's settings into the copy."""
    settings = {
        "only_mutate": [str(path) for path in files],
        "also_copy": [path.name for path in tree.iterdir() if path.name != "cancernet"],
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": [*PYTEST, *(f"--deselect={test}" for test in deselected)],
    }
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in settings.items()]
    project = tree / "pyproject.toml"
    whole = project.read_text("utf-8").replace(TABLE, TABLE + "".join(lines))
    project.write_text(whole, "utf-8")


def plant(tree: Path, names: list[str], jobs: int) -> int:
    """Lets mutmut try the faults; returns its exit code. Its output goes to a file."""
    mutmut = Path(sys.executable).with_name("mutmut")
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent),  # sitecustomize.py and reached.py
        "MUTATION_REACHED": str((WORK / "reached.txt").resolve()),
    }
    with open(WORK / "mutmut.log", "w", encoding="utf-8") as log:
        return subprocess.run(
            [mutmut, "run", "--max-children", str(jobs), *names],
            cwd=tree, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False,
        ).returncode  # fmt: skip


def read(tree: Path, files: list[Path]) -> Iterator[tuple[str, str]]:
    """Yields each fault's name and what became of it."""
    for path in files:
        kept = tree / "mutants" / f"{path}.meta"
        if kept.exists():
            codes = json.loads(kept.read_text("utf-8"))["exit_code_by_key"]
            yield from ((name, status_by_exit_code[code]) for name, code in codes.items())


def report(room: str, found: dict[str, Fault], statuses: dict[str, str], seconds: float) -> None:
    """Prints the room's line and each fault that was not noticed."""
    kinds = Counter(statuses.values())
    noticed = sum(kinds[kind] for kind in NOTICED)
    late, share = kinds["timeout"], f"{noticed / len(statuses):.0%}"
    counts = f"{len(found):>8}{len(statuses):>8}{noticed:>9}{late:>6}{share:>8}"
    print(f"{room:<18}{counts}{seconds / 60:>9.1f}", flush=True)
    for kind in sorted(kinds.keys() - {"killed"}):
        print(f"  {kind}:")
        for name in sorted(statuses):
            if statuses[name] == kind:
                print(f"    {found[name]}")


if __name__ == "__main__":
    sys.exit(main())
