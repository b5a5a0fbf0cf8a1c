"""Callbacks that only show or record the epochs, for whoever watches a training.

They come after `ValidateAndCheckpoint`, whose measures they show.
"""

import dataclasses
import datetime
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from cancernet.base.console import progress_bar
from cancernet.base.errors import first_line
from cancernet.base.files import json_text
from cancernet.base.words import NOTICE
from cancernet.config import MLFLOW
from cancernet.planning.plan import Logs, Training
from cancernet.report.rendering import number
from cancernet.runs import run_folder

EXPERIMENT = "cancernet"
RUN_ID = "mlflow"  # the file of a checkpoint by which a resumed training finds its run
# MLflow reports its use to its maker unless told not to before it is imported. Its own seven
# retries would hold a training for four minutes where a server does not answer; four take half
# a minute.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
}

_log = logging.getLogger(__name__)


def watchers(training: Training, logs: Logs) -> list[keras.callbacks.Callback]:
    """Returns the callbacks that record a training for others: `log.jsonl`, TensorBoard, MLflow."""
    folder = training.folder
    found: list[keras.callbacks.Callback] = [EpochLines(folder / run_folder.LOG)]
    if logs.tensorboard is not None:
        found.append(TensorBoardScalars(logs.tensorboard / folder.resolve().name))
    if logs.mlflow:
        found.append(MLflowMeasures(training))
    return found


class EpochsOnScreen(keras.callbacks.Callback):
    """Prints a line of at most 80 columns for each epoch, with the time that the rest will take.

    A terminal also shows a bar over all epochs, whose estimate begins with the first steps;
    `history.csv` has the other measures.
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
        """Prints the epoch's line."""
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


class EpochLines(keras.callbacks.Callback):
    """Appends one JSON object per line for every complete epoch.

    A line holds `time` (ISO 8601, UTC), `event`, `epoch` (counted from 1), `epochs` and the
    epoch's measures, undefined ones as null. An epoch that a resumed training repeats is
    written again: the later line holds.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Says that this process began to train."""
        self._write(event="begin")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Writes the epoch's measures."""
        measures = {name: float(value) for name, value in (logs or {}).items()}
        self._write(event="epoch", epoch=epoch + 1, **measures)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Says that the epochs are over."""
        self._write(event="end")

    def _write(self, **values: Any) -> None:
        line = {"time": run_folder.now(), "epochs": self.params.get("epochs"), **values}
        # One write of one whole line, so that another terminal never reads half of it.
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json_text(line) + "\n")


class TensorBoardScalars(keras.callbacks.Callback):
    """Writes every epoch's measures where `tensorboard --logdir` finds them.

    Keras's own callback needs the package tensorboard, traces the graph and writes the weights.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._writer: Any = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Writes the measures at step `epoch` + 1 and flushes them."""
        if self._writer is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            # TensorBoard looks for this in the name and takes the files in their order.
            name = f"events.out.tfevents.{time.time_ns()}.cancernet"
            self._writer = tf.io.TFRecordWriter(str(self.folder / name))
        values = [
            tf.compat.v1.Summary.Value(tag=name, simple_value=float(value))
            for name, value in (logs or {}).items()
        ]
        summary = tf.compat.v1.Summary(value=values)
        event = tf.compat.v1.Event(wall_time=time.time(), step=epoch + 1, summary=summary)
        self._writer.write(event.SerializeToString())
        self._writer.flush()


class MLflowMeasures(keras.callbacks.Callback):
    """Logs a training to MLflow's store: that of `MLFLOW_TRACKING_URI`, or a local one.

    A store that fails is reported once, and the training goes on without it.
    """

    def __init__(self, training: Training) -> None:
        super().__init__()
        self._training = training
        self._client: Any = None
        self._run = ""
        self._failed = False

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Begins a run with the settings, or goes on with that of a resumed training."""
        if self._client is None:
            self._try(self._open)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Logs the measures at step `epoch` + 1."""
        self._try(lambda: self._measure(epoch + 1, logs or {}))

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Ends the run."""
        self._try(lambda: self._client.set_terminated(self._run))

    def _try(self, log: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            log()
        except Exception as error:  # of a database, of a network, of MLflow
            self._failed = True
            _log.warning("MLflow logs no further: %s", first_line(error))

    def _measure(self, step: int, measures: dict[str, float]) -> None:
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        metrics = [Metric(name, float(value), now, step) for name, value in measures.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def _open(self) -> None:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient
        from mlflow.entities import Param

        store = os.environ.get("MLFLOW_TRACKING_URI")
        if not store:
            MLFLOW.mkdir(parents=True, exist_ok=True)
            store = f"sqlite:///{MLFLOW / 'mlflow.db'}"
        self._client = client = MlflowClient(tracking_uri=store)
        known = self._training.checkpoint / RUN_ID
        if known.is_file():
            self._run = known.read_text("utf-8")
            return
        found = client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
        folder, data = self._training.folder, self._training.dataset
        tags = {"folder": str(folder), "data": data.fingerprint, "mlflow.note.content": NOTICE}
        self._run = client.create_run(experiment, tags=tags, run_name=folder.name).info.run_id
        settings = dataclasses.asdict(self._training.config)
        client.log_batch(self._run, params=[Param(*each) for each in settings.items()])
        known.write_text(self._run, "utf-8")
