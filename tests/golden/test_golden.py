"""What the programs at the root write and print, held against records.

The programs run as a person runs them, so that the records say nothing of how the package
is arranged inside. After a change that is meant, renew them and read what changed:

    CANCERNET_RENEW_GOLDEN=1 python -m pytest tests/golden
    git diff tests/golden/records

Figures of a training differ between processors: of them the records keep the keys, the
kinds and whether they are defined. Whatever does not hang on arithmetic is kept exactly.
"""

import difflib
import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.golden import pictures, plain
from tests.golden.refusals import REFUSALS, RUNNER, UNDRAWN, WITH_A_RUN
from tests.helpers.strict_json import check_json_files

ROOT = Path(__file__).parents[2]
RECORDS = Path(__file__).parent / "records"
RENEW = "CANCERNET_RENEW_GOLDEN"
SCRIPTS = (
    "build_dataset",
    "train_model",
    "predict",
    "evaluate_model",
    "tune_model",
    "serve",
    "app",
)

# No wrapping, so that a record does not depend on how a version of argparse breaks lines.
ENVIRONMENT = {
    "COLUMNS": "10000", "TZ": "UTC", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONHASHSEED": "0",
    "PYTHONWARNINGS": "ignore", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1",
}  # fmt: skip

OWN = ["--dataset", "folder", "--classes", "no", "yes", "--positive", "yes"]
LISTS = ["--split-lists", "train.txt", "val.txt", "test.txt"]
BUILDS = {
    "idc": ["--source", "idc-original", "--validation-split", "0.25"],
    "idc-by-image": ["--source", "idc-original", "--split", "image", "--allow-leaks"],
    "idc-by-lists": ["--source", "idc-original", "--split", "lists", *LISTS],
    "busi": ["--dataset", "busi", "--source", "busi-original"],
    "mammography": ["--dataset", "mammography", "--source", "mammography-original"],
    "ultrasound": ["--dataset", "ultrasound", "--source", "ultrasound-original"],
    "ultrasound-as-shipped": ["--dataset", "ultrasound", "--source", "ultrasound-original",
                              "--split", "shipped", "--allow-leaks"],
    "scans-by-table": [*OWN, "--source", "scans", "--table", "labels.csv"],
}  # fmt: skip
AUDITS = {
    "idc": ["--audit", "datasets/idc"],
    "ultrasound": ["--audit", "ultrasound-original", "--dataset", "ultrasound",
                   "--report", "ultrasound.audit"],
}  # fmt: skip
TRAINING = ["--data", "datasets/idc", "--run", "output/golden", "--epochs", "10", "--batch-size",
            "8", "--seed", "3", "--precision", "float32", "--learning-rate", "0.01",
            "--batch-norm-momentum", "0.5"]  # fmt: skip
EVALUATIONS = {
    "own-testing-set": ["--subgroups", "sites.csv", "--prevalence", "0.01"],
    "clinic": ["--data", "clinic"],
}
RUN = ["--run", "output/golden"]
PREDICTIONS = {
    "plainly": ("predict.py", ["clinic", *RUN]),
    "as json": ("predict.py", ["clinic", *RUN, "--json"]),
    "table": ("predict.py", ["clinic", *RUN, "--csv", "clinic.csv"]),
}
ALTERED = "predict-altered-run"  # of `WITH_A_RUN`: needs an altered copy of the run

Records = dict[str, str]
Done = subprocess.CompletedProcess[str]
Cases = dict[str, tuple[str, list[str]]]  # name -> script, flags
Outcomes = dict[str, tuple[int, str, str]]  # name -> exit code, stdout, stderr


