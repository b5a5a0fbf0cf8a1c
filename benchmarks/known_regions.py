"""Do heat maps lie where the class is? Every registered network on images with a known answer.

    python benchmarks/known_regions.py                      # all but the four largest
    python benchmarks/known_regions.py cancernet vgg16      # these

Each network in a process of its own. `grad-cam` is the mean share of the map's mass in the
quadrant that holds the class, chance 0.25; `shuffled` the same after the weights were dealt
out anew, the larger of both classes'; `right` the share of new images that the read-out tells
rightly. How the heads are fitted stands in tests/known_regions.py: the convolutions are random,
not trained.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SMALL = {"cancernet": 48, "simple-cnn": 48, "kernel-cnn": 48, "kernel-cnn-relu": 48,
         "kernel-cnn-gaussian": 48, "kernel-cnn-mean": 48}  # fmt: skip
SIZE = 128
# More than 3 GB while they are built.
LARGE = {"backbone:ConvNeXtBase", "backbone:ConvNeXtLarge", "backbone:ConvNeXtXLarge",
         "backbone:NASNetLarge"}  # fmt: skip
FITTED, FITTED_SMALL, EXPLAINED = 64, 200, 16


def main() -> None:
    """Measures the networks one by one and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    names = arguments.networks or _registered()
    print("network                        size  layer                     maps   right  grad-cam"
          "  shuffled  hirescam  seconds  verdict", flush=True)  # fmt: skip
    failed = 0
    for name in names:
        command = [sys.executable, __file__, "--one", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name:30} did not run: {done.stderr.strip().splitlines()[-1:]}", flush=True)
            failed += 1
            continue
        row = json.loads(done.stdout.splitlines()[-1])
        failed += row["verdict"] != "passes"
        print(as_line(name, row), flush=True)
    print(f"{len(names) - failed} of {len(names)} pass")


def as_line(name: str, row: dict) -> str:
    """One row of the table."""
    shares = "".join(f"  {row[key]:8.2f}" for key in ("grad-cam", "shuffled", "hirescam"))
    return (
        f"{name:30} {row['size']:4}  {row['layer'][:24]:24}  {row['maps']:6} {row['right']:5.2f}"
        f"{shares}  {row['seconds']:7.0f}  {row['verdict']}"
    )


def measure(name: str) -> dict:
    """Fits and explains one network; returns a row of the table."""
    sys.path.insert(0, str(ROOT))
    import numpy as np

    from cancernet.models import build_model
    from tests import known_regions as known

    started = time.perf_counter()
    import keras

    keras.utils.set_random_seed(7)
    size = SMALL.get(name, SIZE)
    model = build_model(name, (size, size, 3), 2)
    count = FITTED_SMALL if name in SMALL else FITTED
    images, classes, _ = known.draw(count, size, seed=1)
    known.fit_read_out(model, images, classes)
    images, classes, regions = known.draw(2 * EXPLAINED, size, seed=2)
    answers = model.predict(images.astype(np.float32), verbose=0, batch_size=16).argmax(axis=1)
    images, regions = images[classes == 1], regions[classes == 1]
    found = inside(model, images, regions, ("grad-cam", "hirescam"))
    known.shuffle_read_out(model, seed=3)
    both = [inside(model, images, regions, ("grad-cam",), index) for index in (0, 1)]
    shuffled = max(row["grad-cam"] for row in both)
    empty = all(row["empty"] for row in both)
    passes = found["grad-cam"] >= 0.5 and shuffled <= 0.4 and not empty
    return {
        **found,
        "size": size,
        "right": float((answers == classes).mean()),
        "shuffled": shuffled,
        "seconds": time.perf_counter() - started,
        "verdict": "passes" if passes else "FAILS",
    }


def inside(model, images, regions, methods: tuple[str, ...], class_index: int = 1) -> dict:
    """Returns the share of mass inside of every method, and which layer was explained."""
    import numpy as np

    from cancernet.explaining.gradients import Gradients
    from cancernet.explaining.maps import GRADIENT_METHODS, spread
    from tests import known_regions as known

    gradients = Gradients(model)
    found = [gradients.at(image, class_index)[:2] for image in images]
    side = images.shape[1]
    shares = {
        method: known.share_inside(
            np.stack(
                [spread(GRADIENT_METHODS[method](*pair), height=side, width=side) for pair in found]
            ),
            regions,
        )
        for method in methods
    }
    rows, columns = found[0][0].shape[:2]
    empty = not any(GRADIENT_METHODS["grad-cam"](*pair).any() for pair in found)
    return {
        **shares,
        "empty": empty,
        "layer": gradients.layer_name(None),
        "maps": f"{rows}x{columns}",
    }


def _registered() -> list[str]:
    sys.path.insert(0, str(ROOT))
    from cancernet.models import MODELS

    return [name for name in MODELS if name not in LARGE]


if __name__ == "__main__":
    main()
