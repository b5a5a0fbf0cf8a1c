"""Kills trainings at random moments, resumes them, compares every number with an undisturbed run.

    python benchmarks/random_kills.py [--kills 30] [--others 6] [--only KIND ...] [--json FILE]

A small sample is drawn and built. Two runs of each kind are left undisturbed, compared and timed.
Then further runs are started and killed (SIGKILL, with everything they started) at a random moment
of that time: while Python starts, while images are decoded and kept, in an epoch, in a checkpoint,
while models are written, drawn and scored. Every fifth run is killed a second time after it was
resumed. Each run is resumed as a person would do it, until it is done. Weights, ONNX file, history,
metrics and predictions are then compared bit by bit; only times may differ.

    training   CancerNet, 3 epochs, with averaged weights, patience, plateau and mixup
    phases     VGG16, the head for 2 epochs, then the last layers for 2
    folds      CancerNet in 2 folds of whole patients, 2 epochs each
    search     4 trials of tune_model.py in 2 folds
"""

import argparse
import collections
import csv
import dataclasses
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from drawn import built_sample

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TIMES = {"seconds", "cpu_seconds", "images_per_second", "epoch_seconds"}
SMALL = ["--batch-size", "16", "--limit", "48", "--seed", "3"]
KEPT = ["--weight-averaging", "0.9", "--patience", "3", "--plateau-factor", "0.5",
        "--plateau-patience", "1", "--monitor", "val_loss", "--schedule", "constant"]  # fmt: skip
PHASES = ["--model", "vgg16", "--image-size", "32", "--epochs", "2", "--freeze", "yes",
          "--fine-tune-epochs", "2", "--fine-tune-layers", "3", "--schedule", "constant",
          "--fine-tune-learning-rate", "1e-4"]  # fmt: skip
