"""What reports, cards and screens show of patches judged with their neighbours on the slide."""

import dataclasses

from cancernet.base.words import counted
from cancernet.context.context import Context
from cancernet.context.judge import ContextAssessment
from cancernet.context.surroundings import REACH
from cancernet.measures.assess import Assessment
from cancernet.report.rendering import number, threshold
from cancernet.report.sections import HeadlineFigure, headline

WORDS = (
    "In context, the score of a patch is the mean of its own log odds and those of the patches up "
    f"to {REACH} places away on its slide, the nearer ones weighing more, stretched by a gain and "
    "shifted by an offset. A patch that has none of them keeps its own score and the operating "
    "point of patches alone."
)


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
class InContext:
    """The chapter on figures in context.

    Attributes:
        what, fitted, points: sentences: what context is, how it was fitted, and the operating
            points.
        rows: the headline figures alone and in context.
        warnings: what must be known of the figures in context only.
    """

    what: str
    fitted: str
    points: str
    rows: list[SideBySide]
    warnings: list[str]


def chapter(alone: Assessment, context: ContextAssessment | None) -> InContext | None:
    """Returns the chapter on figures in context; None where there are none."""
    if context is None:
        return None
    return InContext(
        what=WORDS,
        fitted=fitted(context),
        points=operating_points(alone, context),
        rows=side_by_side(alone, context),
        warnings=[each for each in context.assessment.warnings if each not in alone.warnings],
    )


def side_by_side(alone: Assessment, context: ContextAssessment) -> list[SideBySide]:
    """Returns the headline figures alone and in context, in the order of `metrics.json`."""
    found = context.difference
    return [
        SideBySide(
            alone=one,
            context=other,
            difference=found.difference[one.name],
            limits=found.limits[one.name],
        )
        for one, other in zip(headline(alone), headline(context.assessment), strict=True)
    ]


def operating_points(alone: Assessment, context: ContextAssessment) -> str:
    """Says at which operating points the two sets of figures are."""
    point = context.assessment.operating_point
    if context.folds:
        return "Each fold has its own operating point for patches alone and another in context."
    return (
        f"Operating point: {threshold(alone.operating_point.threshold)} for a patch alone, "
        f"{threshold(point.threshold)} in context; {point.origin}."
    )


def fitted(context: ContextAssessment) -> str:
    """Says what gain and offset are, and on which slides they were fitted."""
    contexts = context.contexts
    if not context.folds:
        only = contexts[0]
        return f"Gain {_range([only.gain])}, offset {_range([only.offset])}, {_on_slides(only)}."
    slides = [each.slides for each in contexts]
    seen = [each.trained_on for each in contexts if each.trained_on is not None]
    share, known = "", len(seen) == len(contexts)
    if known and any(slides):
        share = f"; the fold's network was trained on {sum(seen):,} of these {sum(slides):,}"
    return (
        f"Each fold fitted its own: gain {_range([each.gain for each in contexts])}, offset "
        f"{_range([each.offset for each in contexts])}, on {min(slides):,} to {max(slides):,} "
        f"whole slides{share}."
    )


def _range(values: list[float]) -> str:
    low, high = (number(round(each, 2) + 0.0, 2) for each in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _on_slides(context: Context) -> str:
    if not context.slides:
        return "taken from other data, since no slide was whole enough to fit them on"
    slides = f"fitted on {counted(context.slides, 'whole slide')}"
    if context.trained_on is None:
        return slides
    if context.slides == 1:
        which = "one that" if context.trained_on else "not one that"
        return f"{slides}, {which} the network was trained on"
    which = {0: "none", context.slides: "all"}.get(context.trained_on, f"{context.trained_on:,}")
    return f"{slides}, {which} of which the network was trained on"
