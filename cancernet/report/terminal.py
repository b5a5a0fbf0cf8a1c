"""What a training prints when it is done: a summary, or every figure as text, with words."""

import dataclasses
import math
import textwrap
from collections.abc import Mapping

from cancernet.base.words import counted, images_of, score_text, unlike_of
from cancernet.context.judge import ContextAssessment
from cancernet.measures.assess import Assessment
from cancernet.measures.remarks import short_sentences
from cancernet.report.in_context import chapter
from cancernet.report.rendering import (
    interval,
    number,
    signed,
    signed_interval,
    threshold,
)
from cancernet.report.sections import headline, two_sides

WIDTH = 79  # a terminal of 80 columns
RULE = "-" * WIDTH
# Of the headline figures, those that the block on context shows.
IN_CONTEXT = {"sensitivity", "specificity", "balanced_accuracy", "f1", "roc_auc", "brier"}


def summary(
    assessment: Assessment, *, unit: str, in_context: bool, places: Mapping[str, str]
) -> str:
    """Returns the testing figures that matter most, between two rules of 79 columns.

    Args:
        unit: what was not split, in a word: patient, source, group.
        in_context: whether patches were judged with their neighbours.
        places: what else to name: title -> path or command.
    """
    metrics, point = assessment.testing, assessment.operating_point
    judged = ", judged in context" if in_context else ""
    rows = {"Testing": images_of(metrics.images, metrics.patients or 0, unit) + judged}
    limits = assessment.intervals["testing"].limits
    for name, title, of in (
        ("sensitivity", "Sensitivity", f"recall of {assessment.positive_word}"),
        ("specificity", "Specificity", f"recall of {assessment.negative_word}"),
        ("roc_auc", "AUC", "area under the ROC curve"),
    ):
        rows[title] = f"{number(metrics[name])}  {interval(limits[name])}  {of}"
    where = "each fold's own" if math.isnan(point.threshold) else score_text(point.threshold)
    rows["Operating point"] = f"{where}, {point.origin}"
    width = max(map(len, (*rows, *places)))
    said = [f"{title:{width}}  {text}" for title, text in (*rows.items(), *places.items())]
    warned = [_warning(f"{text}.") for text in short_sentences(assessment.remarks, unit)]
    return "\n".join([*warned, RULE, *said, RULE])


def text_report(
    assessment: Assessment, *, unit: str = "patient", context: ContextAssessment | None = None
) -> str:
    """Returns the testing figures as text for screen and log.

    `unit` is what was not split, in a word: patient, source, group; `context` holds the further
    facts about figures in context.
    """
    blocks = [
        _opening(assessment, unit, in_context=context is not None),
        *(["\n".join(map(_warning, assessment.warnings))] if assessment.warnings else []),
        _classification_report(assessment),
        _confusion_matrix(assessment),
        _headline(assessment, unit),
        _operating_point(assessment, unit),
        *([_in_context(assessment, context)] if context else []),
    ]
    return "\n\n".join(blocks) + "\n"


def _opening(assessment: Assessment, unit: str, *, in_context: bool) -> str:
    metrics, judged = assessment.testing, ", judged in context" if in_context else ""
    sentence = (
        f"Testing: {images_of(metrics['images'], metrics['patients'], unit)}{judged}; "
        f"positive is: {assessment.positive_words}."
    )
    called = f"“Patient” below means a {unit}." if unit != "patient" else ""
    unlike = assessment.scored["testing"].unlike
    told = "" if unlike is None else f"{unlike_of(unlike, metrics['images'])}."
    said = " ".join(filter(None, [sentence, called, told]))
    return textwrap.fill(said, WIDTH, subsequent_indent="  ")


def _warning(sentence: str) -> str:
    return textwrap.fill(f"warning: {sentence}", WIDTH, subsequent_indent="  ")


def _classification_report(assessment: Assessment) -> str:
    own, per_class = assessment.operating_point.threshold, assessment.testing.get("per_class")
    means = {}
    if per_class:
        rows = dict(zip(assessment.words, per_class["classes"].values(), strict=True))
        means = {f"{average} mean": per_class[average] for average in ("macro", "weighted")}
        how = "most probable class"
    else:
        rows = {row.name: dataclasses.asdict(row) for row in two_sides(assessment)}
        how = "each fold's own threshold" if math.isnan(own) else f"threshold {threshold(own)}"
    width = max(len(word) for word in (*rows, *means, "class"))
    lines = [f"Classification report ({how})"]
    lines.append(f"  {'class':{width}}  precision     recall         f1     images")
    for word, row in (rows | means).items():
        cells = "".join(f"{number(row[name]):>11}" for name in ("precision", "recall", "f1"))
        support = f"{row['support']:>11,}" if word in rows else ""
        lines.append(f"  {word:{width}}{cells}{support}")
    if per_class:
        lines.append(f"  accuracy over all classes: {number(per_class['accuracy'])}")
    return "\n".join(lines)


