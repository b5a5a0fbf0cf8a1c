"""What happens after every epoch: validate, keep the best, write down, decide."""

import contextlib
import csv
import io
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cancernet.base.files import write_text
from cancernet.config import TrainConfig
from cancernet.measures.class_measures import epoch_measures, score_measures
from cancernet.training.loop.checkpoint import State, best_path, save_checkpoint, save_weights
from cancernet.training.loop.epoch_counts import EpochCounts

HIGHER_IS_BETTER = {
    "val_loss": False,
    "val_balanced_loss": False,
    "val_accuracy": True,
    "val_auc": True,
}


class Keeper(keras.callbacks.Callback):
    """Validates after each epoch, keeps the best weights, writes history and checkpoint.

    The validation measures are computed from all scores of one unshuffled pass, by
    scikit-learn's definition, without class weights or label smoothing: `val_loss`
    (cross entropy, natural logarithm), `val_balanced_loss` (the mean of each class's
    mean, so that it does not follow the prevalence), `val_accuracy` (most probable class),
    `val_auc` (positive classes against the rest; NaN when validation has one class), and
    `val_precision`, `val_recall`, `val_f1` (see `epoch_measures`).
    """

    def __init__(
        self,
        *,
        config: TrainConfig,
        folder: Path,
        state: State,
        batches: Any,
        truth: np.ndarray,
        positive: list[int],
        whole: keras.Model | None = None,
        counts: EpochCounts | None = None,
        after_epoch: Callable[[State], None] | None = None,
        scorer: keras.Model | None = None,
    ) -> None:
        """Takes the validation images (`batches`, unshuffled) and their class indices.

        `whole` is the network whose best weights are kept, where only its head is trained;
        `counts` the model's metric that gives the training images' precision, recall and
        F1; `after_epoch` is told the bookkeeping when all else is done; `scorer` is a copy
        that predicts, where the model itself cannot: under a strategy.
        """
        super().__init__()
        self._counts = counts
        self._after_epoch = after_epoch
        self.config = config
        self.folder = folder
        self.state = state
        self._batches = batches
        self._truth = truth
        self._positive = positive
        self._whole = whole
        self._scorer = scorer
        self._started = self._cpu_started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Starts the clock."""
        self._started, self._cpu_started = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Does everything that follows an epoch, the checkpoint last."""
        logs = {} if logs is None else logs
        training_seconds = time.perf_counter() - self._started
        self.state.cpu_seconds += time.process_time() - self._cpu_started
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        with averaged_weights(self.model):
            if self._counts is not None:
                table = keras.ops.convert_to_numpy(self._counts.table).astype(np.int64)
                logs.update(epoch_measures(table, self._positive))
            logs.update(self._validate())
            value = logs.get(self.config.monitor, math.nan)
            if self._is_best(value):
                self.state.best_value = value
                self.state.best_epoch = epoch + 1
                self.state.waited = self.state.plateau_waited = 0
                whole = self._whole or self.model
                save_weights(best_path(self.folder, epoch + 1), whole.get_weights())
            else:
                self.state.waited += 1
                self.state.plateau_waited += 1
        self._lower_rate_on_plateau()
        self.state.seconds += training_seconds
        row = {"epoch": epoch + 1, "seconds": round(training_seconds, 3), "learning_rate": rate}
        self.state.history.append({**row, **{name: float(v) for name, v in logs.items()}})
        write_history(self.folder.parent / "history.csv", self.state.history)
        save_checkpoint(self.folder, self.model, self.state)
        if self.config.patience and self.state.waited >= self.config.patience:
            self.model.stop_training = True
        if self._after_epoch is not None:
            self._after_epoch(self.state)

    def _validate(self) -> dict[str, float]:
        scorer = self.model
        if self._scorer is not None:
            scorer = self._scorer
            scorer.set_weights(self.model.get_weights())
        with single_steps(scorer):
            scores = scorer.predict(self._batches, verbose=0).astype(np.float64)
        return validation_measures(self._truth, scores, self._positive)

    def _is_best(self, value: float) -> bool:
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


def validation_measures(
    truth: np.ndarray, scores: np.ndarray, positive: list[int]
) -> dict[str, float]:
    """Computes val_loss, val_balanced_loss, val_accuracy, val_auc, val_precision and so on.

    Args:
        truth: class indices, shape (n,).
        scores: probabilities, shape (n, classes).
        positive: indices of the positive classes.
    """
    from sklearn.metrics import roc_auc_score

    if not np.isfinite(scores).all():
        # The largest of no numbers would be the first class, and its share an accuracy.
        return dict.fromkeys(validation_measures(truth, np.zeros_like(scores), positive), math.nan)
    loss = -np.log(np.clip(scores[np.arange(len(truth)), truth], 1e-7, 1.0))
    is_positive = np.isin(truth, positive)
    one_class = is_positive.all() or not is_positive.any()
    auc = (
        math.nan
        if one_class
        else float(roc_auc_score(is_positive, scores[:, positive].sum(axis=1)))
    )
    return {
        "val_loss": float(loss.mean()),
        "val_balanced_loss": float(
            np.mean([loss[truth == label].mean() for label in np.unique(truth)])
        ),
        "val_accuracy": float((scores.argmax(axis=1) == truth).mean()),
        **{f"val_{name}": value for name, value in score_measures(truth, scores, positive).items()},
        "val_auc": auc,
    }


@contextlib.contextmanager
def single_steps(model: keras.Model) -> Iterator[None]:
    """Lets `predict` run step by step: of many at once it would build a larger graph."""
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
    for variable, average in zip(variables, optimizer._model_variables_moving_average, strict=True):
        variable.assign(average)
    try:
        yield
    finally:
        for variable, value in zip(variables, raw, strict=True):
            variable.assign(value)


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Writes one row per epoch; a column that some epochs lack is `nan` there.

    Epochs of several workers have fewer columns than those of one process.
    """
    columns = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="nan", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_text(path, text.getvalue())
