"""Compares plain_keras.py, the yardstick of the benchmarks, with another copy of its recipe.

    python benchmarks/check_reference.py RECIPE.py IDC_FOLDER [--patients 8863 8864] [--rounds 2]

RECIPE.py is run as `RECIPE.py TRAIN TEST --epochs N`, prints one JSON line with
`images_per_s`, and builds its network in a function `net()` from `keras` and
`keras.layers` as `L`. Layers, parameters and images/s on the same patches are compared,
the two in turn.
"""

import argparse
import ast
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import plain_keras

EPOCHS = 3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", type=Path)
    parser.add_argument("source", type=Path, help="IDC patches, <patient>/<0|1>/*.png")
    parser.add_argument("--patients", nargs="+", default=["8863", "8864"])
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    theirs, ours = network_of(arguments.recipe), plain_keras.make_model()
    same = [describe(layer) for layer in theirs.layers] == [describe(x) for x in ours.layers]
    print(f"Layers alike: {same}; parameters {theirs.count_params():,} and {ours.count_params():,}")
    rates: dict[str, list[float]] = {"recipe": [], "plain_keras.py": []}
    with tempfile.TemporaryDirectory() as temporary:
        root, built = Path(temporary) / "patients", Path(temporary) / "built"
        link_patches(arguments.source, arguments.patients, root, built)
        commands = {
            "recipe": [arguments.recipe, root, root, "--epochs", EPOCHS],
            "plain_keras.py": [plain_keras.__file__, built, "--epochs", EPOCHS],
        }
        for _ in range(arguments.rounds):
            for name, command in commands.items():
                rates[name].append(images_per_second(command))
    for name, found in rates.items() if arguments.rounds else ():
        print(f"{name}: {statistics.median(found):,.0f} images/s ({min(found):,.0f}-"
              f"{max(found):,.0f})")  # fmt: skip


def network_of(recipe: Path) -> keras.Model:
    """Builds the network of a recipe without running the rest of it."""
    tree = ast.parse(recipe.read_text(encoding="utf-8"))
    tree.body = [x for x in tree.body if isinstance(x, ast.FunctionDef) and x.name == "net"]
    names = {"keras": keras, "L": keras.layers}
    exec(compile(tree, str(recipe), "exec"), names)
    return names["net"]()


def describe(layer: keras.layers.Layer) -> tuple[str, dict]:
    """A layer's kind and settings without its name."""
    config = {k: v for k, v in layer.get_config().items() if k != "name"}
    return type(layer).__name__, config


def link_patches(source: Path, patients: list[str], root: Path, built: Path) -> None:
    """Links the same patches as patient folders and, a tenth of them validating, as splits."""
    shuffled = random.Random(plain_keras.SEED)
    for patient in patients:
        for path in sorted((source / patient).glob("[01]/*.png")):
            split = "validation" if shuffled.random() < 0.1 else "training"
            for target in (root / patient, built / split):
                link = target / path.parent.name / path.name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.resolve())


def images_per_second(command: list[object]) -> float:
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    return result.get("images_per_s") or result["images_per_second"]


if __name__ == "__main__":
    main()
