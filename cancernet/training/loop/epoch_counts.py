"""Counts, while an epoch runs, how often each class was called each class."""

from typing import Any

import keras


class EpochCounts(keras.metrics.Metric):
    """The confusion matrix of the training images of an epoch, as they were augmented.

    One product of two one-hot matrices a step. What it gives is left to the end of the
    epoch: `result` is empty, `table` holds the counts.

    Attributes:
        table: float32 (classes, classes), rows truth, columns prediction. Whole numbers
            up to 2**24 are exact.
    """

    def __init__(self, classes: int) -> None:
        """Starts at 0."""
        super().__init__(name="epoch_counts", dtype="float32")
        self.classes = classes
        self.table = self.add_weight(shape=(classes, classes), initializer="zeros", name="table")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch: labels and probabilities of shape (n, classes); weights are ignored.

        Of a mixed label the larger part counts, as in Keras's accuracy.
        """
        ops = keras.ops
        truth = ops.one_hot(ops.argmax(y_true, axis=-1), self.classes, dtype="float32")
        called = ops.one_hot(ops.argmax(y_pred, axis=-1), self.classes, dtype="float32")
        self.table.assign_add(ops.matmul(ops.transpose(truth), called))

    def result(self) -> dict[str, float]:
        """Nothing: the measures are computed once, when the epoch is over."""
        return {}
