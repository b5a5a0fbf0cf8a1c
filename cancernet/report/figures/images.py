"""Draws the network layer by layer, and images: samples, judged ones, one through every kernel."""

import dataclasses
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cancernet.report.figures.style import BLUE, GREEN, GREY, ORANGE, new_figure
from cancernet.report.portrait import Example, KernelViews, Layer
from cancernet.report.rendering import shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4  # of testing images
MOST_BOXES = 24
BOXES_A_COLUMN = 8
_JOINED = {"BatchNormalization", "Dropout", "Activation", "ReLU"}


def draw_sample_grid(samples: Mapping[str, Sequence[np.ndarray]]) -> "Figure":
    """Draws some training images of every class, a row a class."""
    columns = max((len(images) for images in samples.values()), default=1) or 1
    figure, axes = _sheet(len(samples), columns, side=1.35, left=1.3)
    for row, images in enumerate(samples.values()):
        for column, pixels in enumerate(images):
            _put(axes, pixels, row, column)
    names = [textwrap.fill(name, 15) for name in samples]  # as wide as the margin
    axes.set_yticks(range(len(samples)), names, fontsize=9)
    axes.set_xticks([])
    axes.set_title("Training images, picked at random", fontsize=11)
    return figure


def draw_examples(examples: Sequence[Example], *, wrong: int, of: int) -> "Figure":
    """Draws testing images with truth, prediction and probability.

    `wrong` of `of` testing images were called wrongly; `examples` are picked at random from
    the wrong and from the right ones.
    """
    rows = max(1, -(-len(examples) // COLUMNS))
    figure, axes = _sheet(rows, COLUMNS, side=2.0, line=0.3)
    for number, each in enumerate(examples):
        row, column = divmod(number, COLUMNS)
        _put(axes, each.pixels, row * 1.3, column)
        verdict = "right" if each.right else "wrong"
        axes.text(
            column,
            row * 1.3 - 0.48,
            f"{verdict}: called {each.predicted}\nwith probability {each.probability:.2f}\n"
            f"truth: {each.truth}",
            ha="center",
            va="bottom",
            fontsize=7,
            color=GREEN if each.right else ORANGE,
        )
    axes.axis("off")
    axes.set_title(f"Testing: {of - wrong:,} of {of:,} right", fontsize=11)
    return figure


def draw_kernels(views: KernelViews) -> "Figure":
    """Draws one image beside what every kernel makes of it, before and after min-max."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 3.15 * len(views.filtered)), layout="constrained")
    grid = figure.subplots(len(views.filtered), 3, squeeze=False)
    for row, name in zip(grid, views.filtered, strict=True):
        original, filtered, stretched = views.original, views.filtered[name], views.stretched[name]
        used = ", used here" if name == views.used else ""
        panels = (
            (original, f"original, {original.min()} to {original.max()}"),
            # Shown as a screen shows it: values outside 0-255 are cut off.
            (
                filtered.clip(0, 255).astype("uint8"),
                f"{name}{used}\nfiltered, {filtered.min():.0f} to {filtered.max():.0f}",
            ),
            (
                stretched,
                f"after min-max and scale\n{stretched.min():.2f} to {stretched.max():.2f}",
            ),
        )
        for axes, (pixels, title) in zip(row, panels, strict=True):
            axes.imshow(pixels)
            axes.set_title(title, fontsize=9)
            axes.axis("off")
        row[0].text(
            -0.06,
            0.5,
            _coefficients(views.coefficients[name]),
            transform=row[0].transAxes,
            ha="right",
            va="center",
            fontsize=9,
            family="monospace",
        )
    return figure


def _coefficients(kernel: np.ndarray) -> str:
    values = np.asarray(kernel, np.float64)
    unit = np.abs(values[values != 0]).min()
    lines = [" ".join(f"{round(value / unit):2d}" for value in row) for row in values]
    scale = "" if unit == 1 else f"1/{round(1 / unit)} ·\n"
    return scale + "\n".join(lines)


def _sheet(
    rows: int, columns: int, *, side: float, left: float = 0.0, line: float = 0.0
) -> "tuple[Figure, Axes]":
    """One pair of axes for all images: many of them would take the layout seconds."""
    width, height = columns * side + left + 0.2, rows * side * (1 + line) + 0.8
    figure, (axes,) = new_figure(width=max(4.5, width), height=height)
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


@dataclasses.dataclass
class Box:
    """Layers that are drawn as one."""

    layers: list[Layer]
    by_stage: bool = False

    @property
    def kinds(self) -> str:
        """What it is made of, in words."""
        if not self.by_stage:
            return " + ".join(layer.kind for layer in self.layers)
        counted = Counter(layer.kind for layer in self.layers)
        named = [f"{count} {kind}" for kind, count in counted.most_common(4)]
        return f"{len(self.layers)} layers: " + ", ".join(named)

    @property
    def shape(self) -> str:
        """Shape of the output."""
        return shape(self.layers[-1].output)

    @property
    def parameters(self) -> int:
        """Of all its layers."""
        return sum(layer.parameters for layer in self.layers)


def boxes_of(layers: Sequence[Layer]) -> list[Box]:
    """Joins layers to boxes."""
    boxes: list[Box] = []
    for layer in layers:
        # A shape that stays says that nothing but numbers changed.
        stays = boxes and layer.output == boxes[-1].layers[-1].output
        if stays and layer.kind in _JOINED:
            boxes[-1].layers.append(layer)
        else:
            boxes.append(Box([layer]))
    if len(boxes) <= MOST_BOXES:
        return boxes
    stages: list[Box] = []
    for layer in layers:
        same = stages and stages[-1].layers[-1].output[:-1] == layer.output[:-1]
        if same:
            stages[-1].layers.append(layer)
        else:
            stages.append(Box([layer], by_stage=True))
    return stages


def draw_network(layers: Sequence[Layer]) -> "Figure":
    """Draws the network from the input to the output, column by column."""
    from matplotlib.figure import Figure

    boxes = boxes_of(layers)
    columns = -(-len(boxes) // BOXES_A_COLUMN)
    rows = -(-len(boxes) // columns)  # columns of one height
    figure = Figure(figsize=(max(4.2, 3.4 * columns), 0.92 * rows + 1.1), layout="constrained")
    axes = figure.subplots()
    axes.axis("off")
    axes.set(xlim=(-0.55, columns - 0.45), ylim=(rows - 0.4, -0.6))
    for number, box in enumerate(boxes):
        column, row = divmod(number, rows)
        held = f"{box.parameters:,}" if box.parameters else "no"
        axes.text(
            column,
            row,
            f"{textwrap.fill(box.kinds, 38)}\n{box.shape} · {held} parameters",
            ha="center",
            va="center",
            fontsize=7.5,
            bbox={
                "boxstyle": "round,pad=0.35",
                "facecolor": "#e8f1f8" if box.parameters else "#f4f4f4",
                "edgecolor": BLUE if box.parameters else GREY,
            },
        )
        if number + 1 < len(boxes):
            _arrow(axes, number, rows)
    total = sum(layer.parameters for layer in layers)
    learning = sum(layer.trainable for layer in layers)
    axes.set_title(f"{total:,} parameters, {learning:,} trainable", fontsize=11)
    return figure


def _arrow(axes: "Axes", number: int, rows: int) -> None:
    column, row = divmod(number, rows)
    last = row == rows - 1
    # From the foot of a column to the head of the next one.
    start, end = (
        ((column + 0.28, row - 0.32), (column + 0.72, 0.0))
        if last
        else ((column, row + 0.26), (column, row + 0.74))
    )
    axes.annotate(
        "", xy=end, xytext=start, arrowprops={"arrowstyle": "->", "color": GREY, "lw": 1.2}
    )
