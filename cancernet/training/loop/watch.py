"""What lets others watch a training: a JSON line an epoch, and TensorBoard's scalars."""

import time
from pathlib import Path
from typing import Any

import keras

from cancernet.base.files import json_text
from cancernet.runs import run_folder


def watchers(folder: Path, log_dir: Path | None = None) -> list[keras.callbacks.Callback]:
    """Returns the callbacks that write down a training while it goes on.

    Put them behind the callback that validates: they write what it added to the logs.

    Args:
        folder: the run folder; `log.jsonl` in it gets one line an epoch.
        log_dir: where TensorBoard's event files go, or None for none.
    """
    found: list[keras.callbacks.Callback] = [EpochLines(folder / run_folder.LOG)]
    if log_dir is not None:
        found.append(TensorBoardScalars(log_dir / folder.resolve().name))
    return found


class EpochLines(keras.callbacks.Callback):
    """Appends one JSON object a line for every complete epoch.

    A line holds `time` (ISO 8601, UTC), `event`, `epoch` (counted from 1), `epochs` and the
    epoch's measures; a measure that is not a finite number is null, because NaN is not JSON.
    An epoch that a resumed training repeats is written again: the later line holds.
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
        # One write of one whole line: another terminal never reads half of it, unless the
        # machine stops in the middle, for which readers skip what is no JSON.
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json_text(line) + "\n")


class TensorBoardScalars(keras.callbacks.Callback):
    """Writes every epoch's measures where `tensorboard --logdir` finds them.

    Keras's own callback needs the package tensorboard, traces the graph and writes the
    weights; scalars in TensorFlow's event format are all that is read while a training runs.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._writer: Any = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Writes the measures at step `epoch` + 1 and flushes them."""
        import tensorflow as tf

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
