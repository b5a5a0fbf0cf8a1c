"""How cost grows with the number of patches: build, train one epoch, score a folder.

    python benchmarks/growth.py [--sizes 1000 10000 100000 277524] [--json FILE] [--plot FILE]

Draws that many different small PNG files in the published layout, builds them with
hard links, trains the short recipe for one epoch and scores the training folder with
predict.py, each as a whole process. Straight lines mean images/s and peak memory that
do not depend on the number of patches.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from build_speed import make_tree
from measured import run_once, write

SIZES = (1_000, 10_000, 100_000, 277_524)
RECIPE = "idc-cancernet-fast"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument(
        "--folder", type=Path, help="where the files are drawn (default: temporary)"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="an SVG or PNG of the table")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        for size in arguments.sizes:
            rows.append(measure(Path(temporary), size))
            print(json.dumps(rows[-1]), file=sys.stderr)
    print_table(rows)
    write(arguments.json, {"rows": rows})
    if arguments.plot:
        plot(rows, arguments.plot)


def measure(folder: Path, size: int) -> dict[str, float]:
    tree = make_tree(folder / f"tree-{size}", size)
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
        "train_seconds_whole_process": train.seconds,
        "train_megabytes": train.peak_megabytes,
        "score_images_per_second": images / score.seconds,
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


def plot(rows: list[dict[str, float]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    speed, memory = figure.subplots(1, 2)
    sizes = [row["patches"] for row in rows]
    for job, marker in (("build", "o"), ("train", "s"), ("score", "^")):
        speed.loglog(sizes, [row[f"{job}_images_per_second"] for row in rows], marker=marker)
        memory.loglog(sizes, [row[f"{job}_megabytes"] for row in rows], marker=marker, label=job)
    speed.set(xlabel="patches", ylabel="images/s", title="Speed")
    memory.set(xlabel="patches", ylabel="MB", title="Peak memory of the largest process")
    memory.legend(frameon=False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
