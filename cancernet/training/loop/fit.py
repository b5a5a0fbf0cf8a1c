"""The epochs of one training, from the first or from a checkpoint."""

import dataclasses
import functools
import sys
from collections.abc import Callable
from pathlib import Path

import keras

from cancernet.base.errors import RunError
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import BuiltDataset
from cancernet.runs import run_folder
from cancernet.training.data.batches import (
    PlainBatches,
    TrainingBatches,
    fit_on,
    plain_batches,
    training_batches,
)
from cancernet.training.fast.acceleration import accelerate, steps_at_once
from cancernet.training.fast.feature_cache import keep_features
from cancernet.training.fast.precision import choose_precision
from cancernet.training.loop.after_epoch import Keeper
from cancernet.training.loop.checkpoint import (
    State,
    has_checkpoint,
    load_best,
    load_checkpoint,
    load_state,
)
from cancernet.training.loop.distributed import Together, fit_together
from cancernet.training.loop.epoch_counts import EpochCounts
from cancernet.training.loop.optimizer import make_optimizer
from cancernet.training.loop.watch import watchers
from cancernet.training.network import (
    choose_layers,
    first_network,
    fresh_network,
    frozen_at_random,
    phases,
)


class StoppedError(RunError):
    """The user stopped the training; the message says how to go on."""

    exit_code = 130


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Surroundings:
    """What stays the same through the phases of a training.

    Attributes:
        dataset: the images.
        batches: training and validation images.
        folder: the run folder.
        policy: Keras dtype policy of the arithmetic.
        watching: callbacks that only look on.
        after_epoch: is told the bookkeeping after every epoch; or None.
        together: the workers that train with this process, or None.
    """

    dataset: BuiltDataset
    batches: tuple[TrainingBatches, PlainBatches]
    folder: Path
    policy: str
    watching: list[keras.callbacks.Callback]
    after_epoch: Callable[[State], None] | None
    together: Together | None


def fit(
    dataset: BuiltDataset,
    config: TrainConfig,
    folder: Path,
    network: keras.Model | None = None,
    *,
    log_dir: Path | None = None,
    after_epoch: Callable[[State], None] | None = None,
    together: Together | None = None,
) -> tuple[keras.Model, State]:
    """Trains, or goes on from the folder's checkpoint, and returns the best epoch's model.

    Args:
        dataset: a built data set with training and validation images.
        config: the settings.
        folder: the run folder, already begun.
        network: what `first_network` has just built; None builds it here.
        log_dir: where TensorBoard's event files go, or None for none.
        after_epoch: is told the bookkeeping after every epoch; what it raises ends the
            training.
        together: the workers that train this network with this process, or None.

    Returns:
        The plain float32 model with the weights of the best epoch, and the bookkeeping.

    Raises:
        StoppedError: the user pressed Ctrl-C; the last complete epoch is kept.
    """
    checkpoint = folder / run_folder.CHECKPOINT
    checkpoint.mkdir(exist_ok=True)
    state = load_state(checkpoint) if has_checkpoint(checkpoint) else State()
    plain = network or _network_to_go_on(dataset, config, checkpoint, state)
    policy, reason = choose_precision(config.precision)
    print(f"Arithmetic: {policy} ({reason})")
    around = _Surroundings(
        dataset=dataset,
        batches=(training_batches(dataset, config), plain_batches(dataset, "validation", config)),
        folder=folder,
        policy=policy,
        watching=watchers(folder, log_dir),
        after_epoch=after_epoch,
        together=together,
    )
    for phase, settings in enumerate(phases(config)):
        if phase < state.phase or (phase == state.phase and _is_over(state, settings)):
            continue
        if phase > state.phase:
            state.begin_phase(phase)
            plain.set_weights(load_best(checkpoint, state))
            # Of its own, so that a training stopped between the phases draws the same.
            keras.utils.set_random_seed(config.seed + phase)
            print(f"Fine-tuning: the last {config.fine_tune_layers} layers of the backbone learn")
        choose_layers(plain, config, phase=phase)
        if phase == 0 and (warning := frozen_at_random(plain, config)):
            print(f"WARNING: {warning}")
        state = _fit_phase(plain, settings, state, around)
    plain.set_weights(load_best(checkpoint, state))
    return plain, state


def best_so_far(
    dataset: BuiltDataset, config: TrainConfig, folder: Path
) -> tuple[keras.Model, State]:
    """Returns the best epoch's model of an unfinished training, without training on.

    Raises:
        RunError: no epoch was complete yet.
    """
    checkpoint = folder / run_folder.CHECKPOINT
    if not has_checkpoint(checkpoint):
        raise RunError(f"no epoch of {folder} was complete, so there is nothing to finish with")
    state = load_state(checkpoint)
    plain = fresh_network(config, len(dataset.classes))
    choose_layers(plain, config, phase=state.phase)
    plain.set_weights(load_best(checkpoint, state))
    return plain, state


