"""Recipes judged on IDC patients they never saw: five folds by patient, several seeds.

    python benchmarks/patients_left_out.py IDC_FOLDER --work DIR [--json FILE] [-- --mixup 0]

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
  (95 %) comes from drawing patients, within each fold, and seeds with replacement.
- A setting is kept if its interval lies above 0, or if it costs nothing and harms nothing.

Finished runs in DIR are kept and not trained again, so that the command can be stopped
and repeated. Processor seconds are those of the epochs.
"""

import argparse
import csv
import dataclasses
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ("idc-cancernet-tutorial", "idc-cancernet-fast", "idc-cancernet")
DENSE = ("8863", "8864", "8913", "8917", "8918", "8950", "8955", "8975")
FOLDS = 5
VALIDATING = 22
SEED_OF_FOLDS = 2026
DRAWS = 500


@dataclasses.dataclass(frozen=True)
class Judged:
    """Testing patches of one fold and seed, judged in one way.

    Attributes:
        patients: (n,) names.
        truth: (n,) 0 or 1.
        score: (n,) probability of IDC.
        called: (n,) whether the operating point calls it IDC.
        cpu_seconds: of the epochs.
        neighbours: (n,) how many of the eight patches around each were there; None alone.
    """

    patients: np.ndarray
    truth: np.ndarray
    score: np.ndarray
    called: np.ndarray
    cpu_seconds: float
    neighbours: np.ndarray | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="IDC patches, <patient>/<0|1>/*.png")
    parser.add_argument("--work", type=Path, required=True, help="where data sets and runs go")
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--dense", nargs="+", default=DENSE, help="patients judged one by one")
    parser.add_argument("--folds", nargs="+", type=int, default=tuple(range(FOLDS)))
    parser.add_argument("--seeds", nargs="+", type=int, default=(1, 2, 3))
    parser.add_argument("--json", type=Path, help="write the figures of every run")
    parser.usage = f"{parser.format_usage()[7:].rstrip()} [-- FLAGS_OF_TRAIN_MODEL]"
    given = sys.argv[1:]
    end = given.index("--") if "--" in given else len(given)
    arguments, flags = parser.parse_args(given[:end]), given[end + 1 :]
    dense = sorted(arguments.dense)
    found: dict[str, dict[tuple[int, int], Judged]] = defaultdict(dict)
    for seed in arguments.seeds:
        for fold in arguments.folds:
            data = build(arguments.source, arguments.work, fold, dense)
            for recipe in arguments.recipes:
                run = train(arguments.work, data, fold, recipe, seed, flags)
                for way, judged in read(run).items():
                    found[f"{recipe}, {way}"][fold, seed] = judged
                    print(json.dumps(figures(judged, dense)), file=sys.stderr)
    if arguments.json:
        rows = [
            {"row": name, "fold": fold, "seed": seed, **figures(judged, dense)}
            for name, runs in found.items()
            for (fold, seed), judged in runs.items()
        ]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    print_table(found, dense)
    print_differences(found, dense)
    print_calibration(found)


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


def train(work: Path, data: Path, fold: int, recipe: str, seed: int, flags: list[str]) -> Path:
    run = work / "-".join(["run", recipe, str(fold), str(seed), *flags]).replace("--", "")
    if not (run / "metrics.json").exists():
        command = ["train_model.py", "--data", data, "--run", run]
        execute(*command, "--recipe", recipe, "--seed", seed, *flags)
    return run


def execute(*command: object) -> None:
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")


def read(run: Path) -> dict[str, Judged]:
    """Reads the testing patches of a run; `in context` where it judged them so too."""
    with open(run / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    training = json.loads((run / "metrics.json").read_text())["training"]
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
        )
        for way, (score, called) in ways.items()
    }


def figures(judged: Judged, dense: list[str]) -> dict[str, object]:
    sparse = ~np.isin(judged.patients, dense)
    return {
        "sparse": measures(judged, np.flatnonzero(sparse)),
        "dense": {
            name: measures(judged, np.flatnonzero(judged.patients == name))
            for name in dense
            if name in judged.patients
        },
        "cpu_seconds": judged.cpu_seconds,
    }


def measures(judged: Judged, rows: np.ndarray) -> dict[str, float]:
    truth, called = judged.truth[rows], judged.called[rows]
    if truth.min() == truth.max():
        return dict.fromkeys(("auc", "balanced_accuracy", "f1"), float("nan"))
    positive, called = truth == 1, called == 1
    above = rankdata(judged.score[rows])[positive].mean() - (positive.sum() + 1) / 2
    hits = float((called & positive).sum())
    sensitivity, specificity = (
        hits / positive.sum(),
        (~called & ~positive).sum() / (~positive).sum(),
    )
    # By hand, since the intervals take them some ten thousand times.
    return {
        "auc": float(above / (~positive).sum()),
        "balanced_accuracy": float((sensitivity + specificity) / 2),
        "f1": 2 * hits / float(positive.sum() + called.sum()),
    }


