"""What is measured of an epoch: on the training images while it runs, on validation after it."""

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from cancernet.measures.class_measures import score_measures
from cancernet.models.keras_internals import averages_of

# Validation measures by which the best epoch may be chosen.
HIGHER_IS_BETTER = {
    "val_loss": False,
    "val_balanced_loss": False,
    "val_accuracy": True,
    "val_auc": True,
}


class EpochCounts(keras.metrics.Metric):
    """The confusion matrix of the training images of an epoch, as they were augmented.

    One product of two one-hot matrices a step. `result` is empty: the measures are computed
    once, from `table`, when the epoch is over.

    Attributes:
        table: float32 (classes, classes), rows truth, columns prediction. Whole numbers
            up to 2**24 are exact.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(name="epoch_counts", dtype="float32")
        self.classes = classes
        self.table = self.add_weight(shape=(classes, classes), initializer="zeros", name="table")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch: labels and probabilities of shape (n, classes); weights are ignored.

        The larger part of a mixed label counts, as in Keras's accuracy.
        """
        ops = keras.ops
        truth = ops.one_hot(ops.argmax(y_true, axis=-1), self.classes, dtype="float32")
        called = ops.one_hot(ops.argmax(y_pred, axis=-1), self.classes, dtype="float32")
        self.table.assign_add(ops.matmul(ops.transpose(truth), called))

    def result(self) -> dict[str, float]:
        """Returns nothing."""
        return {}

    def counts(self) -> np.ndarray:
        """Returns the table as int64."""
        return keras.ops.convert_to_numpy(self.table).astype(np.int64)


@dataclasses.dataclass(frozen=True)
class Validation:
    """The validation images, which judge a network after every epoch.

    Attributes:
        batches: the images, unshuffled.
        truth: their class indices, shape (n,).
        positive: indices of the positive classes.
        scorer: a copy of the network that predicts where the network itself cannot, under
            a strategy; or None.
    """

    batches: Any
    truth: np.ndarray
    positive: list[int]
    scorer: keras.Model | None = None

    def measures(self, model: keras.Model) -> dict[str, float]:
        """Scores every image in one pass; see `validation_measures`."""
        scorer = model
        if self.scorer is not None:
            scorer = self.scorer
            scorer.set_weights(model.get_weights())
        with single_steps(scorer):
            scores = scorer.predict(self.batches, verbose=0).astype(np.float64)
        return validation_measures(self.truth, scores, self.positive)


def validation_measures(
    truth: np.ndarray, scores: np.ndarray, positive: list[int]
) -> dict[str, float]:
    """Computes the measures of validation, without class weights or label smoothing.

    `val_loss` is the cross entropy (natural logarithm); `val_balanced_loss` the mean of each
    class's mean, so that it does not follow the prevalence; `val_accuracy` that of the most
    probable class; `val_auc` that of the positive classes against the rest, NaN where
    validation has one of the two alone; `val_precision`, `val_recall` and `val_f1` are those
    of `score_measures`.

    Args:
        truth: class indices, shape (n,).
        scores: probabilities, shape (n, classes).
        positive: indices of the positive classes.
    """
    from sklearn.metrics import roc_auc_score

    if not np.isfinite(scores).all():
        # The largest of several NaN would be the first class, and its share an accuracy.
        return dict.fromkeys(validation_measures(truth, np.zeros_like(scores), positive), math.nan)
    loss = -np.log(np.clip(scores[np.arange(len(truth)), truth], 1e-7, 1.0))
    is_positive = np.isin(truth, positive)
    auc = math.nan
    if is_positive.any() and not is_positive.all():
        auc = float(roc_auc_score(is_positive, scores[:, positive].sum(axis=1)))
    by_class = [loss[truth == label].mean() for label in np.unique(truth)]
    return {
        "val_loss": float(loss.mean()),
        "val_balanced_loss": float(np.mean(by_class)),
        "val_accuracy": float((scores.argmax(axis=1) == truth).mean()),
        **{f"val_{name}": value for name, value in score_measures(truth, scores, positive).items()},
        "val_auc": auc,
    }


@contextlib.contextmanager
def single_steps(model: keras.Model) -> Iterator[None]:
    """Lets `predict` run step by step: for many at once it would build a larger graph."""
    several, model.steps_per_execution = model.steps_per_execution, 1
    try:
        yield
    finally:
        model.steps_per_execution = several


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Puts the exponentially averaged weights into the model for the time of the block."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not optimizer.use_ema:
        yield
        return
    variables = model.trainable_variables
    raw = [keras.ops.convert_to_numpy(variable).copy() for variable in variables]
    for variable, average in zip(variables, averages_of(optimizer), strict=True):
        variable.assign(average)
    try:
        yield
    finally:
        for variable, value in zip(variables, raw, strict=True):
            variable.assign(value)
