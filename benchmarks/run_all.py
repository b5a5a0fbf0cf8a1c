"""Every speed figure of the project compared with the plain way, in one command.

    python benchmarks/run_all.py [--data DIR] [--run DIR] [--json FILE]

Without --data a sample is drawn and built; without --run a short training makes one.
Then, one after the other: the start-up of every script (`--help`), its refusal of what is not
there, and a training of one epoch (`timeline.py`); then the first answer, bulk scoring, training
and building, each side by side with plain Keras or a plain copy loop, several rounds in turn.
Prints medians and ratios; the numbers never decide the exit code. The same command serves a
machine with a GPU.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measured import ROOT, interleaved, median, write

HELP_RUNS = 5
# What each command is asked for that is not there.
REFUSED = {
    "app.py": [],
    "build_dataset.py": ["--source", "/nonexistent"],
    "evaluate_model.py": ["--run", "/nonexistent"],
    "predict.py": ["image.png", "--run", "/nonexistent"],
    "serve.py": ["--run", "/nonexistent"],
    "train_model.py": ["--data", "/nonexistent"],
    "tune_model.py": ["--data", "/nonexistent"],
}


def main() -> None:
    arguments = parse_arguments()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = Path(temporary)
        drawn = arguments.data is None
        data = arguments.data.resolve() if arguments.data else build_sample(folder)
        run = arguments.run.resolve() if arguments.run else train_briefly(data, folder)
        found: dict[str, Any] = {
            "drawn_data": drawn, "help": help_times(), "refusal": refusal_times(),
        }  # fmt: skip
        found["around the epochs"] = step(
            folder, "timeline.py", data, "--rounds", arguments.rounds
        )["around"]  # fmt: skip
        found["prediction"] = step(
            folder, "prediction_speed.py", run, data / "testing",
            "--images", arguments.images, "--runs", arguments.rounds,
        )  # fmt: skip
        found["training"] = step(
            folder, "training_throughput.py", data, "--rounds", arguments.training_rounds,
            "--images", arguments.training_images, "--batch-sizes", 32, 128, 256,
        )  # fmt: skip
        found["building"] = step(
            folder, "build_speed.py", "--files", arguments.files, "--rounds", arguments.rounds,
            "--folder", folder / "files",
        )  # fmt: skip
    found["minutes"] = round((time.perf_counter() - started) / 60, 1)
    rows = summary(found)
    print_summary(rows)
    print_rest(found)
    print(f"\n{found['minutes']} minutes; " + ("drawn images" if drawn else f"images of {data}"))
    write(arguments.json, {"summary": rows, **found})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="a built data set (default: a drawn sample)")
    parser.add_argument("--run", type=Path, help="a finished run (default: a short training)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="counted rounds of all else; default: 3"
    )
    parser.add_argument("--images", type=int, default=10_000, help="bulk scoring; default: 10000")
    parser.add_argument(
        "--training-images", type=int, default=4_096, help="an epoch; default: 4096"
    )
    parser.add_argument(
        "--training-rounds", type=int, default=7, help="epochs of each side; default: 7"
    )
    parser.add_argument("--files", type=int, default=80_000, help="building; default: 80000")
    parser.add_argument("--folder", type=Path, help="where temporary files go")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    return parser.parse_args()


def build_sample(folder: Path) -> Path:
    """Draws the sample and builds it."""
    print("Drawing a sample and building it ...", file=sys.stderr)
    data = folder / "data"
    call("build_dataset.py", "--sample", "--source", folder / "drawn", "--output", data)
    return data


def train_briefly(data: Path, folder: Path) -> Path:
    """Trains two epochs of the short recipe: the speed of a run does not depend on its quality."""
    print("Training a run to measure with ...", file=sys.stderr)
    run = folder / "run"
    call(
        "train_model.py", "--data", data, "--run", run, "--recipe", "idc-cancernet-fast",
        "--epochs", 2,
    )  # fmt: skip
    return run


def help_times() -> dict[str, float]:
    """Returns the median seconds of `--help` for every script there is."""
    commands = {path.name: [sys.executable, path, "--help"] for path in sorted(ROOT.glob("*.py"))}
    costs = interleaved(commands, HELP_RUNS)
    return {name: median(found, "seconds") for name, found in costs.items()}


def refusal_times() -> dict[str, float]:
    """Returns the median seconds in which each script says what is not there."""
    commands: dict[str, list[object]] = {
        name: [sys.executable, ROOT / name, *flags] for name, flags in REFUSED.items()
    }
    costs = interleaved(commands, HELP_RUNS, exit_code=2)
    return {name: median(found, "seconds") for name, found in costs.items()}


def step(folder: Path, script: str, *arguments: object) -> dict[str, Any]:
    """Runs one of the benchmarks beside this file, its table on the screen; returns its JSON."""
    print(f"\n## {script}\n", flush=True)
    report = folder / f"{script}.json"
    call(f"benchmarks/{script}", *arguments, "--json", report, quiet=False)
    return json.loads(report.read_text())


def call(script: str, *arguments: object, quiet: bool = True) -> None:
    command = [sys.executable, ROOT / script, *arguments]
    done = subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        stdout=subprocess.DEVNULL if quiet else None,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{script} failed with exit code {done.returncode}; its reason stands above")


def summary(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Makes one row of each comparison: both medians, and how many times better ours is."""
    prediction, training, building = found["prediction"], found["training"], found["building"]
    rows = []
    for job, key, field, unit in (
        ("first answer", "first_answer", "seconds", "s"),
        ("first answer, peak memory", "first_answer", "peak_megabytes", "MB"),
        (f"{prediction['images']:,} images to a CSV", "bulk_scoring", "seconds", "s"),
        ("the same, peak memory", "bulk_scoring", "peak_megabytes", "MB"),
    ):
        plain, ours = (
            statistics.median(cost[field] for cost in prediction[key][way])
            for way in ("keras", "predict.py")
        )
        rows.append(row(job, plain, ours, unit, plain / ours))
    rows += training_rows(training["paces"])
    loop = building["medians"]["shutil.copy2 loop"]
    for name, figures in building["medians"].items():
        if name != "shutil.copy2 loop":
            ratio = loop["seconds"] / figures["seconds"]
            rows.append(row(name, loop["seconds"], figures["seconds"], "s", ratio))
    return rows


