"""Draws curves; each function returns a matplotlib Figure, unsaved.

Those of a set of scores take its calls and mark their operating points (`_say_points`).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cancernet.measures.calibration import reliability
from cancernet.measures.call_value import decision_curve
from cancernet.measures.calls import Calls
from cancernet.measures.ranking import areas, curve_counts
from cancernet.measures.remarks import figure_name
from cancernet.report.figures.style import BLUE, GREEN, GREY, ORANGE, SIDE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 10  # of the reliability diagram
History = Mapping[str, Sequence[float]]
# White behind the words, so that a line that they cannot evade does not strike them out.
LEGEND: Any = {"framealpha": 0.8, "edgecolor": "none", "fontsize": 9}
CHANCE: Any = {"color": GREY, "linestyle": ":", "linewidth": 1}


def draw_history(
    history: History,
    *,
    best_epoch: int | None = None,
    measures: Sequence[str] = ("loss", "accuracy"),
) -> "Figure":
    """Draws measures of training and validation over the epochs, a panel each.

    Args:
        history: `loss, val_loss, accuracy, val_accuracy, ...`, a value for every epoch;
            what is missing is not drawn.
        best_epoch: the epoch that was kept, from 1; without it the least `val_loss`.
    """
    figure, panels = new_figure(
        width=min(4.5, 10.2 / len(measures)) * len(measures),
        height=3.8,
        columns=len(measures),
    )
    if best_epoch is None and np.isfinite(history.get("val_loss", [])).any():
        best_epoch = int(np.nanargmin(np.asarray(history["val_loss"], np.float64))) + 1
    for axes, measure in zip(panels, measures, strict=True):
        drawn = [
            _draw_epochs(axes, history, measure, "training", f"{BLUE} - ."),
            _draw_epochs(axes, history, f"val_{measure}", "validation", f"{ORANGE} -- s"),
        ]
        if not any(drawn):
            axes.text(0.5, 0.5, "not recorded", transform=axes.transAxes, ha="center", color=GREY)
            continue
        if best_epoch is not None:
            label = f"kept: epoch {best_epoch}"
            axes.axvline(best_epoch, color=GREEN, linestyle=":", linewidth=2, label=label)
        title = f"{measure.capitalize()} on training and validation"
        _finish_epochs(axes, figure_name(measure), title)
    return figure


def draw_plot(history: History) -> "Figure":
    """Draws loss and accuracy of training and validation into one pair of axes."""
    figure, (axes,) = new_figure(width=7, height=4.6)
    for measure, colour in (("loss", BLUE), ("accuracy", ORANGE)):
        _draw_epochs(axes, history, measure, f"training {measure}", f"{colour} - .")
        _draw_epochs(axes, history, f"val_{measure}", f"validation {measure}", f"{colour} -- .")
    _finish_epochs(axes, "loss and accuracy", "Loss and accuracy on training and validation")
    _put_legend_below(axes)
    return figure


def draw_roc(calls: Calls, *, interval: tuple[float, float] | None = None) -> "Figure":
    """Draws sensitivity against 1 - specificity; `interval` is that of the area."""
    figure, (axes,) = new_figure(width=SIDE[0], height=SIDE[1])
    axes.set_title("ROC curve", fontsize=11)
    put_roc(axes, calls, interval)
    return figure


def put_roc(
    axes: "Axes", calls: Calls, interval: tuple[float, float] | None, *, size: float = 9
) -> None:
    """Draws the ROC curve into axes; the words of its legend are `size` points high."""
    _frame(axes, "1 − specificity", "sensitivity")
    if _one_class(axes, calls, size=size):
        return
    axes.plot([0, 1], [0, 1], label="chance", **CHANCE)
    found, false = curve_counts(calls.ranking)
    label = f"AUC {areas(calls.ranking)[0]:.3f}{_range(interval)}"
    x, y = (np.append(0, counts) / counts[-1] for counts in (false, found))
    axes.plot(x, y, color=BLUE, linewidth=2, label=label)
    called = calls.called
    _mark(axes, called[calls.truth == 0].mean(), called[calls.truth == 1].mean(), calls)
    axes.legend(loc="best", **LEGEND | {"fontsize": size})


def draw_precision_recall(calls: Calls, *, interval: tuple[float, float] | None = None) -> "Figure":
    """Draws precision against sensitivity; `interval` is that of the average precision."""
    title = "Precision-recall curve"
    figure, axes = _square("sensitivity (recall)", "precision", title)
    if _one_class(axes, calls):
        return figure
    found, false = curve_counts(calls.ranking)
    precision, share = found / (found + false), calls.truth.mean()
    label = f"average precision {areas(calls.ranking)[1]:.3f}{_range(interval)}"
    x, y = np.append(0, found) / found[-1], np.append(precision[0], precision)
    axes.step(x, y, color=BLUE, linewidth=2, label=label)
    axes.axhline(share, label=f"chance {share:.3f}", **CHANCE)
    called = calls.called
    if called.any():
        _mark(axes, called[calls.truth == 1].mean(), calls.truth[called].mean(), calls)
    axes.legend(loc="best", **LEGEND)
    return figure


def draw_calibration(calls: Calls) -> "Figure":
    """Draws the reliability diagram: observed share of positives against mean score."""
    found = reliability(calls, BINS)
    figure, axes = _square("mean score of the bin", "observed share of positives", "Calibration")
    axes.plot([0, 1], [0, 1], label="perfectly calibrated", **CHANCE)
    filled = found.images > 0
    axes.bar(
        found.edges[:-1],
        0.25 * found.images / found.images.max(),
        width=1 / BINS,
        align="edge",
        color="#cfe3f0",
        edgecolor="white",
        label="images in the bin (height is relative)",
    )
    axes.plot(
        found.mean_score[filled],
        found.observed[filled],
        color=BLUE,
        marker="o",
        linewidth=1.5,
        label="observed",
    )
    axes.legend(loc="best", **LEGEND)
    return figure


def draw_decision_curve(calls: Calls) -> "Figure":
    """Draws the net benefit of the network, of acting always, and of never acting."""
    curve = decision_curve(calls)
    figure, (axes,) = new_figure(width=SIDE[0], height=4.6)
    axes.plot(curve.thresholds, curve.network, color=BLUE, linewidth=2, label="network")
    axes.plot(
        curve.thresholds, curve.everybody, color=ORANGE, linestyle="--", label="act on everybody"
    )
    axes.axhline(0, color=GREY, linestyle=":", label="act on nobody")
    for place, threshold in enumerate(calls.operating_points):
        label = "" if place else _say_points(calls)
        axes.axvline(threshold, color=GREY, linewidth=1, label=label)
    top = max(curve.prevalence, 0.05)
    axes.set(
        xlim=(0, 1),
        ylim=(-0.25 * top, 1.08 * top),
        xlabel="probability from which one would act",
        ylabel="net benefit",
    )
    axes.set_title("Decision curve", fontsize=11)
    _put_legend_below(axes)
    return figure


def _put_legend_below(axes: "Axes") -> None:
    """Puts the legend below, where inside the axes it would cover a point or a curve."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.14), ncols=2, **LEGEND)


