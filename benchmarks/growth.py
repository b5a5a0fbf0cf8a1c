"""How cost grows with the number of patches: build, train one epoch, score a folder.

    python benchmarks/growth.py [--sizes 1000 10000 100000 277524] [--json FILE] [--plot FILE]

Draws that many different small PNG files in the published layout, builds them with
hard links, trains the short recipe for one epoch and scores the training folder with
predict.py, each as a whole process. Straight lines mean images/s and peak memory that
do not depend on the number of patches. Sizes that the JSON file holds already are not
measured again.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from build_speed import make_tree
from measured import run_once, write

SIZES = (1_000, 10_000, 100_000, 277_524)
RECIPE = "idc-cancernet-fast"
JOBS = {"build": "build", "train": "train, one epoch", "score": "score a folder"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--folder", type=Path, help="keep the drawn files here, and use them again")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="an SVG or PNG of the table")
    arguments = parser.parse_args()
    rows = known_rows(arguments.json)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        for size in sorted(set(arguments.sizes) - {row["patches"] for row in rows}):
            tree = make_tree((arguments.folder or Path(temporary)) / f"tree-{size}", size)
            rows.append(measure(tree, Path(temporary), size))
            print(json.dumps(rows[-1]), file=sys.stderr)
            rows.sort(key=lambda row: row["patches"])
            write(arguments.json, {"rows": rows})
    print_table(rows)
    if arguments.plot:
        plot(rows, arguments.plot)


def known_rows(path: Path | None) -> list[dict[str, Any]]:
    """Returns what an earlier call wrote."""
    return json.loads(path.read_text())["rows"] if path and path.exists() else []


def measure(tree: Path, folder: Path, size: int) -> dict[str, Any]:
    """Builds, trains and scores; images/s are those of whole processes but for training."""
    data, run, table = folder / f"data-{size}", folder / f"run-{size}", folder / f"{size}.csv"
    build = run_once(
        [sys.executable, "build_dataset.py", "--source", tree, "--output", data, "--link", "hard"]
    )
    train = run_once(
        [sys.executable, "train_model.py", "--data", data, "--run", run,
         "--recipe", RECIPE, "--epochs", "1"]
    )  # fmt: skip
    training = json.loads((run / "metrics.json").read_text())["training"]
    images = sum(1 for _ in (data / "training").rglob("*.png"))
    score = run_once(
        [sys.executable, "predict.py", data / "training", "--run", run, "--csv", table]
    )
    return {
        "patches": size,
        "build_images_per_second": size / build.seconds,
        "build_megabytes": build.peak_megabytes,
        "train_images_per_second": training["images_per_second"],
        "train_cpu_microseconds": training["cpu_seconds"] / images * 1e6,
        "train_seconds_whole_process": train.seconds,
        "train_megabytes": train.peak_megabytes,
        "score_images_per_second": images / score.seconds,
        "score_cpu_microseconds": score.cpu_seconds / images * 1e6,
        "score_megabytes": score.peak_megabytes,
    }


def print_table(rows: list[dict[str, float]]) -> None:
    print("| patches | build, images/s | MB | train, images/s | MB | score, images/s | MB |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        cells = [f"{row['patches']:,}"]
        for job in ("build", "train", "score"):
            cells += [f"{row[f'{job}_images_per_second']:,.0f}", f"{row[f'{job}_megabytes']:,.0f}"]
        print(f"| {' | '.join(cells)} |")


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draws both halves of the table over the number of patches, on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    speed, memory = figure.subplots(1, 2)
    sizes = [row["patches"] for row in rows]
    for (job, words), marker in zip(JOBS.items(), "os^", strict=True):
        for axes, field in ((speed, "images_per_second"), (memory, "megabytes")):
            values = [row[f"{job}_{field}"] for row in rows]
            axes.loglog(sizes, values, marker=marker, label=words)
    speed.set(xlabel="patches", ylabel="images/s", title="Speed")
    memory.set(xlabel="patches", ylabel="MB", title="Peak memory of the process")
    for axes in (speed, memory):
        axes.set_ylim(bottom=10)
        axes.grid(alpha=0.3)
    memory.legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
