"""Do heat maps point at the class? Every registered network on images with a known answer.

    python benchmarks/known_regions.py                      # the named networks
    python benchmarks/known_regions.py cancernet vgg16      # these
    python benchmarks/known_regions.py --backbones          # those of keras.applications too

Each network is trained in a process of its own, from random weights, on new images at every step.
`right` is the share of new images classified correctly; `grad-cam` and `hirescam` are the mean
share of the map's mass in the quadrant that holds the class (chance is 0.25); `shuffled` is
Grad-CAM after the weights are shuffled, the mean of three shuffles and both classes. More:
tests/helpers/known_regions.py.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Measures the networks one by one and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--backbones", action="store_true", help="those of keras.applications too")
    parser.add_argument("--seed", type=int, default=7, help="of the first weights (default: 7)")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.seed)))
        return
    names = arguments.networks or _registered(backbones=arguments.backbones)
    print("network                        size  layer              maps  steps  right  grad-cam"
          "  hirescam  shuffled  CPU s    MB  verdict", flush=True)  # fmt: skip
    passed = 0
    for name in names:
        command = [sys.executable, __file__, "--one", name, "--seed", str(arguments.seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name:30} did not run: {done.stderr.strip().splitlines()[-1:]}", flush=True)
            continue
        row = json.loads(done.stdout.splitlines()[-1])
        passed += row["verdict"] == "passes"
        print(as_line(name, row), flush=True)
    print(f"{passed} of {len(names)} pass")


def as_line(name: str, row: dict) -> str:
    """One row of the table."""
    maps = "x".join(map(str, row["maps"]))
    shares = "".join(f"  {row[key]:8.2f}" for key in ("grad-cam", "hirescam", "shuffled"))
    return (
        f"{name:30} {row['size']:4}  {row['layer'][:16]:16} {maps:>6} {row['steps']:6}"
        f" {row['right']:6.2f}{shares}  {row['seconds']:5.0f} {row['megabytes']:5.0f}"
        f"  {row['verdict']}"
    )


def measure(name: str, seed: int) -> dict:
    """Trains, explains and shuffles one network; returns a row of the table."""
    sys.path.insert(0, str(ROOT))
    from tests.helpers import known_regions as known

    row = known.judge(name, seed=seed)
    return {
        **row,
        "seconds": time.process_time(),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "verdict": "passes" if known.passes(row) else "FAILS",
    }


def _registered(*, backbones: bool) -> list[str]:
    sys.path.insert(0, str(ROOT))
    from cancernet.models import MODELS
    from cancernet.networks import BACKBONE_PREFIX

    return [name for name in MODELS if backbones or not name.startswith(BACKBONE_PREFIX)]


if __name__ == "__main__":
    main()