def _confusion_matrix(assessment: Assessment) -> str:
    table = assessment.testing.confusion_matrix.table
    words = [assessment.negative_word, assessment.positive_word]
    first = max(len("truth " + word) for word in words)
    columns = [f"called {word}" for word in words]
    lines = ["Confusion matrix (rows: truth, columns: call at the operating point)"]
    lines.append(f"  {'':{first}}" + "".join(f"   {column:>10}" for column in columns))
    for word, row in zip(words, table, strict=True):
        counts = "".join(
            f"   {count:>{max(10, len(column))},}"
            for count, column in zip(row, columns, strict=True)
        )
        lines.append(f"  {'truth ' + word:{first}}{counts}")
    return "\n".join(lines)


def _headline(assessment: Assessment, unit: str) -> str:
    found = assessment.intervals["testing"]
    rows = headline(assessment)
    width = max(len(row.words) for row in rows)
    lines = [
        f"Testing figures with {100 * found.level:.0f} % intervals "
        f"({counted(found.patients, unit)} resampled {found.resamples:,} times)"
    ]
    for row in rows:
        lines.append(f"  {row.words:{width}}  {number(row.value):>9}  {interval(row.limits)}")
    return "\n".join(lines)


def _operating_point(assessment: Assessment, unit: str) -> str:
    point, testing = assessment.operating_point, assessment.testing
    at_least = f"positive if the score is at least {threshold(point.threshold)}"
    where = "each fold's own" if math.isnan(point.threshold) else at_least
    chosen_on = counted(point.images, "image")
    if point.patients is not None:
        chosen_on = images_of(point.images, point.patients, unit)
    return "\n".join(
        [
            f"Operating point: {where}",
            f"  rule: {point.rule}",
            f"  {point.origin} ({chosen_on} in validation)",
            f"  on validation: sensitivity {number(point.sensitivity)}, "
            f"specificity {number(point.specificity)}",
            f"  on testing:    sensitivity {number(testing['sensitivity'])}, "
            f"specificity {number(testing['specificity'])}",
        ]
    )


def _in_context(assessment: Assessment, context: ContextAssessment) -> str:
    found = chapter(assessment, context)
    assert found is not None
    rows = [row for row in found.rows if row.alone.name in IN_CONTEXT]
    width = max(len(row.words) for row in rows)
    lines = ["In context: every patch judged with its neighbours on the slide"]
    for sentence in (
        found.points,
        found.fitted,
        *(f"warning, each patch alone: {each}" for each in found.warnings),
    ):
        lines.append(textwrap.fill(sentence, WIDTH, initial_indent="  ", subsequent_indent="    "))
    lines.append(f"  {'':{width}}  {'alone':>9}  {'in context':>10}  difference")
    for row in rows:
        values = f"{number(row.alone.value):>9}  {number(row.context.value):>10}"
        difference = f"{signed(row.difference)} {signed_interval(row.limits)}"
        # With a minus that every terminal has.
        lines.append(f"  {row.words:{width}}  {values}  {difference.replace('−', '-')}")
    return "\n".join([*lines, *_by_neighbours(context)])


def _by_neighbours(context: ContextAssessment) -> list[str]:
    titles = ("patches", "positive", " expected", " observed", "sensitivity", "specificity")
    lines = [
        "  By the neighbours found (of 8): the share of positives, expected and observed",
        f"  {'neighbours':10}" + "".join(f"  {title}" for title in titles),
    ]
    for row in context.by_neighbours:
        group = f"{row.least}" if row.least == row.most else f"{row.least} to {row.most}"
        figures = (row.expected, row.observed, row.sensitivity, row.specificity)
        cells = (f"{row.images:,}", f"{row.positives:,}", *map(number, figures))
        shown = "".join(
            f"  {cell:>{len(title)}}" for cell, title in zip(cells, titles, strict=True)
        )
        lines.append(f"  {group:10}{shown}")
    return lines
