"""Draws the classes: how many images each has, how they are called, and how well."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cancernet.measures.class_measures import MEASURES, ClassTable
from cancernet.measures.metrics import ratio
from cancernet.measures.remarks import figure_name
from cancernet.report.figures.style import BLUE, GREEN, GREY, ORANGE, SIDE, new_figure
from cancernet.report.rendering import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPLIT_COLOURS = {"training": BLUE, "validation": ORANGE, "testing": GREEN}
MEASURE_COLOURS = (BLUE, ORANGE, GREEN)
_DENSITY = re.compile(r"density\s*(?P<density>\d)", re.IGNORECASE)


def draw_class_counts(counts: Mapping[str, Sequence[int]], words: Sequence[str]) -> "Figure":
    """Draws the images of each class in each split, with the numbers on the bars.

    `counts` are split -> images of each class, in the order of `words`.
    """
    total = sum(sum(row) for row in counts.values())
    figure, (axes,) = new_figure(width=max(SIDE[0], 1.2 + 1.1 * len(words)), height=4.4)
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
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set(ylabel="images")
    axes.set_title(f"{total:,} images by class and split", fontsize=11)
    axes.legend(loc="best", frameon=False, fontsize=9)
    return figure


def factor_counts(
    classes: Sequence[str], positive: Sequence[str], totals: Sequence[int]
) -> dict[str, dict[str, int]]:
    """Adds classes up by what their names say: density, and benign or malignant.

    Returns:
        Factor -> level -> images; empty when there are only two classes.
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


def draw_factors(factors: Mapping[str, Mapping[str, int]]) -> "Figure":
    """Draws the sums of `factor_counts`, a panel each, with numbers and shares."""
    figure, panels = new_figure(width=4.2 * len(factors), height=3.6, columns=len(factors))
    for axes, (factor, levels) in zip(panels, factors.items(), strict=True):
        total = sum(levels.values())
        bars = axes.bar(list(levels), list(levels.values()), 0.6, color=BLUE)
        labels = [f"{count:,}\n{percent(count / max(total, 1))}" for count in levels.values()]
        axes.bar_label(bars, labels=labels, fontsize=8, padding=2)
        axes.margins(y=0.22)
        axes.set(ylabel="images")
        axes.set_title(f"Images by {factor}", fontsize=11)
    return figure


def draw_confusion_matrix(matrix: Any, words: Sequence[str], *, title: str = "") -> "Figure":
    """Draws a confusion matrix: counts, the share of each row, and the images of the row.

    `matrix` has shape (classes, classes): rows truth, columns prediction.
    """
    width, height = SIDE
    if len(words) > 3:
        height = 1.6 + 0.95 * len(words)
        width = height + 1.2
    figure, (axes,) = new_figure(width=width, height=height)
    axes.set_title(title, fontsize=11)
    put_matrix(axes, matrix, words, size=11 if len(words) <= 3 else 8)
    return figure


def put_matrix(
    axes: "Axes", matrix: Any, words: Sequence[str], *, size: float, shares: bool = True
) -> None:
    """Draws a confusion matrix into axes, with the shares of each row or without.

    `size` is the height of the counts in points. A `matrix` that does not fit the words is a
    ValueError.
    """
    counts, classes = np.asarray(matrix, dtype=np.int64), len(words)
    if counts.shape != (classes, classes):
        raise ValueError(f"a matrix of shape {counts.shape} does not fit {classes} classes")
    share = ratio(counts, counts.sum(axis=1, keepdims=True))
    axes.grid(False)
    axes.imshow(np.nan_to_num(share), cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(classes, classes):
        text = f"{counts[row, column]:,}"
        if shares and np.isfinite(share[row, column]):
            text += f"\n{percent(float(share[row, column]))}"
        dark = np.nan_to_num(share[row, column]) > 0.72  # where white is read as well as black
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            color="white" if dark else "black",
            fontsize=size,
        )
    _name_classes(axes, words)
    rows = zip(words, counts.sum(axis=1), strict=True)
    axes.set_yticks(range(classes), [f"{word}\n{total:,} images" for word, total in rows])
    axes.set(xlabel="called", ylabel="truth")


def draw_class_measures(tables: Mapping[str, ClassTable]) -> "Figure":
    """Draws precision, recall and F1 of each class, a panel a table.

    Not the accuracy of a class against the others: its bar is high even where recall is 0.
    """
    shown = {title: table.classes for title, table in tables.items()}
    classes = sum(len(rows) for rows in shown.values())
    figure, panels = new_figure(
        width=max(6.2, 1.5 + 0.95 * classes),
        height=3.8,
        columns=len(shown),
        ratios=[len(rows) for rows in shown.values()],
    )
    for axes, (title, rows) in zip(panels, shown.items(), strict=True):
        places = np.arange(len(rows))
        for number, (measure, colour) in enumerate(zip(MEASURES, MEASURE_COLOURS, strict=True)):
            values = np.array([getattr(row, measure) for row in rows], np.float64)
            where = places + (number - 1) * 0.26
            axes.bar(where, np.nan_to_num(values), 0.25, color=colour, label=figure_name(measure))
            for x in where[values == 0]:  # a bar without height looks left out
                axes.text(x, 0.01, "0", ha="center", va="bottom", fontsize=7)
            # What is undefined must not look like 0.
            for x in where[np.isnan(values)]:
                axes.text(x, 0.01, "undefined", rotation=90, ha="center", va="bottom", fontsize=6)
        _name_classes(axes, [row.name for row in rows])
        axes.set_ylim(0, 1.02)
        axes.set_title(title, fontsize=11)
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside right upper",
        frameon=False,
        fontsize=9,
    )
    return figure


def _name_classes(axes: "Axes", words: Sequence[str]) -> None:
    turned: dict[str, Any] = {"rotation": 40, "ha": "right"} if len(words) > 3 else {}
    axes.set_xticks(range(len(words)), list(words), **turned)
