"""What reports, cards and screens show of patches judged with their neighbours on the slide."""

import dataclasses
from collections.abc import Sequence

from cancernet.base.words import counted
from cancernet.context.context import Context
from cancernet.context.judge import ContextAssessment
from cancernet.context.neighbours import neighbourhood
from cancernet.measures.assess import Assessment
from cancernet.report.rendering import number, threshold
from cancernet.report.sections import HeadlineFigure, headline

WORDS = (
    "In context, the score of a patch is the mean of its own log odds and those of the patches up "
    "to {reach} places away on its slide, the nearer ones weighing more, rescaled by a gain "
    "and shifted by an offset. A patch that has none of them keeps its own score and the operating "
    "point of patches alone."
)

FROM_ELSEWHERE = "taken from other data, since no slide was whole enough to fit them on"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SideBySide:
    """One figure of testing: each patch alone, in context, and in context minus alone."""

    alone: HeadlineFigure
    context: HeadlineFigure
    difference: float
    limits: tuple[float, float]

    @property
    def words(self) -> str:
        """What a reader calls the figure."""
        return self.alone.words


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chapter:
    """The chapter on figures in context.

    Attributes:
        what, fitted, points: sentences: what context is, how it was fitted, and the operating
            points.
        slides: which slides have an operating point of their own; empty where none has.
        reach: how many places away a patch still counts.
        rows: the headline figures alone and in context.
        warnings: what must be known about the figures of patches alone, and of no others.
    """

    what: str
    fitted: str
    points: str
    slides: str
    reach: int
    rows: list[SideBySide]
    warnings: list[str]


def chapter(assessment: Assessment, context: ContextAssessment | None) -> Chapter | None:
    """Returns the chapter on figures in context; None where there are none."""
    if context is None:
        return None
    reach = neighbourhood(context.contexts[0].spread).reach
    return Chapter(
        what=WORDS.format(reach=reach),
        reach=reach,
        fitted=fitted(context),
        points=operating_points(assessment, context),
        slides=_slide_points(context),
        rows=side_by_side(assessment, context),
        warnings=[each for each in context.alone.warnings if each not in assessment.warnings],
    )


def side_by_side(assessment: Assessment, context: ContextAssessment) -> list[SideBySide]:
    """Returns the headline figures alone and in context, in the order of `metrics.json`."""
    found = context.difference
    return [
        SideBySide(
            alone=one,
            context=other,
            difference=found.difference[one.name],
            limits=found.limits[one.name],
        )
        for one, other in zip(headline(context.alone), headline(assessment), strict=True)
    ]


def operating_points(assessment: Assessment, context: ContextAssessment) -> str:
    """Says at which operating points the two sets of figures are."""
    point = assessment.operating_point
    if context.alone_folds:
        return "Each fold has its own operating point for patches alone and another in context."
    said = (
        f"Operating point: {threshold(context.alone.operating_point.threshold)} for a patch alone, "
        f"{threshold(point.threshold)} in context; {point.origin}."
    )
    return f"{said} {_slide_points(context)}".rstrip()


def _slide_points(context: ContextAssessment) -> str:
    """Says where the slides that have an operating point of their own have it."""
    points = sorted(context.slide_points.values())
    if not points:
        return ""
    if len(points) == 1:
        return (
            f"One slide is whole enough for an operating point of its own, {threshold(points[0])}."
        )
    return (
        f"{len(points):,} slides are whole enough for operating points of their own, "
        f"{threshold(points[0])} to {threshold(points[-1])}."
    )


def fitted(context: ContextAssessment) -> str:
    """Says what gain and offset are, and on which slides they were fitted."""
    contexts = context.contexts
    gains, offsets = [each.gain for each in contexts], [each.offset for each in contexts]
    numbers = f"gain {_range(gains)}, offset {_range(offsets)}"
    if context.alone_folds:
        return f"Each fold has its own: {numbers}, {_on_slides_of_folds(contexts)}."
    return f"{numbers.capitalize()}, {_on_slides(contexts[0])}."


def _range(values: list[float]) -> str:
    low, high = (number(round(each, 2) + 0.0, 2) for each in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _on_slides(context: Context) -> str:
    if not context.slides:
        return FROM_ELSEWHERE
    slides = f"fitted on {counted(context.slides, 'whole slide')}"
    if context.trained_on is None:
        return slides
    if context.slides == 1:
        which = "one that" if context.trained_on else "not one that"
        return f"{slides}, {which} the network was trained on"
    which = {0: "none", context.slides: "all"}.get(context.trained_on, f"{context.trained_on:,}")
    return f"{slides}, {which} of which the network was trained on"


def _on_slides_of_folds(contexts: Sequence[Context]) -> str:
    slides, seen = [each.slides for each in contexts], [each.trained_on for each in contexts]
    if not any(slides):
        return FROM_ELSEWHERE
    least, most = min(slides), max(slides)
    said = f"fitted on {counted(most, 'whole slide')}"
    if least != most:
        said = f"fitted on {least:,} to {most:,} whole slides"
    if None in seen:
        return said
    total = sum(count or 0 for count in seen)
    return f"{said}; of all {sum(slides):,}, the fold's network was trained on {total:,}"
