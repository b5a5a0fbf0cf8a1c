"""Writes the results of a study: the table of trials, the figure, the best recipe."""

import dataclasses
import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cancernet.base.tables import write_table
from cancernet.base.words import DRAWN_IMAGES, aligned
from cancernet.recipe_file import write_recipe
from cancernet.report.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    add_footer,
    new_figure,
    save_figure,
)
from cancernet.tuning.search import Search
from cancernet.tuning.space import Dimension, Value
from cancernet.tuning.study import FOLD, NOTE, SECONDS, recorded_identity

if TYPE_CHECKING:
    import optuna
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Letters of the choices that stand in one line below a panel.
ROOM = 24
RECIPE, TABLE, FIGURE = "best-recipe.json", "trials.csv", "trials.png"


class TrialState(enum.StrEnum):
    """How a trial ended; the value is what the table says."""

    DONE = "done"
    PRUNED = "pruned"
    CUT_OFF = "cut off"
    FAILED = "failed"
    RUNNING = "running"


_STATES = {
    "COMPLETE": TrialState.DONE,
    "PRUNED": TrialState.PRUNED,
    "FAIL": TrialState.CUT_OFF,
    "RUNNING": TrialState.RUNNING,
}
_LOOKS = {TrialState.DONE: ("o", BLUE), TrialState.PRUNED: ("x", ORANGE)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialRow:
    """One trial.

    Attributes:
        number: from 0, as Optuna counts.
        value: of the measure; of a pruned trial the last one it reported; None without any.
        values: setting -> value.
        seconds: it took, or None when it was cut off.
        note: why it failed or was pruned, where that is known.
        best: whether it is the best of those done.
    """

    number: int
    state: TrialState
    value: float | None
    values: dict[str, Value]
    seconds: float | None
    note: str
    best: bool


def trial_rows(study: "optuna.Study") -> list[TrialRow]:
    """Returns every trial that began, in order."""
    best = best_trial(study)
    return [
        trial_row(trial, best=best is not None and trial.number == best.number)
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name in _STATES
    ]


def trial_row(trial: "optuna.trial.FrozenTrial", *, best: bool = False) -> TrialRow:
    """Returns the facts of one trial that began."""
    note = str(trial.user_attrs.get(NOTE, ""))
    state, value = _STATES[trial.state.name], trial.value
    if state is TrialState.CUT_OFF and note:
        state = TrialState.FAILED
    if state is TrialState.PRUNED and value is None and trial.intermediate_values:
        value = trial.intermediate_values[max(trial.intermediate_values)]
    return TrialRow(
        number=trial.number,
        state=state,
        value=value,
        values=dict(trial.params),
        seconds=trial.user_attrs.get(SECONDS),
        note=note,
        best=best,
    )


def best_trial(study: "optuna.Study") -> "optuna.trial.FrozenTrial | None":
    """Returns the best trial that was done, or None while there is none."""
    try:
        return study.best_trial
    except ValueError:
        return None


def table_text(rows: list[TrialRow], measure: str) -> str:
    """Returns the trials as a table of text; the best one has a star."""
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    lines = [["", "trial", "state", measure, *names, "seconds", ""]]
    for row in rows:
        lines.append(
            [
                "*" if row.best else "",
                str(row.number),
                row.state,
                "-" if row.value is None else f"{row.value:.4f}",
                *(short(row.values.get(name, "-")) for name in names),
                "-" if row.seconds is None else f"{row.seconds:.0f}",
                row.note,
            ]
        )
    return "\n".join(aligned(lines))


def short(value: Value) -> str:
    """Returns the value of a setting for a screen."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_results(study: "optuna.Study", search: Search, *, drawn: bool) -> None:
    """Writes table and figure, and the recipe of the best trial once one is done.

    `drawn` says whether the images were drawn by a program.
    """
    rows, folder = trial_rows(study), search.place.results
    names = [dimension.name for dimension in search.dimensions]
    cells = (
        [row.number, row.state, row.value, *(row.values.get(name, "") for name in names),
         row.seconds, row.note]
        for row in rows
    )  # fmt: skip
    write_table(folder / TABLE, ["trial", "state", "value", *names, "seconds", "note"], cells)
    best = best_trial(study)
    if best is not None:
        found = {
            "trial": best.number,
            search.measure: best.value,
            "each fold": [v for name, v in best.user_attrs.items() if name.startswith(FOLD)],
            "searched": best.params,
            **(recorded_identity(study) or {}),
        }
        settings = search.base.changed(best.params)
        write_recipe(folder / RECIPE, settings, found=found)
    figure = add_footer(draw_trials(rows, search), DRAWN_IMAGES if drawn else "")
    save_figure(figure, folder / FIGURE)


def draw_trials(rows: list[TrialRow], search: Search) -> "Figure":
    """Draws the trials that have a value, in order and against every setting."""
    shown = [row for row in rows if row.value is not None and row.state in _LOOKS]
    columns = 1 + len(search.dimensions)
    figure, panels = new_figure(width=max(5.0, 3.3 * columns), height=4.2, columns=columns)
    _draw_in_order(panels[0], shown, maximize=search.maximize)
    measure = search.measure.replace("_", " ")
    panels[0].set(xlabel="trial", ylabel=f"{measure}\nmean of {search.folds} folds")
    for axes, dimension in zip(panels[1:], search.dimensions, strict=True):
        _draw_against(axes, shown, dimension)
        axes.set(xlabel=dimension.name.replace("_", " "))
    if shown:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside upper center",
            ncols=len(labels),
            frameon=False,
            fontsize=9,
        )
    return figure


def _draw_in_order(axes: "Axes", rows: list[TrialRow], *, maximize: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    _draw_points(axes, rows, [row.number for row in rows])
    done = [row for row in rows if row.state is TrialState.DONE]
    if done:
        running = np.maximum.accumulate if maximize else np.minimum.accumulate
        values = running(np.array([row.value for row in done], np.float64))
        axes.step(
            [row.number for row in done], values, where="post", color=GREY, label="best so far"
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _draw_against(axes: "Axes", rows: list[TrialRow], dimension: Dimension) -> None:
    values = [row.values[dimension.name] for row in rows]
    if dimension.choices:
        words = [str(each) for each in dimension.choices]
        turned: Any = {"rotation": 40, "ha": "right"} if len("".join(words)) > ROOM else {}
        axes.set_xticks(range(len(words)), words, **turned)
        axes.set_xlim(-0.5, len(words) - 0.5)
        values = [dimension.choices.index(value) for value in values]
    _draw_points(axes, rows, values)
    if not dimension.choices:
        _label_range(axes, dimension)


def _label_range(axes: "Axes", dimension: Dimension) -> None:
    """Labels few ticks of a range, so that none touches the next."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    if not dimension.log:
        axes.xaxis.set_major_locator(MaxNLocator(4))
        return
    axes.set_xscale("log")
    steps = (1.0, 2.0, 5.0) if dimension.high < 30 * dimension.low else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=6))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_points(axes: "Axes", rows: list[TrialRow], places: Sequence[Value]) -> None:
    """Draws the value of each row at its place on the x axis; the best one gets a ring."""
    x, y = np.array(places, np.float64), np.array([row.value for row in rows], np.float64)
    for state, (marker, colour) in _LOOKS.items():
        chosen = np.array([row.state is state for row in rows], bool)
        label = state.value if chosen.any() else None
        axes.scatter(x[chosen], y[chosen], marker=marker, color=colour, label=label)
    best = np.array([row.best for row in rows], bool)
    if best.any():
        axes.plot(
            x[best], y[best], "o", ms=12, mfc="none", mec=GREEN, mew=2, ls="none", label="best"
        )
