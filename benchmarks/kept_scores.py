"""The tables of `patients_left_out.py` once more, from the scores that it kept.

    python benchmarks/kept_scores.py [benchmarks/left_out] [--recipes NAME ...] [--seeds N ...] \\
        [--minus ROW]

Training all the networks takes hours of processor time. `patients_left_out.py --keep` stores
what each of them said of the patches left out, so that anyone can check the tables, compare
other rows, or add seeds on another day. Images and file names are not stored: only the patient,
label, score, call and number of neighbours of each patch, and the commit that trained the
network. A score is stored as log odds in half precision, which changes no AUC by more than 0.0001.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from judged import DENSE, Found, Judged, print_tables

FOLDER = Path(__file__).parent / "left_out"
LARGEST = 30.0  # log odds
WAYS = ("alone", "in context")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--recipes", nargs="+", help="all that are kept, unless given")
    parser.add_argument("--seeds", nargs="+", type=int, help="those that all of them have")
    parser.add_argument("--dense", nargs="+", default=DENSE, help="patients judged one by one")
    parser.add_argument("--minus", help="row to compare the others with (default: the first)")
    arguments = parser.parse_args()
    files = kept_files(arguments.folder)
    recipes = arguments.recipes or list(files)
    if missing := [recipe for recipe in recipes if recipe not in files]:
        sys.exit(f"{arguments.folder} has no scores of {', '.join(missing)}.")
    shared = set.intersection(*(set(files[recipe]) for recipe in recipes))
    seeds = sorted(shared & set(arguments.seeds or shared))
    if not seeds:
        sys.exit(f"No seed was kept of all of {', '.join(recipes)}.")
    runs = {
        recipe: {
            (fold, seed): ways for seed in seeds for fold, ways in read(files[recipe][seed]).items()
        }
        for recipe in recipes
    }
    common = sorted(set.intersection(*map(set, runs.values())))
    if left_out := sorted(set.union(*map(set, runs.values())) - set(common)):
        print(f"Left out, since not kept of all (fold, seed): {left_out}", file=sys.stderr)
    found: Found = defaultdict(dict)
    for recipe, of_recipe in runs.items():
        for fold, seed in common:
            first = runs[recipes[0]][fold, seed]["alone"]
            if not same_patches(of_recipe[fold, seed]["alone"], first):
                sys.exit(f"{recipe} and {recipes[0]} were judged on other patches.")
            for way, judged in of_recipe[fold, seed].items():
                found[f"{recipe}, {way}"][fold, seed] = judged
    if arguments.minus and arguments.minus not in found:
        sys.exit(f"There is no row {arguments.minus!r}; rows are {', '.join(map(repr, found))}.")
    print_tables(found, sorted(arguments.dense), arguments.minus)


def same_patches(one: Judged, other: Judged) -> bool:
    """Tells whether two networks were judged on the same patches in the same order."""
    return np.array_equal(one.patients, other.patients) and np.array_equal(one.truth, other.truth)


def kept_files(folder: Path) -> dict[str, dict[int, Path]]:
    """Returns the files of each recipe by seed, in the order of their names."""
    files: dict[str, dict[int, Path]] = defaultdict(dict)
    for file in sorted(folder.glob("*.npz")):
        recipe, seed = file.stem.rsplit("-", 1)
        files[recipe][int(seed)] = file
    if not files:
        sys.exit(f"{folder} has no kept scores.")
    return files


def keep(folder: Path, recipe: str, fold: int, seed: int, ways: dict[str, Judged]) -> None:
    """Adds a fold to the file of its recipe and seed, or replaces it there."""
    file = folder / f"{recipe}-{seed}.npz"
    folds = {**(read(file) if file.exists() else {}), fold: ways}
    folder.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".part")
    with open(beside, "wb") as target:
        np.savez_compressed(target, allow_pickle=False, **packed(dict(sorted(folds.items()))))
    beside.replace(file)


def packed(folds: dict[int, dict[str, Judged]]) -> dict[str, np.ndarray]:
    """Returns one array of each kind, the patches of all folds one after another."""
    alone = [ways["alone"] for ways in folds.values()]
    arrays = {
        "folds": np.array(list(folds), np.uint8),
        "patches": np.array([len(judged.truth) for judged in alone]),
        "cpu_seconds": np.array([judged.cpu_seconds for judged in alone]),
        "commits": np.array([judged.commit for judged in alone]),
        "patients": np.concatenate([judged.patients for judged in alone]),
        "truth": np.concatenate([judged.truth for judged in alone]).astype(bool),
    }
    for way in shared_ways(folds):
        of_way = [ways[way] for ways in folds.values()]
        probability = np.concatenate([judged.score for judged in of_way])
        with np.errstate(divide="ignore"):
            log_odds = np.log(probability) - np.log1p(-probability)
        arrays[f"{way}, log odds"] = log_odds.clip(-LARGEST, LARGEST).astype(np.float16)
        arrays[f"{way}, called"] = np.concatenate([judged.called for judged in of_way]).astype(bool)
        if of_way[0].neighbours is not None:
            neighbours = np.concatenate([judged.neighbours for judged in of_way])
            arrays[f"{way}, neighbours"] = neighbours.astype(np.uint8)
    return arrays


def shared_ways(folds: dict[int, dict[str, Judged]]) -> list[str]:
    """Returns the ways in which every fold was judged."""
    return [way for way in WAYS if all(way in ways for ways in folds.values())]


def read(file: Path) -> dict[int, dict[str, Judged]]:
    """Returns what was kept of each fold, by the way in which it was judged."""
    with np.load(file, allow_pickle=False) as arrays:
        ends = arrays["patches"].cumsum()
        slices = [slice(end - size, end) for end, size in zip(ends, arrays["patches"], strict=True)]
        return {
            int(fold): {
                way: Judged(
                    patients=arrays["patients"][rows],
                    truth=arrays["truth"][rows].astype(int),
                    score=1 / (1 + np.exp(-arrays[f"{way}, log odds"][rows].astype(float))),
                    called=arrays[f"{way}, called"][rows].astype(int),
                    cpu_seconds=float(arrays["cpu_seconds"][number]),
                    neighbours=(
                        arrays[f"{way}, neighbours"][rows].astype(int)
                        if f"{way}, neighbours" in arrays
                        else None
                    ),
                    commit=str(arrays["commits"][number]),
                )
                for way in WAYS
                if f"{way}, called" in arrays
            }
            for number, (fold, rows) in enumerate(zip(arrays["folds"], slices, strict=True))
        }


if __name__ == "__main__":
    main()
