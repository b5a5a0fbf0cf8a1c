"""MLflow's log of a training: its settings, and the measures of every epoch."""

import dataclasses
import logging
import os
import time
from collections.abc import Callable
from typing import Any

import keras

from cancernet.base.errors import first_line
from cancernet.base.words import NOTICE
from cancernet.config import MLFLOW
from cancernet.planning.plan import Training

EXPERIMENT = "cancernet"
RUN_ID = "mlflow"  # the file of a checkpoint by which a resumed training finds its run
# MLflow reports its use to its maker unless told not to before it is imported.
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}

_log = logging.getLogger(__name__)


class MLflowMeasures(keras.callbacks.Callback):
    """Logs a training to MLflow's store: that of `MLFLOW_TRACKING_URI`, or a local one.

    A store that fails is told of once, and the training goes on without it.
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
            _log.warning("WARNING: MLflow logs no further: %s", first_line(error))

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
