"""How cost grows with the number of patches: build, train one epoch, score a folder.

    python benchmarks/growth.py [--sizes 1000 10000 100000 277524] [--json FILE] [--plot FILE]
    python benchmarks/growth.py --sizes 277524 --jobs build whole

Draws that many different small PNG files in the published layout, builds them with
hard links, trains the fast recipe for one epoch and scores the training folder with
predict.py, in context and alone. Where the lines of the plot are level, images/s and peak
memory do not depend on the number of patches. `whole` is a training of the default recipe from
its command to its report, and says what it needs on the disk. Sizes that the JSON file holds are
not measured again; --folder keeps the drawn files, data sets and runs for the next call.
"""

import argparse
import json
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from build_speed import make_tree
from measured import Cost, run_once, write

SIZES = (1_000, 10_000, 100_000, 277_524)
RECIPE = "idc-cancernet-fast"
PIXELS = ".cancernet-pixels"  # decoded patches beside a data set
JOBS = {
    "build": "build",
    "train": "train, one epoch",
    "score": "score a folder in context",
    "alone": "score a folder, --alone",
    "whole": "the default's whole training",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS)[:4])
    parser.add_argument("--folder", type=Path, help="keep all files here, and use them again")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="an SVG or PNG of the table")
    arguments = parser.parse_args()
    rows = known_rows(arguments.json)
    measure_one = {"build": build, "train": train, "score": score, "alone": alone, "whole": whole}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        for size in arguments.sizes:
            row = rows.setdefault(size, {"patches": size})
            for job in arguments.jobs:
                if f"{job}_megabytes" not in row:
                    row |= measure_one[job](folder, size)
                    print(json.dumps(row), file=sys.stderr)
                    write(arguments.json, {"rows": list(rows.values())})
    found = [rows[size] for size in sorted(rows)]
    print_table(found)
    if arguments.plot:
        plot(found, arguments.plot)


def known_rows(path: Path | None) -> dict[int, dict[str, Any]]:
    """Returns what an earlier call wrote, by size."""
    rows = json.loads(path.read_text())["rows"] if path and path.exists() else []
    return {row["patches"]: row for row in rows}


def build(folder: Path, size: int) -> dict[str, float]:
    """Builds with hard links, the whole process."""
    tree, data = make_tree(folder / f"tree-{size}", size), folder / f"data-{size}"
    shutil.rmtree(data, ignore_errors=True)
    cost = run_once(
        [sys.executable, "build_dataset.py", "--source", tree, "--output", data, "--link", "hard"]
    )
    return figures("build", size, cost.seconds, cost)


def train(folder: Path, size: int) -> dict[str, float]:
    """Trains for an epoch; images/s are those of the epoch, the memory of the whole process."""
    data, run = folder / f"data-{size}", folder / f"run-{size}"
    shutil.rmtree(run, ignore_errors=True)
    cost = run_once(
        [sys.executable, "train_model.py", "--data", data, "--run", run,
         "--recipe", RECIPE, "--epochs", "1"]
    )  # fmt: skip
    training = json.loads((run / "metrics.json").read_text())["training"]
    return figures("train", training["images_per_second"] * training["seconds"],
                   training["seconds"], cost)  # fmt: skip


def whole(folder: Path, size: int) -> dict[str, float]:
    """Trains the default recipe to its end; the seconds are those of the whole process."""
    data, run = folder / f"data-{size}", folder / f"whole-{size}"
    shutil.rmtree(run, ignore_errors=True)
    shutil.rmtree(data / PIXELS, ignore_errors=True)
    before, most, done = shutil.disk_usage(folder).used, [0], threading.Event()

    def watch() -> None:
        while not done.wait(1.0):
            most.append(shutil.disk_usage(folder).used - before)

    watching = threading.Thread(target=watch)
    watching.start()
    cost = run_once([sys.executable, "train_model.py", "--data", data, "--run", run])
    done.set()
    watching.join()
    kept = sum(file.stat().st_size for file in run.rglob("*") if file.is_file())
    training = json.loads((run / "metrics.json").read_text())["training"]
    images = training["images_per_second"] * training["seconds"]
    return {
        **figures("whole", images, cost.seconds, cost),
        "whole_epoch_seconds": training["seconds"],
        "whole_disk_megabytes": max(most) / 1e6,
        "whole_kept_megabytes": kept / 1e6,
    }