def _network_to_go_on(
    dataset: BuiltDataset, config: TrainConfig, checkpoint: Path, state: State
) -> keras.Model:
    """Builds the network of a training that was begun, without the file of its first weights."""
    classes = len(dataset.classes)
    if state.best_epoch == 0:
        return first_network(config, classes)[0]
    keras.utils.set_random_seed(config.seed)
    plain = fresh_network(config, classes)
    # A frozen backbone is in no other file: where its features are kept, only the head is.
    plain.set_weights(load_best(checkpoint, state))
    return plain


def _is_over(state: State, settings: TrainConfig) -> bool:
    stopped_early = bool(settings.patience) and state.waited >= settings.patience
    return state.epochs - state.phase_start >= settings.epochs or stopped_early


def _fit_phase(
    plain: keras.Model, settings: TrainConfig, state: State, around: _Surroundings
) -> State:
    """Trains a phase on the network's accelerated twin, or on the twin's head alone."""
    dataset, together, policy = around.dataset, around.together, around.policy
    checkpoint = around.folder / run_folder.CHECKPOINT
    accelerated = functools.partial(
        accelerate, plain, precision=policy, batch_norm_momentum=settings.batch_norm_momentum
    )
    scorer = counts = None
    if together is None:
        twin = accelerated()
        model, training, validation = keep_features(twin, *around.batches, checkpoint)
        if model is not twin:
            print("The frozen layers were computed once for every image; the rest is trained on")
            if policy == "mixed_float16":
                model.dtype_policy = policy  # `compile` looks here whether to scale the loss
        counts = EpochCounts(len(dataset.classes))
        _compile(model, settings, len(training), [counts])
    else:
        training, validation = around.batches
        with together.strategy.scope():
            model = twin = accelerated(synchronized=settings.synchronized)
            _compile(model, settings, len(training), [])
            model.optimizer.build(model.trainable_variables)
        # Made second: the first twin draws the seeds that one process would draw.
        scorer = accelerated()
    if state.epochs > state.phase_start:
        state, warning = load_checkpoint(checkpoint, model)
        if warning:
            print(f"warning: {warning}", file=sys.stderr)
        print(f"Going on after epoch {state.epochs} of {state.phase_start + settings.epochs}")
    training.next_epoch = state.epochs
    keeper = Keeper(
        config=settings,
        folder=checkpoint,
        state=state,
        batches=validation,
        truth=dataset.split("validation").labels,
        positive=[dataset.classes.index(name) for name in dataset.positive],
        whole=twin,
        counts=counts,
        after_epoch=around.after_epoch,
        scorer=scorer,
    )
    if together is None:
        _fit_epochs(model, training, validation, keeper, around.folder, around.watching)
    else:
        fit_together(
            together,
            model,
            training,
            [keeper, *around.watching],
            first_epoch=state.epochs,
            epochs=state.phase_start + settings.epochs,
            label_smoothing=settings.label_smoothing,
        )
    return state


def _compile(
    model: keras.Model, settings: TrainConfig, steps: int, metrics: list[keras.metrics.Metric]
) -> None:
    model.compile(
        optimizer=make_optimizer(settings, steps_per_epoch=steps),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
        metrics=["accuracy", *metrics],
        steps_per_execution=steps_at_once(settings.batch_size),
    )


def _fit_epochs(
    model: keras.Model,
    training: TrainingBatches,
    validation: PlainBatches,
    keeper: Keeper,
    folder: Path,
    watching: list[keras.callbacks.Callback],
) -> None:
    state = keeper.state
    epochs = state.phase_start + keeper.config.epochs
    try:
        with validation.own_errors():
            fit_on(
                model,
                training,
                epochs=epochs,
                initial_epoch=state.epochs,
                callbacks=[keeper, *watching],
                verbose=1 if sys.stdout.isatty() else 2,
            )
    except KeyboardInterrupt:
        whole = run_folder.whole_of(folder)
        again = f"python train_model.py --resume --run {whole}"
        if state.epochs == 0:
            raise StoppedError(
                f"stopped before the first epoch was complete; start again with `{again}`"
            ) from None
        best = f", or use the best epoch so far ({state.best_epoch}) with `{again} --finish`"
        raise StoppedError(
            f"stopped; epoch {state.epochs} of {epochs} is kept in {folder}; go on with "
            f"`{again}`{best if whole == folder else ''}"
        ) from None
