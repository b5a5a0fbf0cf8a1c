"""What validation gives at every threshold that the page's slider can take."""

import numpy as np

from cancernet.base.errors import RunError
from cancernet.measures.scored import positive_indices, positive_score, read_scored
from cancernet.runs.run_folder import VALIDATION_PREDICTIONS, Run, open_run
from cancernet.serving.answers import Thresholds

STEPS = 200  # of the slider, besides the operating point


def thresholds(run: Run, operating_point: float, *, in_context: bool = False) -> Thresholds | None:
    """Returns sensitivity and specificity on validation; NaN where a class is missing.

    Args:
        run: whose stored predictions are counted.
        operating_point: 0-1, one of the thresholds.
        in_context: whether the probabilities are those in context.

    Returns:
        The figures; None where the table of predictions is missing, altered or of another form.
    """
    try:
        open_run(run.folder, check=(VALIDATION_PREDICTIONS,))
        path = run.folder / VALIDATION_PREDICTIONS
        scored, classes = read_scored(path, in_context=in_context)
    except RunError:
        return None
    positive = positive_indices(classes, run.positive)
    score = positive_score(scored.probabilities, positive)
    truth = np.isin(scored.truth, positive)
    points = np.union1d(np.arange(STEPS + 1) / STEPS, operating_point)
    return Thresholds(
        threshold=points.tolist(),
        sensitivity=_reaching(score[truth], points).tolist(),
        specificity=(1 - _reaching(score[~truth], points)).tolist(),
        images=len(score),
        patients=len(set(scored.patients)),
    )


def _reaching(scores: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns the share of the scores that reach each point; NaN without scores."""
    if not len(scores):
        return np.full(len(points), np.nan)
    return 1 - np.searchsorted(np.sort(scores), points) / len(scores)