FIVE_TIMES = 5  # every n-th attempt is killed twice


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of training: how it is started, gone on with, and what it leaves.

    Attributes:
        name: in the table.
        script: the program.
        flags: of the first start, without data and run.
        results: from the run folder to {what: digest}.
    """

    name: str
    script: str
    flags: list[str]
    results: Callable[[Path], dict[str, str]]

    def start(self, data: Path, run: Path) -> list[str]:
        """The first command."""
        where = ["--run", str(run)]
        if self.script == "tune_model.py":
            where = ["--study", str(run / "study.db")]
        return [sys.executable, self.script, "--data", str(data), *where, *self.flags]

    def go_on(self, data: Path, run: Path) -> list[str]:
        """The command after a kill; a search goes on with its first one."""
        if self.script == "tune_model.py":
            return self.start(data, run)
        return [sys.executable, self.script, "--resume", "--run", str(run)]


def of_a_run(run: Path) -> dict[str, str]:
    """Digests of what a finished run holds, without the times it took."""
    return {
        "weights": digest_of_weights(run / "model.keras"),
        "ONNX weights": digest_of_onnx(run / "model.onnx"),
        "history": digest(history_without_times(run / "history.csv")),
        "metrics": digest(json_without_times(run / "metrics.json")),
        "predictions": digest(
            (run / "predictions.csv").read_bytes()
            + (run / "validation_predictions.csv").read_bytes()
        ),
    }


def of_folds(run: Path) -> dict[str, str]:
    """The same of every fold, and of the pooled predictions."""
    found: dict[str, list[str]] = collections.defaultdict(list)
    for fold in sorted(run.glob("fold-*")):
        for name, value in of_a_run(fold).items():
            found[name].append(value)
    found["metrics"].append(digest(json_without_times(run / "metrics.json")))
    found["predictions"].append(digest((run / "predictions.csv").read_bytes()))
    return {name: " ".join(values) for name, values in found.items()}


def of_a_search(run: Path) -> dict[str, str]:
    """Digests of the trials that ended, in their order, and of the best settings."""
    with open(run / "study" / "trials.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["state"] in ("done", "pruned")]
    trials = [{k: v for k, v in row.items() if k not in (*TIMES, "trial")} for row in rows]
    best = json.loads((run / "study" / "best-recipe.json").read_text(encoding="utf-8"))
    del best["found"]["trial"]  # a trial that was cut off has a number too
    return {
        "trials": digest(json.dumps(trials).encode()),
        "best settings": digest(json.dumps(best).encode()),
    }


KINDS = {
    kind.name: kind
    for kind in (
        Kind("training", "train_model.py", ["--epochs", "3", *KEPT, *SMALL], of_a_run),
        Kind("phases", "train_model.py", [*PHASES, *SMALL], of_a_run),
        Kind("folds", "train_model.py", ["--folds", "2", "--epochs", "2", *SMALL], of_folds),
        Kind(
            "search",
            "tune_model.py",
            ["--trials", "4", "--folds", "2", "--search", "learning_rate=1e-4..1e-1:log",
             "--search", "epochs=1..2", *SMALL],
            of_a_search,
        ),
    )
}  # fmt: skip


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def digest_of_weights(path: Path) -> str:
    """Digest of every array in a Keras file, with its name; the archive itself holds times."""
    import io

    import h5py

    total = hashlib.sha256()

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            total.update(f"{name} {item.dtype} {item.shape}".encode() + item[()].tobytes())

    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content) as file:
        file.visititems(add)
    return total.hexdigest()[:16]


def digest_of_onnx(path: Path) -> str:
    """Digest of every array in an ONNX file; the order of its nodes is another each time."""
    import onnx

    arrays = (onnx.numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer)
    found = sorted(digest(f"{a.dtype} {a.shape}".encode() + a.tobytes()) for a in arrays)
    return digest(" ".join(found).encode())


def history_without_times(path: Path) -> bytes:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return json.dumps([{k: v for k, v in row.items() if k not in TIMES} for row in rows]).encode()


def json_without_times(path: Path) -> bytes:
    def rest(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: rest(v) for k, v in value.items() if k not in TIMES}
        return [rest(each) for each in value] if isinstance(value, list) else value

    return json.dumps(rest(json.loads(path.read_text(encoding="utf-8")))).encode()


def run_until(command: list[str], seconds: float | None) -> tuple[int | None, str]:
    """Runs a command to its end, or kills it and all it started; returns its code and stderr."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        _, errors = process.communicate(timeout=seconds)
        return process.returncode, errors
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None, ""


def where(run: Path) -> str:
    """How far a killed run had come, in words."""
    if (run / "study.db").exists():
        return "in a search"
    folds = sorted(run.glob("fold-*"))
    if folds:
        return f"{folds[-1].name}, {where(folds[-1])}"
    if not (run / "run.json").exists():
        return "before the run was begun"
    if json.loads((run / "run.json").read_text())["status"] == "finished":
        return "after the run was finished"
    if (run / "model.onnx").exists():
        return "scoring, drawing, sealing"
    if (run / "model.keras").exists() or list(run.glob(".model.*")):
        return "exporting"
    lines = (run / "log.jsonl").read_text().splitlines() if (run / "log.jsonl").exists() else []
    epochs = sum('"event": "epoch"' in line for line in lines)
    return f"after {epochs} epochs" if lines else "before the first epoch"


def finish(kind: Kind, data: Path, run: Path, kills: list[float]) -> tuple[list[str], str]:
    """Starts, kills, resumes until it is done; returns where it was killed, and what failed."""
    places: list[str] = []
    begun = False
    for _ in range(len(kills) + 4):
        moment = kills[len(places)] if len(places) < len(kills) else None
        command = kind.go_on(data, run) if begun else kind.start(data, run)
        code, errors = run_until(command, moment)
        if code is None:
            places.append(where(run))
            begun = True
        elif code == 0 or "is finished" in errors:
            return places, ""
        elif "nothing was begun" in errors or "no run folder" in errors:
            begun = False
        else:
            return places, (errors.strip().splitlines() or [f"code {code}"])[-1]
    return places, "it did not come to its end"