def _draw_epochs(axes: "Axes", history: History, name: str, label: str, look: str) -> bool:
    """Draws a measure over the epochs, `look` being colour, line and marker; False without one."""
    values = list(history.get(name, []))
    if not values:
        return False
    colour, line, marker = look.split()
    epochs = range(1, len(values) + 1)
    axes.plot(epochs, values, color=colour, linestyle=line, marker=marker, ms=4, label=label)
    return True


def _finish_epochs(axes: "Axes", words: str, title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set(xlabel="epoch", ylabel=words)
    axes.set_title(title, fontsize=11)
    axes.legend(loc="best", **LEGEND)  # not named, Matplotlib warns where it takes a second


def _square(x: str, y: str, title: str) -> "tuple[Figure, Axes]":
    """One pair of axes from 0 to 1 both ways, with words."""
    figure, (axes,) = new_figure(width=SIDE[0], height=SIDE[1])
    axes.set_title(title, fontsize=11)
    _frame(axes, x, y)
    return figure, axes


def _frame(axes: "Axes", x: str, y: str) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x, ylabel=y)
    axes.set_aspect("equal")


def _one_class(axes: "Axes", calls: Calls, *, size: float = 10) -> bool:
    """Writes on the axes, and says, that there is no curve of one class."""
    if calls.of_one_class:
        text = f"undefined: all images are\n{calls.only}"
        axes.text(0.5, 0.5, text, ha="center", va="center", color=ORANGE, fontsize=size)
    return calls.of_one_class


def _mark(axes: "Axes", x: float, y: float, calls: Calls) -> None:
    style: Any = {"color": ORANGE, "marker": "D", "ms": 8, "linestyle": "none"}
    axes.plot([x], [y], label=_say_points(calls), **style)


def _say_points(calls: Calls) -> str:
    points = " or ".join(f"{value:.3g}" for value in calls.operating_points)
    return f"operating point {points}" if points else "calls, at several operating points"


def _range(interval: tuple[float, float] | None) -> str:
    if interval is None or np.isnan(interval[0]):
        return ""
    return f" [{interval[0]:.3f}, {interval[1]:.3f}]"
