"""First answer and bulk scoring, compared with plain Keras.

    python benchmarks/prediction_speed.py RUN FOLDER [--images 20000] [--runs 5] [--json FILE]

RUN is a finished run; FOLDER holds patches, which are linked into a temporary folder
until there are `--images` of them. Every figure is for whole processes, from start to
end, the two sides in turn, decoding included.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from measured import ROOT, Cost, interleaved, median, run_once, write

SUFFIXES = {".png", ".jpg", ".jpeg"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    patches = sorted(p for p in arguments.folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    run = arguments.run.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        first = first_answer(run, patches[0].resolve(), arguments.runs)
        bulk = bulk_scoring(run, patches, Path(temporary), arguments)
    print_table(first, bulk, arguments.images)
    figures = {
        name: {way: [vars(cost) for cost in costs] for way, costs in found.items()}
        for name, found in (("first_answer", first), ("bulk_scoring", bulk))
    }
    write(arguments.json, {"images": arguments.images, **figures})


def first_answer(run: Path, image: Path, runs: int) -> dict[str, list[Cost]]:
    return interleaved(
        {
            "keras": [sys.executable, ROOT / "benchmarks/keras_predict.py", run, image],
            "predict.py": [sys.executable, ROOT / "predict.py", image, "--run", run],
        },
        runs,
    )


def bulk_scoring(
    run: Path, patches: list[Path], temporary: Path, arguments: argparse.Namespace
) -> dict[str, list[Cost]]:
    folder = temporary / "patches"
    for index in range(arguments.images):
        source = patches[index % len(patches)]
        target = folder / f"{index // 1000:04d}" / f"{index:07d}{source.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())
    keras_csv, our_csv = temporary / "keras.csv", temporary / "ours.csv"
    plain = [sys.executable, ROOT / "benchmarks/keras_predict.py", run, folder, "--csv", keras_csv]
    ours = [sys.executable, ROOT / "predict.py", folder, "--run", run, "--csv", our_csv]
    costs: dict[str, list[Cost]] = {"keras": [], "predict.py": []}
    for count in range(arguments.runs + 1):
        for name, command in (("keras", plain), ("predict.py", ours)):
            cost = run_once(command)
            if count:  # the first round only warms the file cache
                costs[name].append(cost)
        our_csv.unlink()  # predict.py never overwrites a table
    return costs


def print_table(first: dict[str, list[Cost]], bulk: dict[str, list[Cost]], images: int) -> None:
    print("| job | figure | Keras | predict.py | ratio |")
    print("|---|---|---|---|---|")
    one, many = "one image, start to answer", f"{images:,} images to a CSV"
    for job, costs, field, words in (
        (one, first, "seconds", "seconds"),
        (one, first, "peak_megabytes", "peak memory, MB"),
        (many, bulk, "seconds", "seconds"),
        (many, bulk, "peak_megabytes", "peak memory, MB"),
    ):
        plain, ours = median(costs["keras"], field), median(costs["predict.py"], field)
        print(f"| {job} | {words} | {plain:.2f} | {ours:.2f} | {plain / ours:.1f} |")
    rates = (images / median(bulk[way], "seconds") for way in ("keras", "predict.py"))
    print("Images/s with decoding: {:.0f} and {:.0f}".format(*rates))


if __name__ == "__main__":
    main()
