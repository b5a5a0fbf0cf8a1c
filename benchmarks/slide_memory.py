"""Memory and speed of `predict.py --slide` on a large drawn TIFF.

    python benchmarks/slide_memory.py RUN_FOLDER --side 20000 --work DIR

Draws one patient of the sample and repeats it on a tiled, deflated TIFF of side x side pixels
(written in bands, so that drawing needs little memory). Maps the TIFF in a process of its own
and prints that process's peak resident memory.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
TILE = 256


def main() -> None:
    """Draws, maps and prints a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    path = arguments.work / f"drawn-{arguments.side}.tif"
    if not path.exists():
        write_tiff(path, arguments.side)
    output = arguments.work / f"maps-{arguments.side}-{time.time_ns()}"
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(ROOT / "predict.py"), "--slide", str(path), "--run",
         str(arguments.run), "--output", str(output)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    print(done.stdout.strip() or done.stderr.strip())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    pixels = arguments.side**2
    print(
        f"{arguments.side} x {arguments.side} pixels ({pixels * 3 / 1e9:.2f} GB decoded, "
        f"{path.stat().st_size / 1e6:.0f} MB as a file): {seconds:.0f} s, "
        f"largest resident memory {peak:.0f} MB"
    )


def write_tiff(path: Path, side: int) -> None:
    """Writes a tiled TIFF of glass with the drawn slide on every third place."""
    import tifffile

    sys.path.insert(0, str(ROOT))
    from cancernet.sample.histology import draw_slide

    tissue = draw_slide(7, 90001, 0.4).pixels
    high, wide = tissue.shape[:2]
    glass = np.full((TILE, TILE, 3), 244, np.uint8)

    def tiles() -> Iterator[np.ndarray]:
        for top in range(0, side, TILE):
            for left in range(0, side, TILE):
                if (top // high + left // wide) % 3:
                    yield glass
                else:
                    rows = (np.arange(top, top + TILE) % high)[:, None]
                    yield tissue[rows, np.arange(left, left + TILE) % wide]

    tifffile.imwrite(
        path,
        tiles(),
        shape=(side, side, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        compression="zlib",
        photometric="rgb",
    )


if __name__ == "__main__":
    main()
