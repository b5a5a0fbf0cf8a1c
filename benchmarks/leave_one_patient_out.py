"""Recipes judged on IDC patients they never saw, several seeds each.

    python benchmarks/leave_one_patient_out.py IDC_FOLDER --work DIR [--json FILE]

For each testing patient the other patients are built into a data set (a few of them
validate, listed below), and `train_model.py` trains every recipe on it with every
seed. AUC, average precision and balanced accuracy on the patient left out are read
from the run; so are the processor seconds of the epochs. Finished runs in DIR are
kept and not trained again, so that the command can be stopped and repeated.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cancernet.measures.decisions import Rule  # noqa: E402
from cancernet.measures.metrics import binary_metrics  # noqa: E402
from cancernet.measures.operating_point import choose_operating_point  # noqa: E402
from cancernet.measures.scored import Classes, read_scored  # noqa: E402

PATIENTS = ("8863", "8864", "8975")
# The fourth patient with both classes and two with IDC only; all others train.
VALIDATE = ("9175", "8957", "8918")
RECIPES = ("idc-cancernet-tutorial", "idc-cancernet-fast", "idc-cancernet")
MEASURES = ("roc_auc", "pr_auc", "balanced_accuracy", "sensitivity", "specificity")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="IDC patches, <patient>/<0|1>/*.png")
    parser.add_argument("--work", type=Path, required=True, help="where data sets and runs go")
    parser.add_argument("--patients", nargs="+", default=PATIENTS)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--seeds", nargs="+", type=int, default=(1, 2, 3))
    parser.add_argument("--json", type=Path, help="write every run's figures")
    parser.add_argument("flags", nargs="*", help="after --: further flags of train_model.py")
    arguments = parser.parse_args()
    rows = []
    for seed in arguments.seeds:
        for patient in arguments.patients:
            data = build(arguments.source, arguments.work, patient)
            for recipe in arguments.recipes:
                row = train(arguments.work, data, patient, recipe, seed, arguments.flags)
                rows.append(row)
                print(json.dumps(row), file=sys.stderr)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    print_table(rows)


def build(source: Path, work: Path, patient: str) -> Path:
    others = sorted(p.name for p in source.iterdir() if p.is_dir() and p.name != patient)
    lists = {
        "train": [name for name in others if name not in VALIDATE],
        "validate": [name for name in others if name in VALIDATE],
        "test": [patient],
    }
    folder = work / f"lists-{patient}"
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, ids in lists.items():
        files.append(folder / f"{name}.txt")
        files[-1].write_text("".join(f"{one}\n" for one in ids))
    command = ["build_dataset.py", "--source", source, "--output", work / f"data-{patient}"]
    run(*command, "--split", "lists", "--split-lists", *files, "--link", "symbolic")
    return work / f"data-{patient}"


def train(
    work: Path, data: Path, patient: str, recipe: str, seed: int, flags: list[str]
) -> dict[str, object]:
    folder = work / "-".join(["run", recipe, patient, str(seed), *flags]).replace("--", "")
    if not (folder / "metrics.json").exists():
        command = ["train_model.py", "--data", data, "--run", folder]
        run(*command, "--recipe", recipe, "--seed", seed, *flags)
    training = json.loads((folder / "metrics.json").read_text())["training"]
    return {
        "recipe": recipe,
        "patient": patient,
        "seed": seed,
        **judge_again(folder),
        "best_epoch": training["best_epoch"],
        "cpu_seconds": round(training["cpu_seconds"], 1),
    }


def judge_again(folder: Path) -> dict[str, float]:
    """The figures from the run's two tables of scores, by the rule of its settings.

    Not read from metrics.json, so that a kept run is judged by today's rules.
    """
    content = json.loads((folder / "run.json").read_text())
    validation, classes = read_scored(folder / "validation_predictions.csv")
    testing, _ = read_scored(folder / "predictions.csv")
    both = Classes(classes=classes, words=classes, positive=("1",))
    rule = Rule(content["config"]["operating_rule"])
    point = choose_operating_point(both.calls_of(validation), rule)
    figures = binary_metrics(both.calls_of(testing, point.threshold))
    plain = binary_metrics(both.calls_of(testing))
    return {
        **{name: round(figures[name], 4) for name in MEASURES},
        "balanced_accuracy_at_half": round(plain["balanced_accuracy"], 4),
        "threshold": round(point.threshold, 4),
    }


def run(*command: object) -> None:
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")


def print_table(rows: list[dict[str, object]]) -> None:
    print("| recipe | patient | AUC | average precision | balanced accuracy | at 0.5 | CPU s |")
    print("|---|---|---|---|---|---|---|")
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        of_recipe = [row for row in rows if row["recipe"] == recipe]
        patients = list(dict.fromkeys(row["patient"] for row in of_recipe))
        for patient in [*patients, "mean"]:
            chosen = [row for row in of_recipe if patient in (row["patient"], "mean")]
            cells = [
                spread([row[name] for row in chosen], digits)
                for name, digits in (
                    ("roc_auc", 3), ("pr_auc", 3), ("balanced_accuracy", 3),
                    ("balanced_accuracy_at_half", 3), ("cpu_seconds", 0),
                )
            ]  # fmt: skip
            print(f"| {recipe} | {patient} | {' | '.join(cells)} |")


def spread(values: list, digits: int) -> str:
    """Mean over runs, with the standard deviation where there are several."""
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values):.{digits}f}"


if __name__ == "__main__":
    main()