def alone(folder: Path, size: int) -> dict[str, float]:
    """Scores as `score` does, each patch alone."""
    return score(folder, size, "alone", "--alone")


def score(folder: Path, size: int, job: str = "score", *flags: str) -> dict[str, float]:
    """Scores the training folder into a CSV, the whole process."""
    patches, table = folder / f"data-{size}" / "training", folder / f"{size}.csv"
    for left in folder.glob(f"{table.name}*"):
        left.unlink()  # predict.py would go on with an unfinished table and score only the rest
    run = min(folder.glob("run-*"))
    cost = run_once([sys.executable, "predict.py", patches, "--run", run, "--csv", table, *flags])
    return figures(job, sum(1 for _ in patches.rglob("*.png")), cost.seconds, cost)


def figures(job: str, images: float, seconds: float, cost: Cost) -> dict[str, float]:
    return {
        f"{job}_images": images,
        f"{job}_images_per_second": images / seconds,
        f"{job}_megabytes": cost.peak_megabytes,
        f"{job}_process_seconds": cost.seconds,
        f"{job}_process_cpu_seconds": cost.cpu_seconds,
    }


def print_table(rows: list[dict[str, Any]]) -> None:
    print("| patches | job | images/s | processor s, whole process | peak MB |")
    print("|---:|---|---:|---:|---:|")
    for row in rows:
        for job, words in JOBS.items():
            if f"{job}_megabytes" in row:
                rate, cpu, memory = (
                    f"{row[f'{job}_{field}']:,.{digits}f}"
                    for field, digits in (
                        ("images_per_second", 0), ("process_cpu_seconds", 1), ("megabytes", 0)
                    )
                )  # fmt: skip
                print(f"| {row['patches']:,} | {words} | {rate} | {cpu} | {memory} |")
        if "whole_megabytes" in row:
            print(
                f"\nThe default's whole training on {row['patches']:,} patches: "
                f"{row['whole_process_seconds']:,.0f} s, {row['whole_epoch_seconds']:,.0f} of them "
                f"epochs; {row['whole_disk_megabytes']:,.0f} MB of disk at most, "
                f"{row['whole_kept_megabytes']:,.0f} MB kept."
            )


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draws the table over the number of patches, on logarithmic axes.

    The middle panel is the same as the left one on a machine with nothing else to do.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    speed, thrift, memory = figure.subplots(1, 3)
    sizes = [row["patches"] for row in rows]
    for (job, words), marker in zip(list(JOBS.items())[:4], "os^v", strict=True):
        rates, cpu, peaks = (
            [row.get(f"{job}_{field}", float("nan")) for row in rows]
            for field in ("images_per_second", "process_cpu_seconds", "megabytes")
        )
        images = [row.get(f"{job}_images", float("nan")) for row in rows]
        each = [count / spent for count, spent in zip(images, cpu, strict=True)]
        for axes, values in ((speed, rates), (thrift, each), (memory, peaks)):
            axes.loglog(sizes, values, marker=marker, label=words)
    speed.set(xlabel="patches", ylabel="images a second", title="Speed")
    thrift.set(xlabel="patches", ylabel="images a processor second", title="Whole process")
    memory.set(xlabel="patches", ylabel="MB", title="Peak memory of the process")
    for axes in (speed, thrift, memory):
        axes.set_ylim(bottom=10)
        axes.grid(alpha=0.3)
    memory.legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