def print_table(found: dict[str, dict[tuple[int, int], Judged]], dense: list[str]) -> None:
    print(
        "| | sparse: AUC / balanced accuracy / F1 | dense, mean: AUC / balanced accuracy "
        "| dense, worst: AUC / balanced accuracy | CPU s |\n|---|---|---|---|---|"
    )
    for name, runs in found.items():
        of_runs = [figures(judged, dense) for judged in runs.values()]
        sparse = [
            np.mean([one["sparse"][measure] for one in of_runs])
            for measure in ("auc", "balanced_accuracy", "f1")
        ]
        by_patient = defaultdict(list)
        for one in of_runs:
            for patient, values in one["dense"].items():
                by_patient[patient].append((values["auc"], values["balanced_accuracy"]))
        means = np.array([np.mean(values, axis=0) for values in by_patient.values()])
        cells = [
            name,
            *(" / ".join(f"{value:.3f}" for value in row)
              for row in (sparse, means.mean(axis=0), means.min(axis=0))),
            f"{np.mean([one['cpu_seconds'] for one in of_runs]):.0f}",
        ]  # fmt: skip
        print(f"| {' | '.join(cells)} |")


def print_differences(found: dict[str, dict[tuple[int, int], Judged]], dense: list[str]) -> None:
    """Prints every row minus the first: paired by fold, seed and patient."""
    first, *others = found
    print(
        f"\n| minus {first} | sparse AUC | sparse balanced accuracy | dense AUC "
        "| dense balanced accuracy |\n|---|---|---|---|---|"
    )
    for name in others:
        cells = [
            cell
            for group in ("sparse", "dense")
            for cell in intervals(found[name], found[first], dense, group)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def print_calibration(found: dict[str, dict[tuple[int, int], Judged]]) -> None:
    """Prints, for every row in context, how the score is calibrated by number of neighbours."""
    for name, runs in found.items():
        judged = [one for one in runs.values() if one.neighbours is not None]
        if not judged:
            continue
        neighbours, score, truth = (
            np.concatenate([getattr(one, field) for one in judged])
            for field in ("neighbours", "score", "truth")
        )
        print(f"\n| {name}: neighbours | patches | mean score | share of IDC | Brier score |")
        print("|---|---|---|---|---|")
        for least, most in ((0, 0), (1, 3), (4, 7), (8, 8)):
            rows = (neighbours >= least) & (neighbours <= most)
            cells = (score[rows].mean(), truth[rows].mean(), ((score - truth)[rows] ** 2).mean())
            title = f"{least}" if least == most else f"{least} to {most}"
            print(f"| {title} | {rows.sum():,} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")


def intervals(
    one: dict[tuple[int, int], Judged],
    other: dict[tuple[int, int], Judged],
    dense: list[str],
    group: str,
) -> list[str]:
    """Mean paired differences of AUC and balanced accuracy, each with its 95 % interval."""
    runs = sorted(set(one) & set(other))
    random = np.random.default_rng(1)
    seeds, folds = sorted({seed for _, seed in runs}), sorted({fold for fold, _ in runs})
    draws = []
    for draw in range(DRAWS + 1):
        drawn_seeds = seeds if draw == 0 else random.choice(seeds, len(seeds))
        differences = []
        for fold in folds:
            rows = drawn(one[fold, seeds[0]], dense, group, random if draw else None)
            for seed in drawn_seeds:
                differences += [
                    np.subtract(compared(one[fold, seed], some), compared(other[fold, seed], some))
                    for some in rows
                    if len(some)
                ]
        draws.append(np.nanmean(differences, axis=0))
    low, high = np.nanquantile(draws[1:], (0.025, 0.975), axis=0)
    return [
        f"{mean:+.3f} [{least:+.3f}, {most:+.3f}]"
        for mean, least, most in zip(draws[0], low, high, strict=True)
    ]


def compared(judged: Judged, rows: np.ndarray) -> tuple[float, float]:
    found = measures(judged, rows)
    return found["auc"], found["balanced_accuracy"]


def drawn(
    judged: Judged, dense: list[str], group: str, random: np.random.Generator | None
) -> list[np.ndarray]:
    """Returns the patches that are judged together, of patients drawn with replacement."""
    names = [name for name in np.unique(judged.patients) if (name in dense) == (group == "dense")]
    if random is not None:
        names = random.choice(names, len(names)).tolist()
    rows = [np.flatnonzero(judged.patients == name) for name in names]
    return rows if group == "dense" else [np.concatenate(rows)]


if __name__ == "__main__":
    main()
