"""Draws the measures of each class and of each side as bars."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cancernet.measures.class_measures import MEASURES, ClassRow
from cancernet.report.figures.style import BLUE, GREEN, GREY, ORANGE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (GREY, BLUE, ORANGE, GREEN)


def draw_class_measures(tables: Mapping[str, Sequence[ClassRow]], *, footer: str = "") -> "Figure":
    """Draws accuracy, precision, recall and F1, a panel a table.

    Args:
        tables: title -> rows of `class_rows`; the means are left out.
        footer: a line below.
    """
    shown = {
        title: [row for row in rows if not row.name.endswith(" mean")]
        for title, rows in tables.items()
    }
    classes = sum(len(rows) for rows in shown.values())
    figure, panels = new_figure(
        width=max(5.0, 1.5 + 0.95 * classes), height=4.2, columns=len(shown), footer=footer
    )
    for axes, (title, rows) in zip(panels, shown.items(), strict=True):
        places = np.arange(len(rows))
        for number, measure in enumerate(MEASURES):
            values = np.array([getattr(row, measure) for row in rows], np.float64)
            where = places + (number - 1.5) * 0.2
            axes.bar(where, np.nan_to_num(values), 0.19, color=_COLOURS[number], label=measure)
            # What is undefined must not look like 0.
            for x in where[np.isnan(values)]:
                axes.text(x, 0.01, "undefined", rotation=90, ha="center", va="bottom", fontsize=6)
        turned: dict[str, Any] = {"rotation": 40, "ha": "right"} if len(rows) > 3 else {}
        axes.set_xticks(places, [row.name for row in rows], **turned)
        axes.set_ylim(0, 1.02)
        axes.set_title(title, fontsize=11)
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=4,
        frameon=False,
        fontsize=9,
    )
    return figure
