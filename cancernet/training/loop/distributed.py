"""Several processes or devices that train one network: TensorFlow's strategies.

`model.fit` fails under `MultiWorkerMirroredStrategy` in Keras 3 (keras issue 20585), so
the epochs are a loop over `strategy.run`. Every worker draws the same batches, which
depend on seed, epoch and number alone, and takes every n-th row of each, beginning with
its own number. So every image is seen once an epoch, and an uneven last batch counts right:
the loss is divided by the size of the whole batch. The first worker writes; the others
follow in a scratch folder.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cancernet.base.errors import CancerNetError, RunError
from cancernet.runs import run_folder
from cancernet.training.data.batches import TrainingBatches

# What TensorFlow raises when another worker has gone.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


@dataclasses.dataclass(frozen=True)
class Workers:
    """The strategy, and which of the processes this one is.

    Attributes:
        strategy: TensorFlow's.
        rank: number of this process, counted from 0.
        processes: how many there are.
    """

    strategy: Any
    rank: int
    processes: int

    @property
    def replicas(self) -> int:
        """How many copies of the network there are, over all processes and devices."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run."""
        return self.rank == 0

    def sentence(self) -> str:
        """Says which of the workers this is."""
        if self.processes == 1:
            return f"Workers: {self.replicas} devices of this machine"
        return f"Workers: worker {self.rank + 1} of {self.processes}, {self.replicas} replicas"


def join_workers(folder: Path | None) -> Workers | None:
    """Joins the other workers, if the environment names any, or takes all GPUs of this machine.

    Reads TF_CONFIG, or Slurm's variables. Call it before anything else uses TensorFlow.
    `folder` is what `--run` names, or None; several workers need one.

    Returns:
        None for one process with at most one GPU.

    Raises:
        CancerNetError: TF_CONFIG cannot be read, or names other kinds of tasks than workers;
            several workers were told no folder.
    """
    resolver, rank, processes = None, 0, 1
    if "TF_CONFIG" in os.environ:
        rank, processes = read_tf_config(os.environ["TF_CONFIG"])
        if processes == 1:
            return None
    elif int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_PROCID" in os.environ:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver()
        rank, processes = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])
    if processes > 1:
        if folder is None:
            raise RunError("several workers train one run; name its folder to each with --run")
        # With a limit on each exchange a worker whose partner hangs ends as well.
        options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=50.0)
        strategy = tf.distribute.MultiWorkerMirroredStrategy(
            cluster_resolver=resolver, communication_options=options
        )
        return Workers(strategy, rank, processes)
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return Workers(tf.distribute.MirroredStrategy(), 0, 1)
    return None


def read_tf_config(text: str) -> tuple[int, int]:
    """Reads this worker's number and how many there are from TF_CONFIG.

    Raises:
        CancerNetError: it is not `{"cluster": {"worker": [...]}, "task": {"type": "worker",
            "index": 0}}`.
    """
    try:
        content = json.loads(text)
        cluster, task = content["cluster"], content["task"]
        workers, index = cluster["worker"], int(task["index"])
        sound = set(cluster) == {"worker"} and task["type"] == "worker"
        sound = sound and 0 <= index < len(workers)
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise CancerNetError(
            'TF_CONFIG must be {"cluster": {"worker": ["host:port", ...]}, "task": {"type": '
            f'"worker", "index": N}}}} with N from 0, but is {text[:200]}'
        )
    return index, len(workers)


@contextlib.contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Gives a worker that is not the first a copy of the checkpoint, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="cancernet-worker-") as scratch:
        if (folder / run_folder.CHECKPOINT).is_dir():
            # The first worker tidies up half-written files at the same moment.
            half = shutil.ignore_patterns(".*")
            shutil.copytree(
                folder / run_folder.CHECKPOINT, Path(scratch) / run_folder.CHECKPOINT, ignore=half
            )
        yield Path(scratch)


def fit_on_workers(
    workers: Workers,
    model: keras.Model,
    batches: TrainingBatches,
    callbacks: list[keras.callbacks.Callback],
    *,
    first_epoch: int,
    epochs: int,
    label_smoothing: float,
) -> None:
    """Does what `model.fit` does: epochs from `first_epoch` (from 0) to `epochs`.

    Args:
        workers: the strategy in whose scope the model was made and compiled.
        model: compiled.
        batches: the same in every process.
        callbacks: called at the beginning and end of training and epochs, and after steps.
        first_epoch, epochs: where to begin and to end.
        label_smoothing: of the loss.

    Raises:
        RunError: another worker was lost; the message says how to go on.
    """
    step = _step(workers, model, label_smoothing)
    everyone = keras.callbacks.CallbackList(
        callbacks, model=model, epochs=epochs, steps=len(batches), verbose=0
    )
    model.stop_training = False
    try:
        everyone.on_train_begin()
        for epoch in range(first_epoch, epochs):
            everyone.on_epoch_begin(epoch)
            everyone.on_epoch_end(epoch, _epoch(workers, step, batches, everyone))
            if model.stop_training:
                break
        everyone.on_train_end()
    except LOST as error:
        raise RunError(
            f"another worker was lost ({type(error).__name__}); start any number of workers again "
            "with --resume: the last complete epoch is kept"
        ) from None


def _epoch(
    workers: Workers, step: Any, batches: TrainingBatches, everyone: keras.callbacks.CallbackList
) -> dict[str, float]:
    batches.on_epoch_begin()
    loss, right, seen = 0.0, 0.0, 0
    for index in range(len(batches)):
        batch = batches[index]
        # Last, the size of the whole batch, once for each replica.
        sizes = np.full(workers.replicas, len(batch[0]), np.float32)
        values = [_dealt(workers, array) for array in (*batch, sizes)]
        step_loss, step_right = step(*values)
        loss += float(step_loss) * len(batch[0])
        right += float(step_right)
        seen += len(batch[0])
        everyone.on_train_batch_end(index)
    return {"loss": loss / seen, "accuracy": right / seen}


def _dealt(workers: Workers, array: np.ndarray) -> Any:
    """Gives each replica of this process every n-th row, beginning with its own number."""
    return workers.strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(
            array[context.replica_id_in_sync_group :: context.num_replicas_in_sync]
        )
    )


def _step(workers: Workers, model: keras.Model, label_smoothing: float) -> Any:
    losses = keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing, reduction=None)

    def own(images: Any, labels: Any, weights: Any, size: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            scores = model(images, training=True)
            each = losses(labels, scores) * weights
            # Divided by the whole batch: the sum of the replicas' gradients is its mean.
            loss = tf.reduce_sum(each) / size[0]
            for extra in model.losses:
                loss += extra / workers.replicas
            scaled = model.optimizer.scale_loss(loss)
        trainable = model.trainable_variables
        gradients = tape.gradient(scaled, [variable.value for variable in trainable])
        model.optimizer.apply(gradients, trainable)
        right = tf.equal(tf.argmax(scores, 1), tf.argmax(labels, 1))
        return loss, tf.reduce_sum(tf.cast(right, tf.float32))

    @tf.function(reduce_retracing=True)
    def step(*values: Any) -> tuple[Any, Any]:
        loss, right = workers.strategy.run(own, args=values)
        total = tf.distribute.ReduceOp.SUM
        return (
            workers.strategy.reduce(total, loss, axis=None),
            workers.strategy.reduce(total, right, axis=None),
        )

    return step
