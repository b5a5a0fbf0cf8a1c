"""What follows an epoch: its measures, validation, the history and the checkpoint."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cancernet.base.tables import write_table
from cancernet.config import TrainConfig
from cancernet.measures.class_measures import epoch_measures, validation_measures
from cancernet.planning.plan import State
from cancernet.training.data.batches import PlainBatches
from cancernet.training.loop.checkpoint import best_path, save_checkpoint, save_weights
from cancernet.training.loop.optimizers import averaged_weights

# Validation measures by which the best epoch may be chosen.
HIGHER_IS_BETTER = {
    "val_loss": False,
    "val_balanced_loss": False,
    "val_accuracy": True,
    "val_auc": True,
}


class EpochCounts(keras.metrics.Metric):
    """The confusion matrix of the training images of an epoch, as they were augmented.

    `result` is empty: the measures are computed once, from `table`, when the epoch is over.

    Attributes:
        table: float32 (classes, classes), rows truth, columns prediction; exact up to 2**24.
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
        """Returns no measures yet."""
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

    batches: PlainBatches
    truth: np.ndarray
    positive: list[int]
    scorer: keras.Model | None = None

    def measures(self, model: keras.Model) -> dict[str, float]:
        """Scores every image in one pass; see `validation_measures`."""
        scorer = self.scorer or model
        if scorer is not model:
            scorer.set_weights(model.get_weights())
        with single_steps(scorer):
            scores = scorer.predict(self.batches.stream(), verbose=0).astype(np.float64)
        return validation_measures(self.truth, scores, self.positive)


@contextlib.contextmanager
def single_steps(model: keras.Model) -> Iterator[None]:
    """Makes `predict` run step by step: for several at once it would build a larger graph."""
    several, model.steps_per_execution = model.steps_per_execution, 1
    try:
        yield
    finally:
        model.steps_per_execution = several


class ValidateAndCheckpoint(keras.callbacks.Callback):
    """After each epoch validates, keeps the best weights, writes history and checkpoint.

    Keras's ModelCheckpoint, EarlyStopping and ReduceLROnPlateau in one, with their state in
    the checkpoint, so that a resumed training is the same.
    """

    def __init__(
        self,
        *,
        config: TrainConfig,
        folder: Path,
        state: State,
        validation: Validation,
        whole: keras.Model | None = None,
        counts: EpochCounts | None = None,
        after_epoch: Callable[[State], None] | None = None,
    ) -> None:
        """Takes what is validated and the folder of the checkpoint.

        `whole` is the network whose best weights are kept, where only its head is trained;
        `counts` the model's metric of the training images; `after_epoch` gets the
        bookkeeping when all else is done.
        """
        super().__init__()
        self.config = config
        self.folder = folder
        self.state = state
        self._validation = validation
        self._whole = whole
        self._counts = counts
        self._after_epoch = after_epoch
        self._started = self._cpu_started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Starts the clock."""
        self._started, self._cpu_started = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Does everything that follows an epoch, the checkpoint last."""
        logs, state = {} if logs is None else logs, self.state
        training_seconds = time.perf_counter() - self._started
        state.cpu_seconds += time.process_time() - self._cpu_started
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        with averaged_weights(self.model):
            if self._counts is not None:
                logs.update(epoch_measures(self._counts.counts(), self._validation.positive))
            logs.update(self._validation.measures(self.model))
            self._keep_if_best(epoch + 1, logs.get(self.config.monitor, math.nan))
        self._lower_rate_on_plateau()
        state.seconds += training_seconds
        row = {"epoch": epoch + 1, "seconds": round(training_seconds, 3), "learning_rate": rate}
        state.history.append({**row, **{name: float(v) for name, v in logs.items()}})
        write_history(self.folder.parent / "history.csv", state.history)
        save_checkpoint(self.folder, self.model, state)
        if self.config.patience and state.waited >= self.config.patience:
            self.model.stop_training = True
        if self._after_epoch is not None:
            self._after_epoch(state)

    def _keep_if_best(self, epoch: int, value: float) -> None:
        state = self.state
        if self.is_best(value):
            state.best_value, state.best_epoch = value, epoch
            state.waited = state.plateau_waited = 0
            whole = self._whole or self.model
            save_weights(best_path(self.folder, epoch), whole.get_weights())
        else:
            state.waited += 1
            state.plateau_waited += 1

    def is_best(self, value: float) -> bool:
        """Tells whether a value of the monitored measure is the best so far."""
        best = self.state.best_value
        if self.state.best_epoch == 0 or self.config.monitor == "last":
            return True  # even a NaN: there must be weights to keep
        if math.isnan(value):
            return False
        if math.isnan(best):
            return True
        return value > best if HIGHER_IS_BETTER[self.config.monitor] else value < best

    def _lower_rate_on_plateau(self) -> None:
        config = self.config
        if config.plateau_factor and self.state.plateau_waited >= config.plateau_patience:
            optimizer = self.model.optimizer
            optimizer.learning_rate = float(optimizer.learning_rate) * config.plateau_factor
            self.state.plateau_waited = 0


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Writes one row per epoch; a column that an epoch lacks, as with several workers, is `nan`."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    write_table(path, columns, ([row.get(name, "nan") for name in columns] for row in history))