class Folder:
    """A folder of pictures, in which the programs run."""

    runner: tuple[str, ...] = ("-c", RUNNER)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        pictures.make_idc(folder / "idc-original")

    def make_the_rest(self) -> None:
        """Makes what the training does not wait for."""
        pictures.make_busi(self.folder / "busi-original")
        pictures.make_mammograms(self.folder / "mammography-original")
        pictures.make_ultrasound(self.folder / "ultrasound-original")
        pictures.make_table(self.folder / "scans", self.folder / "labels.csv")
        pictures.make_clinic(self.folder / "clinic")
        (self.folder / "empty").mkdir()
        for name, ids in (("train", "801\n802.0\n803\n"), ("val", "804\n805\n999\n"),
                          ("test", "806\n807\n")):  # fmt: skip
            (self.folder / f"{name}.txt").write_text(ids)
        sites = "".join(f"{patient}.0,{'AB'[n % 2]}\n" for n, patient in
                        enumerate(pictures.IDC_PATIENTS))  # fmt: skip
        (self.folder / "sites.csv").write_text("patient,site\n" + sites)

    def run(self, script: str, *flags: str, text: str | None = None) -> Done:
        """Runs a script of the root in the folder."""
        return self._python([str(ROOT / f"{script}.py"), *flags], text)

    def run_all(self, cases: Cases, runner: tuple[str, ...] = ()) -> Outcomes:
        """Runs scripts one after another in one process: name -> exit code, stdout, stderr."""
        done = self._python([*(runner or self.runner), str(ROOT)], json.dumps(cases))
        # What TensorFlow itself writes goes past the scripts' own stderr.
        assert (done.returncode, done.stderr) == (0, "")
        found: Outcomes = json.loads(done.stdout.splitlines()[-1])
        return found

    def printed(self, done: Done) -> str:
        """Says exit code, stdout and stderr of a program."""
        return self.told((done.returncode, done.stdout, done.stderr))

    def told(self, outcome: tuple[int, str, str], *, trained: bool = False) -> str:
        """The same of an outcome of `run_all`."""
        code, out, err = outcome
        texts = [plain.plain_text(text, folder=self.folder, trained=trained) for text in (out, err)]
        return f"exit code {code}\n--- stdout\n{texts[0]}--- stderr\n{texts[1]}"

    def records_of(self, folder: Path, *, trained: bool = False) -> Records:
        """The text files of a folder in their plain form, and the names of all files."""
        found = {}
        names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        found["files.txt"] = "\n".join(n for n in names if not n.startswith("evaluations/")) + "\n"
        for name in names:
            path = folder / name
            if name.startswith("evaluations/") or path.suffix not in FORMS:
                continue
            text = path.read_text(encoding="utf-8")
            found[name.replace("/", "-") + (".txt" if path.suffix == ".html" else "")] = FORMS[
                path.suffix
            ](text, self.folder, trained)
        return found

    def _python(self, arguments: list[str], text: str | None) -> Done:
        return subprocess.run(
            [sys.executable, *arguments], input=text, capture_output=True, text=True,
            cwd=self.folder, env={**os.environ, **ENVIRONMENT}, check=False,
        )  # fmt: skip


FORMS = {
    ".json": lambda text, folder, trained: plain.json_text(text, trained=trained),
    ".jsonl": lambda text, folder, trained: plain.json_lines(text, trained=trained),
    ".csv": lambda text, folder, trained: plain.csv_text(text, trained=trained),
    ".html": lambda text, folder, trained: plain.page_text(text, folder=folder, trained=trained),
    ".md": lambda text, folder, trained: plain.plain_text(text, folder=folder, trained=trained),
    ".txt": lambda text, folder, trained: plain.plain_text(text, folder=folder, trained=trained),
}


class World(Folder):
    """What the programs make of the pictures."""

    def __init__(self, folder: Path, pool: ThreadPoolExecutor) -> None:
        super().__init__(folder)
        self._pool = pool
        self.idc = self.run("build_dataset", *BUILDS["idc"], "--output", "datasets/idc")
        # Before the training, whose report tells what an audit found.
        self.audit = self.run("build_dataset", *AUDITS["idc"])
        self.make_the_rest()

    @functools.cached_property
    def training(self) -> Future[Outcomes]:
        """A training and what its run is for, in one process; begun when it is first asked for.

        It draws nothing: no record shows a figure.
        """
        assert self.built  # the refusals name these builds
        cases = {"run": ("train_model.py", TRAINING)}
        cases |= {
            f"evaluation-{name}": ("evaluate_model.py", [*RUN, *flags])
            for name, flags in EVALUATIONS.items()
        }
        cases |= {name: case for name, case in WITH_A_RUN.items() if name != ALTERED}
        return self._pool.submit(self.run_all, cases, ("-c", UNDRAWN))

    @functools.cached_property
    def built(self) -> Outcomes:
        """The outcomes of the builds and audits that no training needs; one process makes all."""
        cases = {
            name: ("build_dataset.py", [*flags, "--output", f"datasets/{name}"])
            for name, flags in BUILDS.items()
            if name != "idc"
        }
        cases["audit"] = ("build_dataset.py", AUDITS["ultrasound"])
        return self.run_all(cases)


@pytest.fixture(scope="module")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    in_this_process, chosen = "PYTEST_XDIST_WORKER" not in os.environ, request.session.items
    if in_this_process and any(i.path.stem == "test_reworded" for i in chosen):
        request.getfixturevalue("rewording")  # on the second processor
    with ThreadPoolExecutor(1) as pool:
        found = World(tmp_path_factory.mktemp("golden"), pool)
        if any("trained" in getattr(i, "fixturenames", ()) for i in chosen):
            _ = found.training  # beside the tests that do not need it
        yield found


@pytest.fixture(scope="module")
def trained(world: World) -> Outcomes:
    outcomes = world.training.result()
    assert outcomes["run"][0] == 0, outcomes["run"]
    return outcomes


