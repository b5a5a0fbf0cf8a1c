"""The picture of a study: how it went, and what each setting had to do with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cancernet.report.figures.style import BLUE, GREEN, GREY, ORANGE, new_figure, save_figure
from cancernet.tuning.results import TrialRow
from cancernet.tuning.space import Dimension

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOOKS = {"done": ("o", BLUE), "pruned": ("x", ORANGE)}


def draw_trials(
    rows: list[TrialRow],
    dimensions: tuple[Dimension, ...],
    *,
    measure: str,
    maximize: bool,
    best: int | None,
    footer: str = "",
) -> "Figure":
    """Draws the trials in order and against every setting.

    Args:
        rows: of the study; those without a value are not drawn.
        dimensions: what was searched.
        measure: the name of the value.
        maximize: whether more is better.
        best: number of the best trial, to mark.
        footer: a line below.
    """
    shown = [row for row in rows if row.value is not None and row.state in _LOOKS]
    columns = 1 + len(dimensions)
    figure, panels = new_figure(
        width=max(5.0, 3.3 * columns), height=3.8, columns=columns, footer=footer
    )
    _in_order(panels[0], shown, best, maximize)
    panels[0].set(xlabel="trial", ylabel=measure)
    for axes, dimension in zip(panels[1:], dimensions, strict=True):
        _against(axes, shown, dimension, best)
        axes.set(xlabel=dimension.name.replace("_", " "))
    return figure


def write_picture(path: Path, figure: "Figure") -> None:
    """Writes it as PNG and SVG."""
    save_figure(figure, path)


def _in_order(axes: "Axes", rows: list[TrialRow], best: int | None, maximize: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    _points(axes, [(row, row.number) for row in rows], best)
    done = [row for row in rows if row.state == "done"]
    if done:
        running = np.maximum.accumulate if maximize else np.minimum.accumulate
        values = running(np.array([row.value for row in done], np.float64))
        axes.step(
            [row.number for row in done], values, where="post", color=GREY, label="best so far"
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if rows:
        axes.legend(frameon=False, fontsize=8)


def _against(axes: "Axes", rows: list[TrialRow], dimension: Dimension, best: int | None) -> None:
    if dimension.choices:
        places = [(row, dimension.choices.index(row.values[dimension.name])) for row in rows]
        axes.set_xticks(range(len(dimension.choices)), [str(each) for each in dimension.choices])
        axes.set_xlim(-0.5, len(dimension.choices) - 0.5)
    else:
        places = [(row, row.values[dimension.name]) for row in rows]
        if dimension.log:
            axes.set_xscale("log")
    _points(axes, places, best)


def _points(axes: "Axes", places: Sequence[tuple[TrialRow, float]], best: int | None) -> None:
    for state, (marker, colour) in _LOOKS.items():
        chosen = [(x, row.value) for row, x in places if row.state == state]
        axes.scatter(
            [x for x, _ in chosen],
            np.array([value for _, value in chosen], np.float64),
            marker=marker,
            color=colour,
            label=state if chosen else None,
        )
    for row, x in places:
        if row.number == best and row.value is not None:
            axes.plot(
                [x], [row.value], "o", ms=12, mfc="none", mec=GREEN, mew=2, ls="none", label="best"
            )