def try_kind(kind: Kind, data: Path, work: Path, kills: int, seed: int) -> Iterator[dict[str, Any]]:
    """All attempts of a kind; gives after each what the table and the JSON file show."""
    drawn = random.Random(f"{kind.name} {seed}")
    durations = []
    for name in (kind.name, f"{kind.name}-again"):
        # Every attempt after this has to decode and keep the images as well.
        forget_pixels(data)
        started = time.perf_counter()
        _, trouble = finish(kind, data, work / name, [])
        durations.append(time.perf_counter() - started)
        if trouble:
            sys.exit(f"{kind.name}: the undisturbed run failed: {trouble}")
    wanted = kind.results(work / kind.name)
    if wanted != kind.results(work / f"{kind.name}-again"):
        sys.exit(f"{kind.name}: two undisturbed runs differ, so there is nothing to compare with")
    duration = min(durations)
    rows: list[dict[str, Any]] = []
    while len(rows) < kills:
        twice = len(rows) % FIVE_TIMES == FIVE_TIMES - 1
        moments = [drawn.uniform(0, duration) for _ in range(1 + twice)]
        run = work / f"{kind.name}-killed"
        shutil.rmtree(run, ignore_errors=True)
        forget_pixels(data)
        places, trouble = finish(kind, data, run, moments)
        if not places and not trouble:
            continue  # it was done before the moment came: no kill, so it does not count
        found = {} if trouble else kind.results(run)
        equal = {name: found.get(name) == value for name, value in wanted.items()}
        left = [path.name for path in run.rglob(".*")] + [p.name for p in run.glob("checkpoint")]
        rows.append({
            "seconds": [round(moment, 2) for moment in moments], "killed": places,
            "equal": equal, "left behind": left, "trouble": trouble,
        })  # fmt: skip
        print(f"{kind.name} {len(rows)}/{kills}: {'; '.join(places)}: "
              f"{'equal' if all(equal.values()) else f'DIFFERENT {equal} {trouble}'}",
              file=sys.stderr, flush=True)  # fmt: skip
        yield {"undisturbed seconds": round(duration, 1), "attempts": rows}


def forget_pixels(data: Path) -> None:
    shutil.rmtree(data / ".cancernet-pixels", ignore_errors=True)


def table(results: dict[str, dict[str, Any]]) -> str:
    """Kinds as rows: attempts, kills, and of how many every number was the same."""
    lines = ["| kind | undisturbed s | attempts | kills | same to the bit | left behind |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for name, result in results.items():
        rows = result["attempts"]
        kills = sum(len(row["killed"]) for row in rows)
        names = list(rows[0]["equal"])
        same = ", ".join(f"{n} {sum(row['equal'][n] for row in rows)}" for n in names)
        left = sum(bool(row["left behind"]) for row in rows)
        lines.append(f"| {name} | {result['undisturbed seconds']} | {len(rows)} | {kills} | "
                     f"{same} | {left} |")  # fmt: skip
    places = collections.Counter(
        place for r in results.values() for row in r["attempts"] for place in row["killed"]
    )
    lines += ["", "killed: " + "; ".join(f"{place} {n}" for place, n in places.most_common())]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=30, help="attempts of `training` (30)")
    parser.add_argument("--others", type=int, default=6, help="attempts of each other kind (6)")
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--seed", type=int, default=1, help="of the moments (1)")
    parser.add_argument("--json", type=Path, help="write every attempt here")
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        data = built_sample(work)
        for name in arguments.only:
            kills = arguments.kills if name == "training" else arguments.others
            for result in try_kind(KINDS[name], data, work, kills, arguments.seed):
                results[name] = result
                if arguments.json:  # after each: this may be killed as well
                    text = json.dumps(results, indent=1) + "\n"
                    arguments.json.write_text(text, encoding="utf-8")
    print(table(results))
    rows = [row for result in results.values() for row in result["attempts"]]
    return 0 if all(all(row["equal"].values()) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