@pytest.fixture(scope="module")
def predicted(world: World, trained: Outcomes) -> Outcomes:
    altered = world.folder / "altered"
    shutil.copytree(world.folder / "output" / "golden", altered, dirs_exist_ok=True)
    with open(altered / "model.onnx", "ab") as file:
        file.write(b"x")
    return world.run_all({**PREDICTIONS, ALTERED: WITH_A_RUN[ALTERED]})


def compare(room: str, found: Records) -> None:
    """Holds texts against the records of a room, or renews them.

    A room is a folder under `records`; every file in it must have been found.
    """
    folder = RECORDS / room
    if os.environ.get(RENEW):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in found.items():
            (folder / name).write_text(text, encoding="utf-8")
        return
    known = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*"))}
    differences: list[str] = []
    for name in sorted({*known, *found}):
        before, now = known.get(name, ""), found.get(name, "")
        differences += difflib.unified_diff(
            before.splitlines(), now.splitlines(),
            f"records/{room}/{name}", f"now/{room}/{name}" if name in found else "/dev/null",
            n=1, lineterm="",
        )  # fmt: skip
    if differences or known.keys() != found.keys():
        this = os.environ["PYTEST_CURRENT_TEST"].split()[0]
        pytest.fail(
            "\n".join(differences) + f"\n\nIf this is meant, renew this record with `{RENEW}=1 "
            f"python -m pytest '{this}'`, or all of them with `{RENEW}=1 python -m pytest "
            "tests/golden`; then read `git diff tests/golden/records`",
            pytrace=False,
        )


def test_helps(world: World) -> None:
    cases = {name: (f"{name}.py", ["--help"]) for name in SCRIPTS}
    cases |= {f"{name}-all": (f"{name}.py", ["--help-all"]) for name in SCRIPTS}
    cases["list-recipes"] = ("train_model.py", ["--list-recipes"])
    found = world.run_all(cases)
    # A flag a line is easier to compare than one long line.
    compare("help", {
        f"{name}.txt": world.told(outcome).replace(" [-", "\n    [-")
        for name, outcome in found.items()
    })  # fmt: skip


@pytest.mark.parametrize("name", BUILDS)
def test_builds(world: World, name: str) -> None:
    printed = world.printed(world.idc) if name == "idc" else world.told(world.built[name])
    folder = world.folder / "datasets" / name
    found = {"printed.txt": printed}
    for file in ("build.json", "manifest.csv", "left_out.csv"):
        text = (folder / file).read_text(encoding="utf-8")
        found[file] = FORMS[Path(file).suffix](text, world.folder, False)
    compare(f"build-{name}", found)


@pytest.mark.parametrize("name", AUDITS)
def test_audits(world: World, name: str) -> None:
    own = name == "idc"
    printed = world.printed(world.audit) if own else world.told(world.built["audit"])
    folder = world.folder / ("datasets/idc.audit" if own else "ultrasound.audit")
    compare(f"audit-{name}", {"printed.txt": printed, **world.records_of(folder)})


def test_refusals(world: World) -> None:
    found = world.run_all(REFUSALS)
    compare("refusals", {
        "refusals.txt": "".join(f"=== {name}\n{world.told(one)}\n" for name, one in found.items())
    })  # fmt: skip


def test_the_run(world: World, trained: Outcomes) -> None:
    found = {"printed.txt": world.told(trained["run"], trained=True)}
    found |= world.records_of(world.folder / "output" / "golden", trained=True)
    compare("run", found)


@pytest.mark.parametrize("name", EVALUATIONS)
def test_evaluations(world: World, trained: Outcomes, name: str) -> None:
    room = f"evaluation-{name}"
    folder = world.folder / "output" / "golden" / "evaluations" / name
    found = {"printed.txt": world.told(trained[room], trained=True)}
    compare(room, found | world.records_of(folder, trained=True))


@pytest.mark.usefixtures("trained")
def test_every_json_file_is_one_to_a_strict_parser(world: World) -> None:
    """Builds, audits, a run, evaluations; the rooms of folds and studies ask the same of theirs."""
    assert check_json_files(world.folder) == {
        "build.json", "audit.json", "run.json", "log.jsonl", "metrics.json", "evaluation.json",
    }  # fmt: skip


def test_predictions(world: World, predicted: Outcomes) -> None:
    text = (world.folder / "clinic.csv").read_text(encoding="utf-8")
    compare("predictions", {
        "printed.txt": world.told(predicted["plainly"], trained=True),
        "predictions.jsonl": plain.json_lines(predicted["as json"][1], trained=True),
        "predictions.csv": plain.csv_text(text, trained=True),
        "printed-with-csv.txt": world.told(predicted["table"], trained=True),
    })  # fmt: skip


def test_refusals_with_a_run(world: World, trained: Outcomes, predicted: Outcomes) -> None:
    found = trained | predicted
    compare("refusals-with-a-run", {
        "refusals.txt": "".join(
            f"=== {name}\n{world.told(found[name], trained=True)}\n" for name in WITH_A_RUN
        )
    })  # fmt: skip
