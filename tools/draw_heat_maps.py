"""Draws docs/images/heat_maps.png and slide_map.png from the drawn sample and a run on it.

make
.venv/bin/python tools/draw_heat_maps.py datasets/sample/idc output/idc-cancernet-001
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from cancernet.dataset.manifest import BuiltDataset, read_dataset
from cancernet.explaining import METHODS, Explainer, overlay
from cancernet.images.reading import read_rgb
from cancernet.runs.run_folder import Run, open_run

SHOWN = 4
LONGEST = 1000
FOOTER = "Drawn by a program: no tissue, no patients."


def main() -> None:
    """Writes both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--output", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    run, dataset = open_run(arguments.run), read_dataset(arguments.data)
    explainer = Explainer(run)
    draw_heat_maps(explainer, dataset, arguments.output / "heat_maps.png")
    take_slide(run, dataset, arguments.output / "slide_map.png")


def draw_heat_maps(explainer: Explainer, dataset: BuiltDataset, path: Path) -> None:
    """Testing patches of class 1, evenly taken, with every method beside them."""
    part = dataset.split("testing")
    positive = [p for p, label in zip(part.paths, part.labels, strict=True) if label == 1]
    chosen = [positive[round(i)] for i in np.linspace(0, len(positive) - 1, SHOWN + 2)[1:-1]]
    figure = Figure(figsize=(2.0 * (1 + len(METHODS)), 2.05 * SHOWN + 0.5), layout="constrained")
    for row, axes in zip(chosen, figure.subplots(SHOWN, 1 + len(METHODS)), strict=True):
        image = np.asarray(read_rgb(dataset.folder / row))
        axes[0].imshow(image)
        pixels = explainer.predictor.prepare(dataset.folder / row).pixels
        for place, method in zip(axes[1:], METHODS, strict=True):
            place.imshow(overlay(image, explainer.explain(pixels, 1, method=method).map))
            place.set_title(method if row is chosen[0] else "", fontsize=9)
        probability = explainer.predictor.probabilities(pixels[None])[0, 1]
        axes[0].set_title(f"probability of IDC: {probability:.2f}", fontsize=9)
        for place in axes:
            place.axis("off")
    figure.supxlabel(FOOTER, fontsize=8, color="#555555")
    figure.savefig(path, dpi=70)
    make_small(path)


def take_slide(run: Run, dataset: BuiltDataset, path: Path) -> None:
    """The run's own map of the testing patient with the most even mixture of both classes."""
    part = dataset.split("testing")
    patients = np.array(part.patients)
    names = sorted(set(part.patients))
    chosen = min(names, key=lambda name: abs(part.labels[patients == name].mean() - 0.4))
    path.write_bytes((run.folder / "figures" / f"slide-{chosen}.png").read_bytes())
    make_small(path)


def make_small(path: Path) -> None:
    """Brings a picture to a size and a number of colours that a repository can hold."""
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((LONGEST, LONGEST))
    picture.quantize(256, method=Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


if __name__ == "__main__":
    main()
