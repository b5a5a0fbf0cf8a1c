"""The figures of a run or of an evaluation: drawn once, for the folder and for the report."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cancernet.measures import scored as scores
from cancernet.measures.metrics import confusion_table
from cancernet.report import html as pieces
from cancernet.report.content import ReportContent
from cancernet.report.figures.curves import (
    draw_calibration,
    draw_confusion_matrix,
    draw_history,
    draw_precision_recall,
    draw_roc,
)
from cancernet.report.figures.decision_curve import decision_curve, draw_decision_curve
from cancernet.report.figures.portrait import portrait_drawings, write_tables
from cancernet.report.figures.style import save_figure, save_photographs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = "figures"
# Made of pixels, so there is nothing to gain from SVG.
PHOTOGRAPHS = {"samples", "examples", "kernels"}


def drawings(content: ReportContent) -> "dict[str, Callable[..., Figure]]":
    """Returns what draws each figure, by its name in the folder; all take `footer`."""
    assessment, testing = content.assessment, content.testing
    columns, threshold = assessment.positive_indices, content.marked
    truth = scores.positive_truth(testing, columns)
    score = scores.positive_score(testing.probabilities, columns)
    limits = assessment.intervals["testing"].limits
    called = scores.predicted_indices(testing.probabilities, columns, content.threshold)
    found: dict[str, Callable[..., Figure]] = {
        "confusion_matrix": partial(
            draw_confusion_matrix,
            confusion_table(testing.truth, called, len(assessment.classes)),
            assessment.words,
            title="Testing, at the operating point"
            if len(assessment.classes) == 2
            else "Testing, most probable class",
        ),
        "roc": partial(draw_roc, truth, score, threshold=threshold, interval=limits["roc_auc"]),
        "precision_recall": partial(
            draw_precision_recall, truth, score, threshold=threshold, interval=limits["pr_auc"]
        ),
        "calibration": partial(draw_calibration, truth, score),
        # Reckoned when it is drawn: asking for another figure should not cost it.
        "decision_curve": lambda footer: draw_decision_curve(
            decision_curve(truth, score), threshold=threshold, footer=footer
        ),
    }
    if content.history:
        found["history"] = partial(draw_history, content.history, best_epoch=content.best_epoch)
    return found | portrait_drawings(content)


def write_figures(content: ReportContent, folder: Path, *, footer: str = "") -> dict[str, bytes]:
    """Writes every figure as PNG and SVG, the tables as CSV, the network as text.

    Args:
        content: what the report is made from; without a portrait only what the scores give.
        folder: where.
        footer: the line below every figure, such as that data are drawn.

    Returns:
        The name of one file of each figure to its bytes, for `ReportContent.rendered`, so
        that the report need not draw them again.
    """
    rendered = {}
    for name, draw in drawings(content).items():
        figure, path = draw(footer=footer), folder / f"{name}.png"
        if name in PHOTOGRAPHS:
            rendered[f"{name}.png"] = save_photographs(figure, path)
        else:
            save_figure(figure, path)
            rendered[f"{name}.svg"] = path.with_suffix(".svg").read_bytes()
    write_tables(content, folder)
    return rendered


def embedded(content: ReportContent, name: str, caption: str, *, broad: bool = False) -> str:
    """Returns a figure by its name as HTML, drawn only if it was not before; or nothing."""
    for file, kind in ((f"{name}.svg", "svg+xml"), (f"{name}.png", "png")):
        if file in content.rendered:
            return pieces.picture(content.rendered[file], kind, caption, broad=broad)
    draw = drawings(content).get(name)
    return pieces.image(draw(footer=content.footer), caption, broad=broad) if draw else ""
