"""Draws the figures of a run; each function returns a matplotlib Figure, unsaved."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cancernet.measures import checks
from cancernet.measures.ranking import areas, curve_counts, rank
from cancernet.measures.reliability import reliability
from cancernet.report.figures.style import BLUE, GREEN, GREY, ORANGE, new_figure, square

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_history(
    history: Mapping[str, Sequence[float]],
    *,
    best_epoch: int | None = None,
    measures: Sequence[str] = ("loss", "accuracy"),
    footer: str = "",
) -> "Figure":
    """Draws measures of training and validation over the epochs, a panel each.

    Args:
        history: `loss, val_loss, accuracy, val_accuracy, ...`, a value for every epoch;
            what is missing is not drawn.
        measures: which.
        best_epoch: the epoch that was kept, from 1; without it the least `val_loss`.
        footer: a line below, such as the warning that data are drawn.
    """
    figure, panels = new_figure(
        width=4.5 * len(measures), height=3.8, columns=len(measures), footer=footer
    )
    if best_epoch is None and np.isfinite(history.get("val_loss", [])).any():
        best_epoch = int(np.nanargmin(np.asarray(history["val_loss"], np.float64))) + 1
    for axes, measure in zip(panels, measures, strict=True):
        _one_measure(axes, history, measure, best_epoch)
    return figure


def draw_plot(history: Mapping[str, Sequence[float]], *, footer: str = "") -> "Figure":
    """Draws loss and accuracy of training and validation into one pair of axes.

    Args:
        history: as in `draw_history`.
        footer: a line below.
    """
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = new_figure(width=7, height=4.6, footer=footer)
    looks = {
        "loss": ("training loss", BLUE, "-"),
        "val_loss": ("validation loss", BLUE, "--"),
        "accuracy": ("training accuracy", ORANGE, "-"),
        "val_accuracy": ("validation accuracy", ORANGE, "--"),
    }
    for name, (words, colour, line) in looks.items():
        values = list(history.get(name, []))
        if values:
            epochs = range(1, len(values) + 1)
            axes.plot(epochs, values, color=colour, linestyle=line, marker=".", label=words)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set(xlabel="epoch", ylabel="loss and accuracy")
    axes.set_title("Loss and accuracy on training and validation", fontsize=11)
    axes.legend(frameon=False, fontsize=9)
    return figure


def draw_roc(
    truth: Any,
    score: Any,
    *,
    threshold: float | None = None,
    interval: tuple[float, float] | None = None,
    title: str = "ROC curve",
    footer: str = "",
) -> "Figure":
    """Draws sensitivity against 1 - specificity, with the operating point.

    Args:
        truth: (images,) 1 for positive, 0 for the rest.
        score: (images,) 0-1.
        threshold: of the operating point to mark.
        interval: of the area, to write beside it.
        title: what was judged.
        footer: a line below.
    """
    truth, score = _checked(truth, score)
    figure, (axes,) = new_figure(width=4.8, height=5.1, footer=footer)
    square(axes, x="1 − specificity", y="sensitivity", title=title)
    if _one_class(axes, truth):
        return figure
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1, label="chance")
    ranking = rank(truth, score)
    found, false = curve_counts(ranking)
    label = f"AUC {areas(ranking)[0]:.3f}{_range(interval)}"
    sensitivity = np.append(0, found) / found[-1]
    axes.plot(np.append(0, false) / false[-1], sensitivity, color=BLUE, linewidth=2, label=label)
    if threshold is not None:
        called = score >= threshold
        _mark(axes, called[truth == 0].mean(), called[truth == 1].mean(), threshold)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    return figure


def draw_precision_recall(
    truth: Any,
    score: Any,
    *,
    threshold: float | None = None,
    interval: tuple[float, float] | None = None,
    title: str = "Precision-recall curve",
    footer: str = "",
) -> "Figure":
    """Draws precision against sensitivity, with the operating point; as `draw_roc`."""
    truth, score = _checked(truth, score)
    figure, (axes,) = new_figure(width=4.8, height=5.1, footer=footer)
    square(axes, x="sensitivity (recall)", y="precision", title=title)
    if _one_class(axes, truth):
        return figure
    ranking = rank(truth, score)
    found, false = curve_counts(ranking)
    label = f"average precision {areas(ranking)[1]:.3f}{_range(interval)}"
    precision = found / (found + false)
    axes.step(
        np.append(0, found) / found[-1],
        np.append(precision[0], precision),
        color=BLUE,
        linewidth=2,
        label=label,
    )
    axes.axhline(
        truth.mean(), color=GREY, linestyle=":", linewidth=1, label=f"chance {truth.mean():.3f}"
    )
    called = score >= (2.0 if threshold is None else threshold)
    if threshold is not None and called.any():
        _mark(axes, called[truth == 1].mean(), truth[called].mean(), threshold)
    axes.legend(loc="lower left", frameon=False, fontsize=9)
    return figure


def draw_calibration(
    truth: Any, score: Any, *, bins: int = 10, title: str = "Calibration", footer: str = ""
) -> "Figure":
    """Draws the reliability diagram: observed share of positives against mean score.

    Args:
        truth: (images,) 1 for positive, 0 for the rest.
        score: (images,) 0-1.
        bins: of equal width.
        title: what was judged.
        footer: a line below.
    """
    truth, score = _checked(truth, score)
    found = reliability(truth, score, bins)
    figure, (axes,) = new_figure(width=4.8, height=5.1, footer=footer)
    square(axes, x="mean score of the bin", y="observed share of positives", title=title)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1, label="perfectly calibrated")
    filled = found.images > 0
    axes.bar(
        found.edges[:-1],
        0.25 * found.images / found.images.max(),
        width=1 / bins,
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
    axes.legend(loc="upper left", frameon=False, fontsize=9)
    return figure


def _one_measure(
    axes: "Axes",
    history: Mapping[str, Sequence[float]],
    measure: str,
    best_epoch: int | None,
) -> None:
    from matplotlib.ticker import MaxNLocator

    styles = (("training", "", BLUE, "-", "."), ("validation", "val_", ORANGE, "--", "s"))
    drawn = False
    for name, prefix, colour, line, marker in styles:
        values = list(history.get(prefix + measure, []))
        if values:
            epochs = range(1, len(values) + 1)
            axes.plot(epochs, values, color=colour, linestyle=line, marker=marker, ms=4, label=name)
            drawn = True
    if not drawn:
        axes.text(0.5, 0.5, "not recorded", transform=axes.transAxes, ha="center", color=GREY)
        return
    if best_epoch is not None:
        label = f"kept: epoch {best_epoch}"
        axes.axvline(best_epoch, color=GREEN, linestyle=":", linewidth=2, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set(xlabel="epoch", ylabel=measure)
    axes.set_title(f"{measure.capitalize()} on training and validation", fontsize=11)
    axes.legend(frameon=False, fontsize=9)


def _checked(truth: Any, score: Any) -> tuple[np.ndarray, np.ndarray]:
    truth = checks.check_truth(truth)
    return truth, checks.check_score(score, len(truth))


def _one_class(axes: "Axes", truth: np.ndarray) -> bool:
    """Writes on the axes, and says, that there is no curve of one class."""
    if truth.min() != truth.max():
        return False
    text = "undefined: all images are\n" + ("positive" if truth[0] else "negative")
    axes.text(0.5, 0.5, text, ha="center", va="center", color=ORANGE)
    return True


def _mark(axes: "Axes", x: float, y: float, threshold: float) -> None:
    label = f"operating point, threshold {threshold:.4g}"
    axes.plot([x], [y], color=ORANGE, marker="D", ms=8, linestyle="none", label=label)


def _range(interval: tuple[float, float] | None) -> str:
    if interval is None or np.isnan(interval[0]):
        return ""
    return f" [{interval[0]:.3f}, {interval[1]:.3f}]"
