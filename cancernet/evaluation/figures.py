"""Draws and writes the figures of a run, each as PNG and SVG.

    plot_history(history, Path("figures/history.png"))  # writes .png and .svg

Every function writes beside and renames, and returns the two paths.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cancernet.evaluation import drawing
from cancernet.evaluation.figure_style import save_figure


def plot_history(
    history: Mapping[str, Sequence[float]],
    path: Path,
    *,
    best_epoch: int | None = None,
    footer: str = "",
) -> tuple[Path, Path]:
    """Writes the loss and accuracy curves; see `drawing.draw_history`."""
    return save_figure(drawing.draw_history(history, best_epoch=best_epoch, footer=footer), path)


def plot_confusion_matrix(
    matrix: Any, words: Sequence[str], path: Path, *, title: str = "", footer: str = ""
) -> tuple[Path, Path]:
    """Writes the confusion matrix; see `drawing.draw_confusion_matrix`."""
    figure = drawing.draw_confusion_matrix(matrix, words, title=title, footer=footer)
    return save_figure(figure, path)


def plot_roc(truth: Any, score: Any, path: Path, **options: Any) -> tuple[Path, Path]:
    """Writes the ROC curve; options as in `drawing.draw_roc`."""
    return save_figure(drawing.draw_roc(truth, score, **options), path)


def plot_precision_recall(truth: Any, score: Any, path: Path, **options: Any) -> tuple[Path, Path]:
    """Writes the precision-recall curve; options as in `drawing.draw_precision_recall`."""
    return save_figure(drawing.draw_precision_recall(truth, score, **options), path)


def plot_calibration(truth: Any, score: Any, path: Path, **options: Any) -> tuple[Path, Path]:
    """Writes the reliability diagram; options as in `drawing.draw_calibration`."""
    return save_figure(drawing.draw_calibration(truth, score, **options), path)
