"""A finished run's scores in context, made anew from those of each patch alone."""

from collections.abc import Sequence

from cancernet.context.judge import InContext, places_in, pool_in_context, put_in_context
from cancernet.evaluation.run_results import FinishedRun
from cancernet.measures.assess import TESTING, ScoreSet
from cancernet.measures.decisions import Rule
from cancernet.runs.run_record import ContextRecord


def in_context(
    scores: ScoreSet, context: ContextRecord | None, rule: Rule | None = None
) -> InContext | None:
    """Puts scores in the context that a run recorded.

    Args:
        scores: of each patch alone, calibrated.
        context: as `run.json` or `evaluation.json` has it.
        rule: chooses another operating point on validation; None keeps the record's.

    Returns:
        The scores in context; None without a record, or where no testing image has a place.
    """
    if context is None:
        return None
    places = {split: places_in(images, context.side) for split, images in scores.scored.items()}
    if not places[TESTING].known:
        return None
    return put_in_context(scores, context, places, rule or context.operating_point)


def pooled_in_context(folds: Sequence[FinishedRun]) -> InContext | None:
    """Puts all folds of a cross-validation together in context; None unless each can be."""
    found = {fold.run.name: in_context(fold.scores, fold.run.record.context) for fold in folds}
    whole = {name: fold for name, fold in found.items() if fold is not None}
    return pool_in_context(whole) if len(whole) == len(folds) else None
