"""The epochs of one training, from the first or from a checkpoint."""

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import keras

from cancernet.base.console import typed
from cancernet.base.errors import RunError, StoppedError
from cancernet.config import STOCK, TrainConfig
from cancernet.planning.plan import Logs, State, Training
from cancernet.runs import run_folder
from cancernet.training.data.streams import Batches, StockBatches
from cancernet.training.loop.acceleration import accelerate, choose_precision, steps_at_once
from cancernet.training.loop.callbacks import EpochCounts, ValidateAndCheckpoint, Validation
from cancernet.training.loop.checkpoint import (
    has_checkpoint,
    load_best,
    load_checkpoint,
    load_state,
)
from cancernet.training.loop.distributed import Workers, fit_on_workers
from cancernet.training.loop.optimizers import make_optimizer
from cancernet.training.loop.watchers import EpochsOnScreen, watchers
from cancernet.training.network import (
    choose_layers,
    first_network,
    fresh_network,
    frozen_at_random,
    keep_features,
    phases,
)

_log = logging.getLogger(__name__)


def fit(
    training: Training,
    batches: Batches,
    network: keras.Model | None = None,
    *,
    logs: Logs | None = None,
    after_epoch: Callable[[State], None] | None = None,
    workers: Workers | None = None,
) -> tuple[keras.Model, State]:
    """Trains, or resumes from the folder's checkpoint.

    Args:
        training: data set, settings, and the run folder, which is there.
        batches: training and validation images.
        network: what `first_network` has just built; None builds it here.
        logs: where others may watch it; None for the log in its folder only.
        after_epoch: gets the bookkeeping after every epoch, and shows it instead of a line and
            a bar; what it raises ends the training.
        workers: those that train this network with this process, or None.

    Returns:
        The plain float32 model with the weights of the best epoch, and the bookkeeping.

    Raises:
        StoppedError: the user pressed Ctrl-C; the last complete epoch is kept.
    """
    config, checkpoint = training.config, training.checkpoint
    checkpoint.mkdir(exist_ok=True)
    state = load_state(checkpoint) if has_checkpoint(checkpoint) else State()
    plain = network or _network_to_resume(training, state)
    stock = config.stream == STOCK
    policy, reason = ("float32", "Keras's own") if stock else choose_precision(config.precision)
    if after_epoch is None:
        _say_beginning(training, workers, arithmetic=f"{policy} ({reason})")
    loop = _Loop(
        training=training,
        plain=plain,
        batches=batches,
        policy=policy,
        watching=watchers(training, logs or Logs()),
        after_epoch=after_epoch,
        workers=workers,
    )
    for phase, settings in enumerate(phases(config)):
        if phase < state.phase or (phase == state.phase and _is_over(state, settings)):
            continue
        if phase > state.phase:
            state.begin_phase(phase)
            plain.set_weights(load_best(checkpoint, state))
            # Of its own, so that a training stopped between the phases draws the same.
            keras.utils.set_random_seed(config.seed + phase)
            _log.info(
                "Fine-tuning: the last %s layers of the backbone learn", config.fine_tune_layers
            )
        choose_layers(plain, config, phase=phase)
        if phase == 0 and (warning := frozen_at_random(plain, config)):
            _log.warning(warning)
        state = loop.fit_phase(settings, state)
    plain.set_weights(load_best(checkpoint, state))
    return plain, state


def _say_beginning(training: Training, workers: Workers | None, *, arithmetic: str) -> None:
    _log.info("Arithmetic: %s", arithmetic)
    if workers:
        _log.info(workers.sentence())
    config, images = training.config, len(training.dataset.split("training").paths)
    if config.images_seen:
        seen = f"{config.epochs * images:,}"
        _log.info("Length: %s epochs, %s images seen (--epochs overrides)", config.epochs, seen)


def best_so_far(training: Training) -> tuple[keras.Model, State]:
    """Returns the best epoch's model of an unfinished training, without training on.

    Raises:
        RunError: no epoch was complete yet.
    """
    checkpoint = training.checkpoint
    if not has_checkpoint(checkpoint):
        raise RunError(
            f"no epoch of {training.folder} was complete, so there is nothing to finish with"
        )
    state = load_state(checkpoint)
    plain = fresh_network(training.config, len(training.dataset.classes))
    choose_layers(plain, training.config, phase=state.phase)
    plain.set_weights(load_best(checkpoint, state))
    return plain, state


def _network_to_resume(training: Training, state: State) -> keras.Model:
    """Builds the network of a training that was begun, without the file of its first weights."""
    config, classes = training.config, len(training.dataset.classes)
    if state.best_epoch == 0:
        return first_network(config, classes)[0]
    keras.utils.set_random_seed(config.seed)
    plain = fresh_network(config, classes)
    # A frozen backbone is in no other file: where its features are kept, only the head is.
    plain.set_weights(load_best(training.checkpoint, state))
    return plain