def training_rows(paces: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Makes the rows of the first batch size, and of each side's best, by wall and processor."""

    def middle(name: str, field: str) -> float:
        return statistics.median(pace[field] for pace in paces[name])

    sides = [
        [name for name in paces if name.startswith(f"{side}, ")]
        for side in ("plain Keras", "CancerNet")
    ]
    batch = sides[0][0].partition(", ")[2]
    rows = []
    for job, chosen in (
        (f"training, batch {batch}", [names[0] for names in sides]),
        (
            "training, each at its best batch",
            [max(names, key=lambda name: middle(name, "images_per_second")) for names in sides],
        ),
    ):
        plain, ours = (middle(name, "images_per_second") for name in chosen)
        rows.append(row(job, plain, ours, "images/s"))
        plain, ours = (middle(name, "cpu_microseconds") for name in chosen)
        rows.append(row(f"{job}, processor time", plain, ours, "µs an image", plain / ours))
    return rows


def row(job: str, plain: float, ours: float, unit: str, ratio: float | None = None) -> dict:
    ratio = ours / plain if ratio is None else ratio
    return {"job": job, "plain": plain, "ours": ours, "unit": unit, "times_better": ratio}


def print_summary(rows: list[dict[str, Any]]) -> None:
    print("\n## All ratios\n\n| job | plain way | CancerNet | | times better |")
    print("|---|---:|---:|---|---:|")
    for cells in rows:
        plain, ours = (f"{cells[side]:,.3g}" if cells[side] < 100 else f"{cells[side]:,.0f}"
                       for side in ("plain", "ours"))  # fmt: skip
        print(f"| {cells['job']} | {plain} | {ours} | {cells['unit']} "
              f"| {cells['times_better']:.2f} |")  # fmt: skip


def print_rest(found: dict[str, Any]) -> None:
    """Prints the start-up of the scripts and how near the training is to the machine's limit."""
    training = found["training"]
    dtype = training["policy"].removeprefix("mixed_")
    rate = statistics.median(training["matrix_multiplication"][dtype])
    print(f"\nMatrices multiply at {rate:,.0f} GFLOP/s ({dtype}); training arithmetic "
          f"reached {training['reached']['CancerNet']:.0%} of it, plain Keras "
          f"{training['reached']['plain Keras']:.0%} of the float32 rate.")  # fmt: skip
    for said, key in (("--help", "help"), ("Refusal", "refusal")):
        times = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in found[key].items())
        print(f"{said}: {times}")
    wall, processor = found["around the epochs"]
    print(f"A training of one epoch, all but the epoch: {wall:.1f} s, {processor:.1f} processor s")


if __name__ == "__main__":
    main()
