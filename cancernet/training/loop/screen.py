"""What a terminal shows of the epochs: one bar for all of them, and a line for each."""

import datetime
import logging
import time
from typing import Any

import keras

from cancernet.base.console import progress_bar
from cancernet.report.rendering import number

_log = logging.getLogger(__name__)


class EpochsOnScreen(keras.callbacks.Callback):
    """Says each epoch in a line of at most 80 columns, with the time that the others will take.

    A terminal also shows a bar over all epochs, whose estimate begins with the first steps;
    `history.csv` has the other measures. It comes after `ValidateAndCheckpoint`, whose measures
    it shows.
    """

    async_safe = True  # for Keras: it need not wait for the bar

    def __init__(self, *, first_epoch: int) -> None:
        """`first_epoch` is counted from 0; those before it are done already."""
        super().__init__()
        self._first = self._epoch = first_epoch
        self._begun = 0.0
        self._bar: Any = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Starts the clock and the bar."""
        self._begun = time.perf_counter()
        steps = (self.params["epochs"] - self._first) * self.params["steps"]
        self._bar = progress_bar(title="Training", total=steps, unit=" steps", leave=False)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Notes which epoch the steps belong to."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Moves the bar; `batch` is the step's place in its epoch.

        Where Keras runs many steps at once, it counts past the end of the epoch.
        """
        steps = self.params["steps"]
        done = (self._epoch - self._first) * steps + min(batch + 1, steps)
        self._bar.update(done - self._bar.n)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Says the epoch in a line."""
        logs, epochs = logs or {}, self.params["epochs"]
        seconds = (time.perf_counter() - self._begun) / (epoch + 1 - self._first)
        shown = f"Epoch {epoch + 1}/{epochs}: loss {number(logs.get('loss', float('nan')))}"
        if "val_loss" in logs:
            shown += f", validation loss {number(logs['val_loss'])}, AUC {number(logs['val_auc'])}"
        left = datetime.timedelta(seconds=round(seconds * (epochs - epoch - 1)))
        self._bar.clear()
        _log.info("%s", shown + (f", {left} left" if epoch + 1 < epochs else ""))
        self._bar.refresh()

    def close(self) -> None:
        """Takes the bar away, also where a training was stopped."""
        if self._bar is not None:
            self._bar.close()
