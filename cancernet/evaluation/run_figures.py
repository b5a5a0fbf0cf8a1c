"""Writes the figures folder of a run or of an evaluation."""

from pathlib import Path

from cancernet.evaluation import figures
from cancernet.evaluation import scored as scores
from cancernet.evaluation.decision_curve import decision_curve, draw_decision_curve
from cancernet.evaluation.figure_style import save_figure
from cancernet.evaluation.metrics import confusion_table
from cancernet.evaluation.portrait_figures import write_portrait_figures
from cancernet.evaluation.report_content import ReportContent

FIGURES = "figures"


def write_figures(content: ReportContent, folder: Path, *, footer: str = "") -> dict[str, bytes]:
    """Writes every figure as PNG and SVG into `folder`.

    Args:
        content: what the report is made from.
        folder: where.
        footer: the line below every figure, such as that data are drawn.

    Returns:
        For `ReportContent.rendered`, so that the report need not draw them again.
    """
    assessment, testing = content.assessment, content.testing
    columns, threshold = assessment.positive_indices, content.marked
    truth = scores.positive_truth(testing, columns)
    score = scores.positive_score(testing.probabilities, columns)
    limits = assessment.intervals["testing"].limits
    if content.history:
        figures.plot_history(
            content.history,
            folder / "history.png",
            best_epoch=content.best_epoch,
            footer=footer,
        )
    predicted = scores.predicted_indices(testing.probabilities, columns, content.threshold)
    figures.plot_confusion_matrix(
        confusion_table(testing.truth, predicted, len(assessment.classes)),
        assessment.words,
        folder / "confusion_matrix.png",
        title="Testing, at the operating point",
        footer=footer,
    )
    figures.plot_roc(
        truth,
        score,
        folder / "roc.png",
        threshold=threshold,
        interval=limits["roc_auc"],
        footer=footer,
    )
    figures.plot_precision_recall(
        truth,
        score,
        folder / "precision_recall.png",
        threshold=threshold,
        interval=limits["pr_auc"],
        footer=footer,
    )
    figures.plot_calibration(truth, score, folder / "calibration.png", footer=footer)
    save_figure(
        draw_decision_curve(decision_curve(truth, score), threshold=threshold, footer=footer),
        folder / "decision_curve.png",
    )
    return write_portrait_figures(content, folder, footer=footer)
