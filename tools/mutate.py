"""Plants small faults in the code of a room, one at a time, and counts those its tests notice.

    .venv/bin/python -m pip install -e ".[dev,mutation]"      # make mutation does it
    .venv/bin/python tools/mutate.py measures dataset --sample 100
    .venv/bin/python tools/mutate.py runs --only reading.py --sample 0    # every fault of a file
    .venv/bin/python tools/mutate.py runs --again    # what was not noticed, after a new test

The room `measures` is cancernet/measures/ (or cancernet/measures.py), tested by tests/measures/
(or tests/test_measures*.py, or what --tests names). mutmut plants the faults and runs only the
tests that reach the function, in a copy under output/mutation/; nothing here changes. The sample
is the same for the same code and --seed. `late` counts faults that were noticed only because the
tests took far too long: look at them when the machine was busy.

Not planted: faults outside functions and in decorated ones, which mutmut cannot; and those in the
words of a message, in `strict=` and in `encoding=`, which say nothing of the tests. A fault
that changes nothing anybody can see is entered in tools/equivalent_faults.toml with the reason.
"""

import argparse
import ast
import dataclasses
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

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import get_mutant_name

ROOT = Path(__file__).resolve().parents[1]
WORK = Path("output/mutation")
EQUIVALENT = Path("tools/equivalent_faults.toml")
NOTICED = {"killed", "timeout", "segfault"}
CONTEXT = 40  # characters shown on either side of a fault
TABLE = "[tool.mutmut]\n"
SETTINGS = """only_mutate = {files}
also_copy = {others}
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-p", "no:cacheprovider", "--hypothesis-profile=mutation"{deselected}]
"""
# A process that a test starts elsewhere cannot report to mutmut which functions it reaches.
IN_SUBPROCESSES = """import os
if os.environ.get("MUTANT_UNDER_TEST") == "stats":
    os.environ["MUTANT_UNDER_TEST"] = ""
"""


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault: mutmut's name for it, the file and function, and what it changes."""

    name: str
    function: str
    change: str

    def __str__(self) -> str:
        return f"{self.function}: {self.change}"


class Plain(ast.NodeTransformer):
    """Takes out of a function whatever may differ without a meaning for the tests."""

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        """Leaves the kind of an error, not its message."""
        if isinstance(node.exc, ast.Call):
            node.exc.args, node.exc.keywords = [], []
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leaves out `strict=` and `encoding=`."""
        node.keywords = [each for each in node.keywords if each.arg not in ("strict", "encoding")]
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        """Empties the words of a sentence; a name or a key has no space."""
        if isinstance(node.value, str) and " " in node.value:
            return ast.Constant("")
        return node


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
    parser.add_argument("--again", action="store_true", help="only those not noticed last time")
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
    found = {fault.name: fault for path in files for fault in faults_of(path)}
    before = json.loads(record.read_text("utf-8")) if arguments.again else {}
    names = chosen(found, before, arguments)
    if not names:
        print(f"{room}: nothing to try")
        return 0
    tree = WORK / "tree"
    copy_checkout(tree)
    configure(tree, files, tests, arguments.deselect)
    if plant(tree, names, arguments.jobs):
        print(f"{room}: mutmut failed; see {WORK / 'mutmut.log'}", file=sys.stderr)
        return 1
    statuses = {**before, **{name: status for name, status in read(tree, files) if name in names}}
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


def faults_of(path: Path) -> Iterator[Fault]:
    """Yields the faults of a file that tests could be expected to notice."""
    planted = mutate_file_contents(str(path), path.read_text("utf-8"))
    functions = {
        node.name: node
        for node in ast.walk(ast.parse(planted.code))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for name in planted.mutant_names:
        stem = name.partition("__mutmut_")[0]
        before, after = body_of(functions[f"{stem}__mutmut_orig"]), body_of(functions[name])
        if plain(before) != plain(after):
            function = stem.removeprefix("x").strip("ǁ_").replace("ǁ", ".")
            yield Fault(get_mutant_name(path, name), f"{path} {function}", change(before, after))


def body_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Returns arguments and body of a function in one line, without its name."""
    lines = [ast.unparse(function.args), *map(ast.unparse, function.body)]
    return "\n".join(lines)


def plain(body: str) -> str:
    """Returns a function without what tests are not expected to notice."""
    arguments, _, statements = body.partition("\n")
    return arguments + ast.dump(Plain().visit(ast.parse(f"async def f():\n{indented(statements)}")))


def indented(statements: str) -> str:
    """Returns statements as the body of a function."""
    return "\n".join(f"    {line}" for line in statements.split("\n"))


def change(before: str, after: str) -> str:
    """Returns the text around a fault, with what was there and what is: `a «> → >=» b`."""
    start = shared(before, after)
    while start and is_word(before[start - 1]):
        start -= 1
    most = min(len(before), len(after)) - start
    end = shared(before[::-1][:most], after[::-1][:most])
    while end and is_word(before[-end]):
        end -= 1
    left = before[:start][-CONTEXT:].rpartition("\n")[2]
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    right = before[len(before) - end :][:CONTEXT].partition("\n")[0]
    return f"{left}«{old} → {new}»{right}".replace("\n", " ")


def shared(one: str, other: str) -> int:
    """Returns how many characters two texts have in common at their beginning."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def is_word(character: str) -> bool:
    """Whether a character belongs to a name, a number or a longer operator."""
    return character.isalnum() or character in "_<>=!*"


def chosen(
    found: dict[str, Fault], before: dict[str, str], arguments: argparse.Namespace
) -> list[str]:
    """Returns the faults to try: the last survivors, or a sample without the equivalent ones."""
    if arguments.again:
        return [name for name in found if before.get(name, "killed") not in NOTICED]
    named = tomllib.loads(EQUIVALENT.read_text("utf-8")) if EQUIVALENT.exists() else {}
    left_out = {(entry["function"], entry["change"]) for entry in named.get("fault", [])}
    names = sorted(
        name for name, fault in found.items() if (fault.function, fault.change) not in left_out
    )
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
    others = [path.name for path in tree.iterdir() if path.name not in ("cancernet", "tests")]
    settings = SETTINGS.format(
        files=json.dumps([str(path) for path in files]),
        others=json.dumps(others),
        tests=json.dumps(tests),
        deselected="".join(f', "--deselect={test}"' for test in deselected),
    )
    project = tree / "pyproject.toml"
    project.write_text(project.read_text("utf-8").replace(TABLE, TABLE + settings), "utf-8")
    (tree / "started").mkdir()
    (tree / "started" / "sitecustomize.py").write_text(IN_SUBPROCESSES, "utf-8")


def plant(tree: Path, names: list[str], jobs: int) -> int:
    """Lets mutmut try the faults; returns its exit code. Its output goes to a file."""
    mutmut = Path(sys.executable).with_name("mutmut")
    environment = {**os.environ, "PYTHONPATH": str((tree / "started").resolve())}
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
    for kind in sorted(kinds.keys() - NOTICED):
        print(f"  {kind}:")
        for name in sorted(statuses):
            if statuses[name] == kind and name in found:
                print(f"    {found[name]}")


if __name__ == "__main__":
    sys.exit(main())
