"""Draws the data: images of every class, how many there are, and some that were judged."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cancernet.report.figures.style import BLUE, GREEN, GREY, ORANGE, new_figure
from cancernet.report.portrait import Example

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPLIT_COLOURS = {"training": BLUE, "validation": ORANGE, "testing": GREEN}
_DENSITY = re.compile(r"density\s*(?P<density>\d)", re.IGNORECASE)


def draw_class_counts(
    counts: Mapping[str, Sequence[int]], words: Sequence[str], *, footer: str = ""
) -> "Figure":
    """Draws the images of each class in each split, with the numbers on the bars.

    Args:
        counts: split -> images of each class.
        words: what each class means, in order.
        footer: a line below.
    """
    total = sum(sum(row) for row in counts.values())
    figure, (axes,) = new_figure(width=max(5.5, 1.6 + 1.15 * len(words)), height=4.4, footer=footer)
    places, width = np.arange(len(words)), 0.8 / len(counts)
    for number, (split, row) in enumerate(counts.items()):
        offset = (number - (len(counts) - 1) / 2) * width
        bars = axes.bar(
            places + offset,
            row,
            width,
            label=f"{split} ({sum(row):,})",
            color=SPLIT_COLOURS.get(split, GREY),
        )
        size = 8 if len(words) <= 3 else 6.5
        axes.bar_label(bars, labels=[f"{value:,}" for value in row], fontsize=size, padding=2)
    _name_classes(axes, words)
    axes.margins(y=0.12)
    axes.set(ylabel="images")
    axes.set_title(f"{total:,} images by class and split", fontsize=11)
    axes.legend(frameon=False, fontsize=9)
    return figure


def factor_counts(
    classes: Sequence[str], positive: Sequence[str], totals: Sequence[int]
) -> dict[str, dict[str, int]]:
    """Adds classes up by what their names say: density, and benign or malignant.

    Args:
        classes: names such as `Density2Malignant`.
        positive: those that count as positive.
        totals: images of each class.

    Returns:
        Factor to level to images; empty when there are only two classes or the names
        say nothing.
    """
    if len(classes) < 3:
        return {}
    target = {"negative": 0, "positive": 0}
    density: dict[str, int] = {}
    for name, count in zip(classes, totals, strict=True):
        target["positive" if name in positive else "negative"] += count
        found = _DENSITY.search(name)
        if found:
            level = f"density {found['density']}"
            density[level] = density.get(level, 0) + count
    return {"target": target, **({"density": density} if density else {})}


def draw_factors(factors: Mapping[str, Mapping[str, int]], *, footer: str = "") -> "Figure":
    """Draws the sums of `factor_counts`, a panel each, with numbers and shares."""
    figure, panels = new_figure(
        width=4.2 * len(factors), height=3.6, columns=len(factors), footer=footer
    )
    for axes, (factor, levels) in zip(panels, factors.items(), strict=True):
        total = sum(levels.values())
        bars = axes.bar(list(levels), list(levels.values()), 0.6, color=BLUE)
        labels = [f"{count:,}\n{count / max(total, 1):.1%}" for count in levels.values()]
        axes.bar_label(bars, labels=labels, fontsize=8, padding=2)
        axes.margins(y=0.22)
        axes.set(ylabel="images")
        axes.set_title(f"Images by {factor}", fontsize=11)
    return figure


def draw_sample_grid(samples: Mapping[str, Sequence[np.ndarray]], *, footer: str = "") -> "Figure":
    """Draws some training images of every class, a row a class."""
    columns = max((len(images) for images in samples.values()), default=1) or 1
    figure, axes = _sheet(len(samples), columns, side=1.35, left=1.3, footer=footer)
    for row, images in enumerate(samples.values()):
        for column, pixels in enumerate(images):
            _put(axes, pixels, row, column)
    axes.set_yticks(range(len(samples)), list(samples), fontsize=9)
    axes.set_xticks([])
    axes.set_title("Training images, picked at random", fontsize=11)
    return figure


def draw_examples(
    examples: Sequence[Example], *, wrong: int, of: int, columns: int = 4, footer: str = ""
) -> "Figure":
    """Draws testing images with truth, prediction and probability.

    Args:
        examples: picked at random from the wrong and from the right ones.
        wrong: testing images that were called wrongly.
        of: testing images in all.
        columns: images a row.
        footer: a line below.
    """
    rows = max(1, -(-len(examples) // columns))
    figure, axes = _sheet(rows, columns, side=2.0, footer=footer, line=0.3)
    for number, each in enumerate(examples):
        row, column = divmod(number, columns)
        _put(axes, each.pixels, row * 1.3, column)
        verdict = "right" if each.right else "wrong"
        axes.text(
            column,
            row * 1.3 - 0.48,
            f"{verdict}: called {each.predicted}\nprobability {each.probability:.2f}\n"
            f"truth: {each.truth}",
            ha="center",
            va="bottom",
            fontsize=7,
            color=GREEN if each.right else ORANGE,
        )
    axes.axis("off")
    axes.set_title(f"Testing: {of - wrong:,} of {of:,} right", fontsize=11)
    return figure


def _sheet(
    rows: int, columns: int, *, side: float, footer: str, left: float = 0.0, line: float = 0.0
) -> "tuple[Figure, Axes]":
    """One pair of axes for all images: many of them would take the layout seconds."""
    width, height = columns * side + left + 0.2, rows * side * (1 + line) + 0.8
    figure, (axes,) = new_figure(width=max(4.5, width), height=height, footer=footer)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_aspect("equal")
    axes.set(xlim=(-0.5, columns - 0.5), ylim=((rows - 1) * (1 + line) + 0.5, -0.5 - line))
    return figure, axes


def _put(axes: "Axes", pixels: np.ndarray, y: float, x: float) -> None:
    """Shows an image around a place, its longer side 0.94 of a cell."""
    half = 0.47 * np.array(pixels.shape[:2]) / max(pixels.shape[:2])
    extent = (x - half[1], x + half[1], y + half[0], y - half[0])
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(pixels, extent=extent, aspect="equal")
    axes.set(xlim=limits[0], ylim=limits[1])


def _name_classes(axes: "Axes", words: Sequence[str]) -> None:
    turned: dict[str, Any] = {"rotation": 40, "ha": "right"} if len(words) > 3 else {}
    axes.set_xticks(range(len(words)), list(words), **turned)