def _is_over(state: State, settings: TrainConfig) -> bool:
    stopped_early = bool(settings.patience) and state.waited >= settings.patience
    return state.epochs - state.phase_start >= settings.epochs or stopped_early


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Compiled:
    """What the epochs of a phase run on.

    Attributes:
        model: compiled: the network's accelerated twin, or the twin's head alone.
        twin: the whole twin, whose weights are kept.
        batches: images, or the features of them that the head takes.
        counts: the model's metric of the training images; None with several workers.
        scorer: a copy that predicts where `model` cannot, or None.
    """

    model: keras.Model
    twin: keras.Model
    batches: Batches
    counts: EpochCounts | None = None
    scorer: keras.Model | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Loop:
    """Trains a phase; the fields stay the same through all of them.

    Attributes:
        training: data set, settings and folder.
        plain: the network as its builder made it.
        batches: training and validation images.
        policy: Keras dtype policy of the arithmetic.
        watching: callbacks that only record.
        after_epoch: gets the bookkeeping after every epoch; or None.
        workers: those that train with this process, or None.
    """

    training: Training
    plain: keras.Model
    batches: Batches
    policy: str
    watching: list[keras.callbacks.Callback]
    after_epoch: Callable[[State], None] | None
    workers: Workers | None

    def fit_phase(self, settings: TrainConfig, state: State) -> State:
        """Trains a phase, or resumes it; returns the bookkeeping after it."""
        training, compiled = self.training, self._compiled(settings)
        model, batches = compiled.model, compiled.batches
        begun = state.epochs > state.phase_start
        if begun:
            state, warning = load_checkpoint(training.checkpoint, model)
            if warning:
                _log.warning(warning)
        end = state.phase_start + settings.epochs
        if begun:
            _log.info("Resuming after epoch %s of %s", state.epochs, end)
        batches.training.next_epoch = state.epochs
        truth = training.dataset.split("validation").labels
        checkpointing = ValidateAndCheckpoint(
            config=settings,
            folder=training.checkpoint,
            state=state,
            validation=Validation(batches.validation, truth, training.positive, compiled.scorer),
            whole=compiled.twin,
            counts=compiled.counts,
            after_epoch=self.after_epoch,
        )
        with contextlib.closing(EpochsOnScreen(first_epoch=state.epochs)) as screen:
            callbacks = [checkpointing, *self.watching]
            if self.after_epoch is None and (self.workers is None or self.workers.is_first):
                callbacks.append(screen)
            if self.workers is None:
                with _stopping(training.folder, state, end), batches.validation.own_errors():
                    batches.training.fit(
                        model,
                        epochs=end,
                        initial_epoch=state.epochs,
                        callbacks=callbacks,
                        verbose=0,
                    )
            else:
                assert not isinstance(batches.training, StockBatches)
                fit_on_workers(
                    self.workers,
                    model,
                    batches.training,
                    callbacks,
                    first_epoch=state.epochs,
                    epochs=end,
                    label_smoothing=settings.label_smoothing,
                )
        return state

    def _compiled(self, settings: TrainConfig) -> _Compiled:
        def accelerated(synchronized: bool = False) -> keras.Model:
            return accelerate(
                self.plain,
                precision=self.policy,
                batch_norm_momentum=settings.batch_norm_momentum,
                convolution_dropout=settings.convolution_dropout,
                synchronized=synchronized,
                stock=settings.stream == STOCK,
            )

        if self.workers is not None:
            with self.workers.strategy.scope():
                twin = accelerated(settings.synchronized)
                _compile(twin, settings, len(self.batches.training))
            # Made second: the first twin draws the seeds that one process would draw.
            return _Compiled(model=twin, twin=twin, batches=self.batches, scorer=accelerated())
        twin = accelerated()
        model, batches = keep_features(twin, self.batches, self.training.checkpoint)
        if model is not twin and self.policy == "mixed_float16":
            model.dtype_policy = self.policy  # `compile` looks here whether to scale the loss
        counts = EpochCounts(len(self.training.dataset.classes))
        _compile(model, settings, len(batches.training), counts)
        return _Compiled(model=model, twin=twin, batches=batches, counts=counts)


def _compile(
    model: keras.Model, settings: TrainConfig, steps: int, *metrics: keras.metrics.Metric
) -> None:
    model.compile(
        optimizer=make_optimizer(settings, steps_per_epoch=steps),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy"), *metrics],
        steps_per_execution=1 if settings.stream == STOCK else steps_at_once(settings.batch_size),
    )
    # TensorFlow traces a step twice where the first time has made variables.
    model.optimizer.build(model.trainable_variables)


@contextlib.contextmanager
def _stopping(folder: Path, state: State, epochs: int) -> Iterator[None]:
    """Turns Ctrl-C into a StoppedError whose sentence says how to resume."""
    try:
        yield
    except KeyboardInterrupt:
        whole = run_folder.whole_of(folder)
        again = f"{typed('train')} --resume --run {whole}"
        if state.epochs == 0:
            raise StoppedError(
                f"stopped before the first epoch was complete; start again with `{again}`"
            ) from None
        best = f", or use the best epoch so far ({state.best_epoch}) with `{again} --finish`"
        raise StoppedError(
            f"stopped; epoch {state.epochs} of {epochs} is kept in {folder}; resume with "
            f"`{again}`{best if whole == folder else ''}"
        ) from None
