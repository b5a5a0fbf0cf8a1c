"""Every speed figure of the project compared with the plain way, in one command.

    python benchmarks/run_all.py [--data DIR] [--run DIR] [--json FILE]

Without --data a sample is drawn and built; without --run a short training makes one.
Then, one after the other: the start-up of every script (`--help`), its refusal of what is wrong,
and a training of one epoch (`timeline.py`); then the first answer, bulk scoring in context and
alone, training (the tutorial's network and EfficientNet-Lite0) and building, each side by side
with plain Keras, the tutorial's stream or a plain copy loop, several rounds in turn.
Prints medians and ratios; the numbers never decide the exit code. For a GPU see `gpu.py`.
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
SIDES = ("--stream stock", "CancerNet")  # of `training_throughput.py`


def main() -> None:
    arguments = parse_arguments()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = Path(temporary)
        drawn = arguments.data is None
        data = arguments.data.resolve() if arguments.data else build_sample(folder)
        run = arguments.run.resolve() if arguments.run else train_briefly(data, folder)
        found: dict[str, Any] = {"drawn_data": drawn, "help": help_times()}
        found["refusals"] = step(folder, "refusals.py", data, run).get("refusals", {})
        found["timeline"] = step(folder, "timeline.py", data, "--rounds", arguments.rounds)
        found["prediction"] = step(
            folder, "prediction_speed.py", run, data / "testing",
            "--images", arguments.images, "--runs", arguments.rounds,
        )  # fmt: skip
        found["training"] = step(
            folder, "training_throughput.py", data, "--rounds", arguments.training_rounds,
            "--images", arguments.training_images, "--batch-sizes", 32, 64, 256,
        )  # fmt: skip
        found["fine-tuning"] = step(
            folder, "training_throughput.py", data, "--rounds", arguments.rounds,
            "--images", 256, "--batch-sizes", 32, "--recipe", "idc-lite0",
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
    if not call("build_dataset.py", "--sample", "--source", folder / "drawn", "--output", data):
        sys.exit(1)
    return data


def train_briefly(data: Path, folder: Path) -> Path:
    """Trains two epochs of the short recipe: the speed of a run does not depend on its quality."""
    print("Training a run to measure with ...", file=sys.stderr)
    run = folder / "run"
    if not call(
        "train_model.py", "--data", data, "--run", run, "--recipe", "idc-cancernet-fast",
        "--epochs", 2,
    ):  # fmt: skip
        sys.exit(1)
    return run


def help_times() -> dict[str, float]:
    """Returns the median seconds of `--help` for every script there is."""
    commands = {path.name: [sys.executable, path, "--help"] for path in sorted(ROOT.glob("*.py"))}
    costs = interleaved(commands, HELP_RUNS)
    return {name: median(found, "seconds") for name, found in costs.items()}


def step(folder: Path, script: str, *arguments: object) -> dict[str, Any]:
    """Runs one of the benchmarks beside this file, its table on the screen.

    Returns:
        Its JSON; nothing if it failed, which must not lose what the others measured.
    """
    print(f"\n## {script}\n", flush=True)
    report = folder / f"{script}.json"
    done = call(f"benchmarks/{script}", *arguments, "--json", report, quiet=False)
    return json.loads(report.read_text()) if done else {}


def call(script: str, *arguments: object, quiet: bool = True) -> bool:
    command = [sys.executable, ROOT / script, *arguments]
    done = subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        stdout=subprocess.DEVNULL if quiet else None,
        check=False,
    )
    if done.returncode:
        print(f"{script} failed with exit code {done.returncode}; its reason stands above")
    return done.returncode == 0


def summary(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Makes one row of each comparison: both medians, and how many times better ours is."""
    rows = []
    if found["prediction"]:
        rows += prediction_rows(found["prediction"])
    for title, name in (
        ("training", "training"),
        ("EfficientNet-Lite0, fine-tuning", "fine-tuning"),
    ):
        if found[name]:
            rows += training_rows(title, found[name])
    if not found["building"]:
        return rows
    building = found["building"]["medians"]
    loop = building["shutil.copy2 loop"]["seconds"]
    for name, figures in building.items():
        if name != "shutil.copy2 loop":
            rows.append(row(name, loop, figures["seconds"], "s", loop / figures["seconds"]))
    return rows


def prediction_rows(prediction: dict[str, Any]) -> list[dict[str, Any]]:
    """Makes the rows of both jobs beside Keras, and of context beside patches alone."""
    many = f"{prediction['images']:,} images to a CSV"
    rows = []
    for job, key, plain, field, unit in (
        ("first answer, in context", "first_answer", "keras", "seconds", "s"),
        ("the same, peak memory", "first_answer", "keras", "peak_megabytes", "MB"),
        (f"{many}, in context", "bulk_scoring", "keras", "seconds", "s"),
        ("the same, processor time", "bulk_scoring", "keras", "cpu_seconds", "s"),
        ("the same, peak memory", "bulk_scoring", "keras", "peak_megabytes", "MB"),
        (f"{many}, in context beside --alone", "bulk_scoring", "--alone", "cpu_seconds", "s"),
    ):
        one, ours = (
            statistics.median(cost[field] for cost in prediction[key][way])
            for way in (plain, "predict.py")
        )
        rows.append(row(job, one, ours, unit, one / ours))
    return rows


def training_rows(job: str, training: dict[str, Any]) -> list[dict[str, Any]]:
    """Makes the rows of each batch size and of each side's best, by wall and processor."""
    paces = training["paces"]

    def middle(name: str, field: str) -> float:
        return statistics.median(pace[field] for pace in paces[name])

    sides = [[name for name in paces if name.startswith(f"{side}, ")] for side in SIDES]
    pairs = {pair[0].partition(", ")[2]: pair for pair in zip(*sides, strict=True)}
    jobs = {f"{job}, batch {size}": pair for size, pair in pairs.items()}
    if len(jobs) > 1:
        jobs[f"{job}, each at its best batch"] = tuple(
            max(names, key=lambda name: middle(name, "images_per_second")) for names in sides
        )
    rows = []
    for said, pair in jobs.items():
        plain, ours = (middle(name, "images_per_second") for name in pair)
        rows.append(row(said, plain, ours, "images/s"))
        plain, ours = (middle(name, "cpu_microseconds") for name in pair)
        rows.append(row("the same, processor time", plain, ours, "µs an image", plain / ours))
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
    if training := found["training"]:
        dtype = training["policy"].removeprefix("mixed_")
        rate = statistics.median(training["matrix_multiplication"][dtype])
        reached = [training["reached"][side] for side in SIDES]
        print(f"\nMatrices multiply at {rate:,.0f} GFLOP/s ({dtype}); training arithmetic reached "
              f"{reached[1]:.0%} of it, the tutorial's stream {reached[0]:.0%} of the float32 "
              "rate.")  # fmt: skip
    times = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in found["help"].items())
    print(f"--help: {times}")
    slowest = sorted(found["refusals"].items(), key=lambda each: -each[1][1])
    print(f"Refusals, {len(slowest)}, the slowest by processor time: " + "; ".join(
        f"`{line}` {wall:.2f} s, {processor:.2f} processor s"
        for line, (wall, processor) in slowest[:3]
    ))  # fmt: skip
    for title, name in (
        ("A training of one epoch, all but the epoch", "around"),
        ("Of these, what judging in context takes", "context"),
    ):
        if name in found["timeline"]:
            wall, processor = found["timeline"][name]
            print(f"{title}: {wall:.1f} s, {processor:.1f} processor s")


if __name__ == "__main__":
    main()
