"""What judges images as their run does: each alone, or with its neighbours."""

from typing import TYPE_CHECKING, TypeAlias

from cancernet.scoring.predictor import Predictor

if TYPE_CHECKING:
    from cancernet.scoring.distributed import SpreadPredictor
    from cancernet.scoring.in_context import PredictorInContext

    AnyPredictor: TypeAlias = Predictor | SpreadPredictor | PredictorInContext


def as_the_run_judges(each: "Predictor | SpreadPredictor") -> "AnyPredictor":
    """Returns what judges images as their run does."""
    if each.run.record.context is None:
        return each
    from cancernet.scoring.in_context import PredictorInContext

    return PredictorInContext(each)
