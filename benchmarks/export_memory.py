"""What it takes to write a network as model.keras and model.onnx, and to compare the two.

    python benchmarks/export_memory.py [RECIPE ...] [--images 256] [--before CHECKOUT]

Networks with random weights, as large as those of the recipes. Each is built and exported by a
process of its own, compared on images of noise. `--before` measures another checkout as well.
"""

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

from measured import ROOT, run_once

RECIPES = ("idc-cancernet", "busi-lite0", "mammography-vgg16")
CLASSES = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", default=RECIPES, metavar="RECIPE")
    parser.add_argument("--images", type=int, default=256, help="on which the two are compared")
    parser.add_argument("--before", type=Path, help="another checkout, measured as well")
    parser.add_argument("--here", action="store_true", help="export in this process; print nothing")
    arguments = parser.parse_args()
    if arguments.here:
        for name in arguments.recipes:
            export(name, arguments.images)
        return
    checkouts = {"now": ROOT, **({"before": arguments.before} if arguments.before else {})}
    print("| | | s | processor s | peak memory, GB |\n|---|---|---:|---:|---:|")
    for name in arguments.recipes:
        command = [sys.executable, __file__, name, "--images", arguments.images, "--here"]
        for when, checkout in checkouts.items():
            cost = run_once(command, environment={"PYTHONPATH": str(checkout.resolve())})
            memory = cost.peak_megabytes / 1000
            print(
                f"| {name} | {when} | {cost.seconds:.1f} | {cost.cpu_seconds:.1f} | {memory:.1f} |"
            )


def export(name: str, images: int) -> None:
    """Builds the network of a recipe and exports it into a folder that is then removed."""
    import numpy as np

    from cancernet.recipes import recipe
    from cancernet.training.export import write_verified
    from cancernet.training.network import fresh_network

    config = dataclasses.replace(recipe(name), weights="none")
    shape = images, config.image_size, config.image_size, 3
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        write_verified(
            fresh_network(config, CLASSES),
            config.test_time_augmentation,
            Path(folder) / "model.keras",
            Path(folder) / "model.onnx",
            noise,
        )


if __name__ == "__main__":
    main()
