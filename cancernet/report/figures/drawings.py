"""The figures of a run or of an evaluation: drawn once, for the folder and for the report."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cancernet.base.files import write_bytes
from cancernet.base.parallel import Start
from cancernet.base.words import unknown
from cancernet.measures.assess import TESTING
from cancernet.measures.class_measures import fold
from cancernet.report.content import ReportContent
from cancernet.report.figures import classes, curves, images, summary
from cancernet.report.figures.style import add_footer, figure_files
from cancernet.report.portrait import Portrait
from cancernet.report.rendering import Picture
from cancernet.report.sections import SIDES, class_tables, testing_counts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Drawings = dict[str, Callable[[], Figure]]

FIGURES = "figures"
# Made of pixels, so that there is nothing to gain from SVG.
PHOTOGRAPHS = {"samples", "examples", "kernels"}
# Shown on the page only.
NOT_A_FILE = {"confusion_matrix_of_calls"}
HISTORY_MEASURES = ("precision", "recall", "f1")


class Figures:
    """The figures of a report by name; each is drawn when it is first asked for."""

    def __init__(self, content: ReportContent) -> None:
        # Without the look-up of heat maps, which another process could not be sent.
        self._content = dataclasses.replace(content, heat_map=None)
        self._drawings = drawings(content)
        self._drawn: dict[str, Picture] = {}
        self._files: dict[str, bytes] = {}
        self._begun: list[Callable[[], dict[str, bytes]]] = []

    def __contains__(self, name: str) -> bool:
        return name in self._drawings

    def __getitem__(self, name: str) -> Picture:
        if name not in self._drawings:  # no LookupError, which a template would pass over
            raise ValueError(unknown("figure", name, self._drawings))
        draw = self._drawings[name]
        self._wait()
        if name not in self._drawn:
            with _to_draw(f"the figure {name!r}"):
                [svg] = figure_files(draw(), name, ["svg"]).values()
            self._drawn[name] = Picture("svg+xml", svg)
        return self._drawn[name]

    def begin(self, start: Start) -> None:
        """Begins to draw what `write` will write, perhaps in other processes."""
        names = [name for name in self._drawings if name not in NOT_A_FILE]
        self._begun = [start(draw_files, self._content, names[part::2]) for part in (0, 1)]

    def write(self, folder: Path) -> None:
        """Writes every figure begun into a folder as PNG and SVG, photographs as PNG only."""
        self._wait()
        for name, data in self._files.items():
            write_bytes(folder / name, data)

    def _wait(self) -> None:
        """Waits for what was begun."""
        while self._begun:
            with _to_draw("the figures"):
                files = self._begun.pop()()
            for name, data in files.items():
                self._files[name] = data
                kind = "svg+xml" if name.endswith("svg") else "png"
                self._drawn[Path(name).stem] = Picture(kind, data)  # SVG comes after PNG


def draw_files(content: ReportContent, names: Sequence[str]) -> dict[str, bytes]:
    """Draws some figures of a report; returns their files, file name to content."""
    found = drawings(content)
    files: dict[str, bytes] = {}
    for name in names:
        with _to_draw(f"the figure {name!r}"):
            kinds = ["png"] if name in PHOTOGRAPHS else ["png", "svg"]
            files |= figure_files(found[name](), name, kinds)
    return files


@contextlib.contextmanager
def _to_draw(what: str) -> Iterator[None]:
    """Raises another error for one that Jinja would take for a figure that is not there."""
    try:
        yield
    except (AttributeError, LookupError, TypeError) as error:
        raise RuntimeError(f"{what} cannot be drawn: {error!r}") from error


def drawings(content: ReportContent) -> "Drawings":
    """Returns what draws each figure with its footer, by the figure's name."""
    found = _of_testing(content) | _of_training(content)
    if content.portrait is not None:
        found |= _of_data_and_network(content, content.portrait)

    def with_footer(draw: "Callable[[], Figure]") -> "Callable[[], Figure]":
        return lambda: add_footer(draw(), content.footer)

    summarized: Drawings = {"summary": partial(summary.draw_summary, content)}
    return summarized | {name: with_footer(draw) for name, draw in found.items()}


def _of_testing(content: ReportContent) -> "Drawings":
    scores, calls = content.assessment, content.assessment.calls()
    limits, counts = scores.intervals[TESTING].limits, testing_counts(scores)
    draw_matrix = classes.draw_confusion_matrix
    how = "most probable class" if content.several_classes else "at the operating point"
    found: Drawings = {
        "confusion_matrix": partial(draw_matrix, counts, scores.words, title=f"Testing, {how}"),
        "classes": partial(classes.draw_class_measures, class_tables(scores)),
        "roc": partial(curves.draw_roc, calls, interval=limits["roc_auc"]),
        "precision_recall": partial(curves.draw_precision_recall, calls, interval=limits["pr_auc"]),
        "calibration": partial(curves.draw_calibration, calls),
        "decision_curve": partial(curves.draw_decision_curve, calls),
    }
    if content.several_classes:
        found["confusion_matrix_of_calls"] = partial(
            draw_matrix,
            scores.testing.confusion_matrix.table,
            [scores.negative_word, scores.positive_word],
            title="Testing, at the operating point",
        )
        found["confusion_matrix_folded"] = partial(
            draw_matrix,
            fold(counts, scores.positive_indices),
            SIDES,
            title="Testing, most probable class, folded",
        )
    return found


def _of_training(content: ReportContent) -> "Drawings":
    history = content.history
    if not history:
        return {}
    draw = partial(curves.draw_history, history, best_epoch=content.best_epoch)
    found: Drawings = {"history": draw, "plot": partial(curves.draw_plot, history)}
    if "precision" in history:
        found["history_measures"] = partial(draw, measures=HISTORY_MEASURES)
    return found


def _of_data_and_network(content: ReportContent, portrait: Portrait) -> "Drawings":
    scores = content.assessment
    found: Drawings = {
        "class_counts": partial(classes.draw_class_counts, portrait.counts, scores.words),
        "samples": partial(images.draw_sample_grid, portrait.samples),
        "network": partial(images.draw_network, portrait.layers),
        "examples": partial(
            images.draw_examples,
            portrait.examples,
            wrong=portrait.wrong,
            of=scores.testing.images,
        ),
    }
    totals = [sum(row) for row in zip(*portrait.counts.values(), strict=True)]
    factors = classes.factor_counts(scores.classes, scores.positive, totals)
    if factors:
        found["factors"] = partial(classes.draw_factors, factors)
    if portrait.kernels is not None:
        found["kernels"] = partial(images.draw_kernels, portrait.kernels)
    return found
