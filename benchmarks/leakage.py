"""What a leaky split adds to the figures: pairs of finished runs, side by side.

    python benchmarks/leakage.py GROUPED_RUN LEAKY_RUN [GROUPED_RUN LEAKY_RUN ...]

The two runs of a pair differ only in the split of their data (`build_dataset.py
--split patient` and `--split image --allow-leaks`). The table shows the figures of the testing
images: top-1 accuracy over all classes, the mean of the classes' F1, and of the positive
classes against the rest the area under the ROC curve and the balanced accuracy at the
operating point that validation chose.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

FIGURES = ("accuracy of all classes", "mean F1", "AUC", "balanced accuracy")


def read(folder: Path) -> tuple[dict[str, Any], list[float]]:
    """Returns run.json and the four figures of a finished run of more than two classes."""
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    testing = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["testing"]
    classes = testing["per_class"]
    figures = (
        classes["accuracy"],
        classes["macro"]["f1"],
        testing["roc_auc"],
        testing["balanced_accuracy"],
    )
    return facts, [math.nan if figure is None else figure for figure in figures]


def check_pair(grouped: dict[str, Any], leaky: dict[str, Any]) -> None:
    """Ends the program when two runs differ in more than the split."""
    if grouped["config"] != leaky["config"]:
        raise SystemExit("error: the two runs of a pair have different settings")
    if grouped["dataset"]["leak"] or not leaky["dataset"]["leak"]:
        raise SystemExit("error: of each pair the first run must not leak and the second must")


def rows(grouped: Path, leaky: Path) -> list[str]:
    """Returns the table's rows of one pair."""
    (facts, honest), (other, flattered) = read(grouped), read(leaky)
    check_pair(facts, other)
    config = facts["config"]
    name = f"{facts['recipe']}, {config['model']} {config['image_size']}x{config['image_size']}"
    counts = [each["dataset"]["counts"]["testing"]["images"] for each in (facts, other)]
    return [
        f"| {name}, {split}: {count} testing images | "
        + " | ".join(form.format(value) for value in values)
        + " |"
        for split, count, values, form in (
            ("grouped", counts[0], honest, "{:.3f}"),
            ("leaky", counts[1], flattered, "{:.3f}"),
        )
    ] + [
        "| **the leak** | "
        + " | ".join(f"**{b - a:+.3f}**" for a, b in zip(honest, flattered, strict=True))
        + " |"
    ]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    folders = parser.parse_args().runs
    if len(folders) % 2:
        parser.error("give pairs of runs")
    print("| run | " + " | ".join(FIGURES) + " |")
    print("|---" * (len(FIGURES) + 1) + "|")
    for grouped, leaky in zip(folders[::2], folders[1::2], strict=True):
        print("\n".join(rows(grouped, leaky)))


if __name__ == "__main__":
    main()
