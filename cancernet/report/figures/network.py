"""Draws a network as boxes: layers with the shape of their output and their parameters.

Layers without weights that keep the shape share the box before them. A network of more
than `MOST_BOXES` boxes is drawn by stages: layers in a row whose output has the same
height and width; branches within a stage are not drawn.
"""

import dataclasses
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cancernet.report.figures.style import BLUE, GREY, add_footer
from cancernet.report.portrait import Layer
from cancernet.report.rendering import shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BOXES = 24
BOXES_A_COLUMN = 8
_JOINED = {"BatchNormalization", "Dropout", "Activation", "ReLU"}


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


def draw_network(layers: Sequence[Layer], *, footer: str = "") -> "Figure":
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
    add_footer(figure, footer)
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
