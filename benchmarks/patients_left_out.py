"""Recipes judged on IDC patients they never saw: five folds by patient, several seeds.

    python benchmarks/patients_left_out.py IDC_FOLDER --work DIR [--keep FOLDER] [-- --mixup 0]

What follows `--` goes to every training, to compare settings.

The protocol, written down before any setting was chosen by it:

- Five folds by patient over all patients of the folder, always the same. *Dense* are the
  patients of whom nearly the whole slide is there (`--dense`); the others are *sparse*,
  about one patch in twenty. Both are dealt out to the folds, so that each is tested once.
- In each fold 22 of the other sparse patients validate (operating point, calibration);
  all others, dense and sparse, train. Nothing of the testing patients chooses anything.
- Sparse patients of a fold are judged with their patches pooled: AUC, balanced accuracy
  and F1 at validation's operating point. Dense patients are judged one by one: AUC and
  balanced accuracy; the mean and the worst are shown.
- A recipe that judges patches in context gives two rows, `alone` and `in context`, each
  at its own operating point.
- Two rows are compared by paired differences: same patients, same seeds. The interval
  (95 %) comes from drawing patients and seeds with replacement: sparse patients within each
  fold, dense ones over all folds, since a fold tests one or two of them.
- A setting is kept if its interval lies above 0, or if it costs nothing and harms nothing.

Finished runs in DIR are kept and not trained again, and begun ones are resumed, so that the
command can be stopped and repeated. `--workers` trainings run at the same time, each on one
thread. Processor seconds are those of the epochs. `--keep` stores the scores, from which
`kept_scores.py` prints the same tables.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kept_scores
import numpy as np
from judged import DENSE, Found, Judged, figures, print_tables

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ("idc-cancernet-tutorial", "idc-cancernet-fast", "idc-cancernet")
FOLDS = 5
VALIDATING = 22
SEED_OF_FOLDS = 2026
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="IDC patches, <patient>/<0|1>/*.png")
    parser.add_argument("--work", type=Path, required=True, help="where data sets and runs go")
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--dense", nargs="+", default=DENSE, help="patients judged one by one")
    parser.add_argument("--folds", nargs="+", type=int, default=tuple(range(FOLDS)))
    parser.add_argument("--seeds", nargs="+", type=int, default=(1, 2, 3))
    parser.add_argument("--workers", type=int, default=1, help="trainings at a time")
    parser.add_argument("--keep", type=Path, help="where the scores of every run are kept")
    parser.usage = f"{parser.format_usage()[7:].rstrip()} [-- FLAGS_OF_TRAIN_MODEL]"
    given = sys.argv[1:]
    end = given.index("--") if "--" in given else len(given)
    arguments, flags = parser.parse_args(given[:end]), given[end + 1 :]
    dense = sorted(arguments.dense)
    data = {fold: build(arguments.source, arguments.work, fold, dense) for fold in arguments.folds}
    jobs = [
        (recipe, fold, seed)
        for seed in arguments.seeds
        for fold in arguments.folds
        for recipe in arguments.recipes
    ]

    def trained(job: tuple[str, int, int]) -> Path:
        return train(arguments.work, data[job[1]], *job, flags)

    found: Found = defaultdict(dict)
    with ThreadPoolExecutor(arguments.workers) as pool:
        for (recipe, fold, seed), run in zip(jobs, pool.map(trained, jobs), strict=True):
            ways = read(run)
            if arguments.keep:
                kept_scores.keep(arguments.keep, file_name(recipe, *flags), fold, seed, ways)
            for way, judged in ways.items():
                found[f"{recipe}, {way}"][fold, seed] = judged
                print(json.dumps(figures(judged, dense)), file=sys.stderr)
    print_tables(found, dense)


def division(source: Path, fold: int, dense: list[str]) -> dict[str, list[str]]:
    """Returns who trains, validates and is tested in a fold, counted from 0."""
    everyone = sorted(folder.name for folder in source.iterdir() if folder.is_dir())
    random = np.random.default_rng(SEED_OF_FOLDS)
    testing: set[str] = set()
    for group in ([name for name in everyone if name not in dense], dense):
        shuffled = np.array(group)
        random.shuffle(shuffled)
        testing |= set(shuffled[fold::FOLDS].tolist())
    others = np.array([name for name in everyone if name not in testing | set(dense)])
    np.random.default_rng(fold).shuffle(others)
    validating = set(others[:VALIDATING].tolist())
    return {
        "train": [name for name in everyone if name not in testing | validating],
        "validate": sorted(validating),
        "test": sorted(testing),
    }


def build(source: Path, work: Path, fold: int, dense: list[str]) -> Path:
    data, lists = work / f"data-{fold}", work / f"lists-{fold}"
    if data.exists():
        return data
    lists.mkdir(parents=True, exist_ok=True)
    files = []
    for name, patients in division(source, fold, dense).items():
        files.append(lists / f"{name}.txt")
        files[-1].write_text("".join(f"{patient}\n" for patient in patients))
    command = ["build_dataset.py", "--source", source, "--output", data]
    execute(*command, "--split", "lists", "--split-lists", *files, "--link", "symbolic")
    return data


def train(work: Path, data: Path, recipe: str, fold: int, seed: int, flags: list[str]) -> Path:
    run = work / file_name("run", recipe, fold, seed, *flags)
    if (run / "metrics.json").exists():
        return run
    if (run / "checkpoint").exists():
        execute("train_model.py", "--resume", "--run", run)
    else:
        command = ["train_model.py", "--data", data, "--run", run]
        execute(*command, "--recipe", recipe, "--seed", seed, *flags)
    return run


def file_name(*parts: object) -> str:
    """Joins names and flags of `train_model.py`, which lose their dashes."""
    return "-".join(map(str, parts)).replace("--", "")


def execute(*command: object) -> None:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")


def read(run: Path) -> dict[str, Judged]:
    """Reads the testing patches of a run; `in context` where it judged them so too."""
    with open(run / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    training = json.loads((run / "metrics.json").read_text())["training"]
    commit = json.loads((run / "run.json").read_text())["commit"]
    own = ("probability_1", "predicted")
    ways, neighbours = {"alone": own}, None
    if "neighbours" in rows[0]:
        neighbours = np.array([int(row["neighbours"]) for row in rows])
        ways = {"alone": ("alone_probability_1", "alone_predicted"), "in context": own}
    return {
        way: Judged(
            patients=np.array([row["patient"] for row in rows]),
            truth=np.array([int(row["label"]) for row in rows]),
            score=np.array([float(row[score]) for row in rows]),
            called=np.array([int(row[called]) for row in rows]),
            cpu_seconds=training["cpu_seconds"],
            neighbours=neighbours if way == "in context" else None,
            commit=commit or "",
        )
        for way, (score, called) in ways.items()
    }


if __name__ == "__main__":
    main()
