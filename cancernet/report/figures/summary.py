"""Draws a run on one sheet for a talk: key figures, ROC curve, confusion matrix, four images."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from cancernet.base.errors import ImageError
from cancernet.base.words import images_of, score_text
from cancernet.images.reading import read_rgb
from cancernet.measures.assess import TESTING
from cancernet.measures.calls import Calls
from cancernet.measures.class_measures import overall_accuracy
from cancernet.report.content import ReportContent
from cancernet.report.figures.classes import put_matrix
from cancernet.report.figures.curves import put_roc
from cancernet.report.figures.style import BLUE, GREEN, GREY, ORANGE
from cancernet.report.rendering import interval, number, percent
from cancernet.report.sections import SIDES, testing_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 13.333, 7.5  # inches, as presentation programs have them
LEFT, RIGHT = 0.025, 0.98  # edges of the text, as shares of the width
KEY_FIGURES = {"sensitivity": "sensitivity", "specificity": "specificity", "roc_auc": "AUC"}
MOST_SHARES = 3  # classes; with more, shares would be too small to read
COLOURS = {"right": GREEN, "wrong": ORANGE, "unsure": BLUE}
EXAMPLES = ("right", "right", "wrong", "unsure")


def draw_summary(content: ReportContent) -> "Figure":
    """Draws what testing showed, 16:9, with what must be known of the data below.

    What is undefined is named in its place. Patients and files are not named.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT))
    _write_title(figure, content)
    _write_key_figures(figure, content)
    _draw_roc(_panel(figure, left=0.08, bottom=0.255, side=3.0), content)
    _draw_matrix(figure, content)
    chosen = examples(content.assessment.calls())
    for row, (verdict, place) in enumerate(zip(EXAMPLES, chosen, strict=True)):
        axes = _panel(figure, left=0.785, bottom=0.575 - 0.159 * row, side=1.05)
        _put_example(axes, content, verdict, place)
    figure.text(LEFT, 0.035, content.notice, fontsize=13, va="center")
    below: Any = {"fontsize": 15, "weight": "bold", "va": "center", "ha": "right", "color": ORANGE}
    figure.text(RIGHT, 0.035, content.footer, **below)
    return figure


