"""First answer and bulk scoring, compared with plain Keras.

    python benchmarks/prediction_speed.py RUN FOLDER [--images 20000] [--runs 5] [--json FILE]
        [--before CHECKOUT]

RUN is a finished run; FOLDER holds patches, which are linked into a temporary folder, again and
again, until there are `--images` of them. Each copy of the folder keeps its names, so that a run
that judges in context finds the neighbours. Every figure is for whole processes, from start to
end, the sides in turn, decoding included. `--before` measures the `predict.py` of another
checkout as well, such as that of an earlier commit.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from measured import ROOT, Cost, interleaved, median, run_once, write

SUFFIXES = {".png", ".jpg", ".jpeg"}
FIELDS = {
    "seconds": "seconds", "cpu_seconds": "processor seconds", "peak_megabytes": "peak memory, MB",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--before", type=Path, help="another checkout, measured as well")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    run = arguments.run.resolve()
    checkouts = {"before": arguments.before.resolve()} if arguments.before else {}
    checkouts["predict.py"] = ROOT
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        image = link_patches(arguments.folder.resolve(), folder / "patches", arguments.images)
        first = interleaved(
            {
                "keras": [sys.executable, ROOT / "benchmarks/keras_predict.py", run, image],
                **our_ways(checkouts, image, "--run", run),
            },
            arguments.runs,
        )
        bulk = bulk_scoring(run, folder, checkouts, arguments.runs)
    print_table(
        {"one image, start to answer": first, f"{arguments.images:,} images to a CSV": bulk}
    )
    figures = {
        name: {way: [vars(cost) for cost in costs] for way, costs in found.items()}
        for name, found in (("first_answer", first), ("bulk_scoring", bulk))
    }
    write(arguments.json, {"images": arguments.images, **figures})


def link_patches(source: Path, folder: Path, images: int) -> Path:
    """Links copies of a folder of patches until there are enough; returns a patch among them."""
    patches = sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES)
    for index in range(images):
        patch = patches[index % len(patches)]
        target = folder / f"{index // len(patches):04d}" / patch.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(patch.resolve())
    return folder / "0000" / patches[0].relative_to(source)


def our_ways(checkouts: dict[str, Path], *arguments: object) -> dict[str, list[object]]:
    """Returns the command of every checkout, and ours without context."""
    ways: dict[str, list[object]] = {
        name: [sys.executable, checkout / "predict.py", *arguments]
        for name, checkout in checkouts.items()
    }
    return {**ways, "--alone": [*ways["predict.py"], "--alone"]}


def bulk_scoring(
    run: Path, temporary: Path, checkouts: dict[str, Path], runs: int
) -> dict[str, list[Cost]]:
    folder, keras_csv, our_csv = (temporary / name for name in ("patches", "keras.csv", "ours.csv"))
    plain = [sys.executable, ROOT / "benchmarks/keras_predict.py", run, folder, "--csv", keras_csv]
    commands = {
        "keras": plain,
        **our_ways(checkouts, folder, "--run", run, "--csv", our_csv),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for count in range(runs + 1):
        for name, command in commands.items():
            cost = run_once(command)
            our_csv.unlink(missing_ok=True)  # predict.py never overwrites a table
            if count:  # the first round only warms the file cache
                costs[name].append(cost)
    return costs


def print_table(jobs: dict[str, dict[str, list[Cost]]]) -> None:
    ways = list(next(iter(jobs.values())))
    print(f"| job | figure | {' | '.join(ways)} | keras / predict.py |")
    print("|---|---|" + "---:|" * (len(ways) + 1))
    for job, costs in jobs.items():
        for field, words in FIELDS.items():
            found = {way: median(costs[way], field) for way in ways}
            cells = [f"{value:.2f}" for value in found.values()]
            ratio = found["keras"] / found["predict.py"]
            print(f"| {job} | {words} | {' | '.join(cells)} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
