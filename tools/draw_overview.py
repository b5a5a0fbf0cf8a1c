"""Draws docs/images/overview.png from the drawn sample and a run on it.

make
.venv/bin/python tools/draw_overview.py datasets/sample/idc output/idc-cancernet-001
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread

PATCHES = 24


def main() -> None:
    """Puts patches of both classes beside two figures of the run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--output", type=Path, default=Path("docs/images/overview.png"))
    arguments = parser.parse_args()
    figure = Figure(figsize=(12, 4.2), layout="constrained", dpi=90)
    patches, roc, matrix = figure.subplots(1, 3, width_ratios=(1.35, 1, 1))
    patches.imshow(contact_sheet(arguments.data))
    patches.set_title("Drawn patches: no IDC (above), IDC (below)", fontsize=10)
    roc.imshow(imread(arguments.run / "figures" / "roc.png"))
    matrix.imshow(imread(arguments.run / "figures" / "confusion_matrix.png"))
    for axes in (patches, roc, matrix):
        axes.axis("off")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.output)


def contact_sheet(data: Path) -> np.ndarray:
    """Returns testing patches, one row block a class, evenly taken from the manifest."""
    with open(data / "manifest.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "testing"]
    blocks = []
    for label in ("0", "1"):
        paths = [data / row["path"] for row in rows if row["label"] == label]
        images = [imread(path)[..., :3] for path in paths]
        whole = [image for image in images if image.shape == (50, 50, 3)]
        chosen = [whole[round(place)] for place in np.linspace(0, len(whole) - 1, PATCHES)]
        framed = [np.pad(image, ((1, 1), (1, 1), (0, 0)), constant_values=1.0) for image in chosen]
        lines = [np.hstack(framed[start : start + 8]) for start in range(0, PATCHES, 8)]
        blocks.append(np.vstack(lines))
    gap = np.ones((10, blocks[0].shape[1], 3))
    return np.vstack([blocks[0], gap, blocks[1]])


if __name__ == "__main__":
    main()