def examples(calls: Calls) -> list[int | None]:
    """Chooses the images of `EXAMPLES`, by place; None where there is no such image.

    The right ones are the positive and the negative call of median score; the wrong one is the
    furthest from the threshold, the unsure one the nearest.
    """
    score, called, positive = calls.score, calls.called, calls.truth == 1
    distance = np.abs(score - calls.threshold)
    chosen: list[int | None] = []
    for side in (positive, ~positive):
        right = np.flatnonzero(side & (called == positive))
        right = right[np.argsort(score[right], kind="stable")]
        chosen.append(int(right[len(right) // 2]) if len(right) else None)
    wrong = np.flatnonzero(called != positive)
    chosen.append(int(wrong[distance[wrong].argmax()]) if len(wrong) else None)
    nearest = np.argsort(distance, kind="stable").tolist()
    return [*chosen, next((place for place in nearest if place not in chosen), None)]


def _fitted(text: str, width: int, lines: int = 2) -> str:
    """Returns text in lines of `width` characters; longer text is cut and ends with dots."""
    # Names from outside may hold bytes that are not text, and dollars that would be formulas.
    found = textwrap.wrap(text.encode("utf-8", "backslashreplace").decode("utf-8"), width)
    if len(found) > lines:
        found[lines - 1] = found[lines - 1][: width - 1] + "…"
    return "\n".join(found[:lines]).replace("$", r"\$")


def _panel(figure: "Figure", *, left: float, bottom: float, side: float) -> "Axes":
    """Returns square axes; lengths are in inches. Fixed places need no layout, which takes time."""
    return figure.add_axes((left, bottom, side / WIDTH, side / HEIGHT))


def _write_title(figure: "Figure", content: ReportContent) -> None:
    asked, testing = content.asked, content.assessment.testing
    title = f"{asked.judged_on}; trained on {asked.data_set}" if asked.judged_on else asked.data_set
    figure.text(LEFT, 0.885, _fitted(title, 70), fontsize=20, weight="bold", va="bottom")
    tested = images_of(testing.images, testing.patients or 0, content.unit)
    judged = ", judged in context" if content.context else ""
    how = f", in {len(content.folds)} folds" if content.folds else ""
    below = f"{content.title} ({asked.network.name}): tested on {tested}{judged}{how}"
    figure.text(LEFT, 0.855, _fitted(below, 108, lines=1), fontsize=15, va="center")


def _write_key_figures(figure: "Figure", content: ReportContent) -> None:
    testing, found = content.assessment.testing, content.assessment.intervals[TESTING]
    for place, (name, words) in enumerate(KEY_FIGURES.items()):
        left, limits = LEFT + 0.27 * place, found.limits[name]
        known = not np.isnan(limits[0])
        value = f"{words} {number(testing[name])}"
        figure.text(left, 0.8, value, fontsize=19, weight="bold", va="center", color=BLUE)
        said = f"{percent(found.level, 0)} interval {interval(limits)}" if known else "no interval"
        figure.text(left, 0.76, said, fontsize=14, va="center", color=BLUE)


def _draw_roc(axes: "Axes", content: ReportContent) -> None:
    """Draws the curve, and the intervals of sensitivity and specificity as a cross."""
    scores = content.assessment
    testing, limits = scores.testing, scores.intervals[TESTING].limits
    against = f"ROC: {scores.positive_word} against {scores.negative_word}"
    axes.set_title(_fitted(against, 40), fontsize=15)
    axes.grid(True, color="#dddddd", linewidth=0.7)
    x, y = 1 - testing.specificity, testing.sensitivity
    low, high = limits["specificity"]
    axes.plot([1 - high, 1 - low], [y, y], color=ORANGE, linewidth=2)
    axes.plot([x, x], limits["sensitivity"], color=ORANGE, linewidth=2)
    put_roc(axes, scores.calls(), limits["roc_auc"], size=12)
    _enlarge(axes)
    if axes.get_legend():  # below, where it cannot cross the intervals
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False, fontsize=12)


def _draw_matrix(figure: "Figure", content: ReportContent) -> None:
    scores, shares = content.assessment, len(content.assessment.classes) <= MOST_SHARES
    if shares:
        axes = _panel(figure, left=0.455, bottom=0.165, side=3.65)
    else:  # the names of the classes need more room
        axes = _panel(figure, left=0.5, bottom=0.27, side=3.0)
    counts = testing_counts(scores)
    words = [_fitted(word, *((12, 2) if shares else (19, 1))) for word in scores.words]
    size = 18 if shares else 12
    put_matrix(axes, counts, words, size=size, shares=shares)
    title = "Called at the operating point" + (" of its fold" if content.folds else "")
    if content.several_classes:
        title = f"Most probable class: {percent(overall_accuracy(counts), 0)} right"
    axes.set_title(title, fontsize=15)
    _enlarge(axes, 12 if shares else 11)


def _enlarge(axes: "Axes", size: float = 12) -> None:
    axes.tick_params(labelsize=size)
    axes.xaxis.label.set_fontsize(14)
    axes.yaxis.label.set_fontsize(14)


def _put_example(axes: "Axes", content: ReportContent, verdict: str, place: int | None) -> None:
    """Shows one testing image beside its score and its truth, or says why there is none."""
    scores, calls = content.assessment, content.assessment.calls()
    pixels, said, missing = None, "", "no such call"
    if place is not None:
        testing = scores.scored[TESTING]
        sides = SIDES if content.several_classes else (scores.negative_word, scores.positive_word)
        lines = (
            f"called {sides[int(calls.called[place])]}",
            f"score {score_text(float(calls.score[place]))}",
            f"truth: {scores.words[testing.truth[place]]}",
        )
        said = "\n".join(_fitted(line, 20) for line in lines)
        pixels, missing = _pixels(content, testing.paths[place]), "not at hand"
    axes.axis("off")
    if pixels is None:
        axes.text(0.5, 0.5, missing, ha="center", va="center", color=GREY, fontsize=12)
    else:
        axes.imshow(pixels)
        axes.set_aspect("equal", adjustable="datalim")  # the words beside a narrow image stay put
    beside: Any = {"transform": axes.transAxes, "va": "top"}
    axes.text(1.1, 1, verdict, fontsize=14, weight="bold", color=COLOURS[verdict], **beside)
    axes.text(1.1, 0.77, said, fontsize=11, **beside)


def _pixels(content: ReportContent, path: str) -> np.ndarray | None:
    if content.image_folder is None:
        return None
    try:
        return np.asarray(read_rgb(content.image_folder / path), np.uint8)
    except ImageError:
        return None
