"""The epochs of one training, from the first or from a checkpoint."""

import sys
from pathlib import Path
from typing import Any

import keras

from cancernet import runs
from cancernet.config import TrainConfig
from cancernet.errors import RunError
from cancernet.manifest import BuiltDataset
from cancernet.models import build_model
from cancernet.training.acceleration import accelerate
from cancernet.training.batches import plain_batches, training_batches
from cancernet.training.checkpoint import (
    BEST,
    LATEST,
    State,
    load_checkpoint,
    load_state,
    load_weights,
)
from cancernet.training.keeper import Keeper
from cancernet.training.optimizer import make_optimizer
from cancernet.training.precision import choose_precision
from cancernet.training.watch import watchers


class StoppedError(RunError):
    """The user stopped the training; the message says how to go on."""

    exit_code = 130


def fit(
    dataset: BuiltDataset, config: TrainConfig, folder: Path, *, log_dir: Path | None = None
) -> tuple[keras.Model, State]:
    """Trains, or goes on from the folder's checkpoint, and returns the best epoch's model.

    Args:
        dataset: a built data set with training and validation images.
        config: the settings.
        folder: the run folder, already begun.
        log_dir: where TensorBoard's event files go, or None for none.

    Returns:
        The plain float32 model with the weights of the best epoch, and the bookkeeping.

    Raises:
        StoppedError: the user pressed Ctrl-C; the last complete epoch is kept.
    """
    keras.utils.set_random_seed(config.seed)
    plain = _build(dataset, config)
    policy, reason = choose_precision(config.precision)
    print(f"Arithmetic: {policy} ({reason})")
    batches = training_batches(dataset, config)
    model = accelerate(plain, precision=policy, batch_norm_momentum=config.batch_norm_momentum)
    model.compile(
        optimizer=make_optimizer(config, steps_per_epoch=len(batches)),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing),
        metrics=["accuracy"],
    )
    checkpoint = folder / runs.CHECKPOINT
    checkpoint.mkdir(exist_ok=True)
    state = State()
    if (checkpoint / LATEST).exists():
        state, warning = load_checkpoint(checkpoint, model)
        if warning:
            print(f"warning: {warning}", file=sys.stderr)
        print(f"Going on after epoch {state.epochs} of {config.epochs}")
    batches.next_epoch = state.epochs
    validation = dataset.split("validation")
    keeper = Keeper(
        config=config,
        folder=checkpoint,
        state=state,
        batches=plain_batches(dataset, "validation", config),
        truth=validation.labels,
        positive=[dataset.classes.index(name) for name in dataset.positive],
    )
    _fit_epochs(model, batches, keeper, folder, watchers(folder, log_dir))
    plain.set_weights(load_weights(checkpoint / BEST))
    return plain, state


def best_so_far(
    dataset: BuiltDataset, config: TrainConfig, folder: Path
) -> tuple[keras.Model, State]:
    """Returns the best epoch's model of an unfinished training, without training on.

    Raises:
        RunError: no epoch was complete yet.
    """
    checkpoint = folder / runs.CHECKPOINT
    if not (checkpoint / BEST).exists():
        raise RunError(f"no epoch of {folder} was complete, so there is nothing to finish with")
    plain = _build(dataset, config)
    plain.set_weights(load_weights(checkpoint / BEST))
    return plain, load_state(checkpoint)


def _build(dataset: BuiltDataset, config: TrainConfig) -> keras.Model:
    size = (config.image_size, config.image_size, 3)
    return build_model(config.model, size, len(dataset.classes))


def _fit_epochs(
    model: keras.Model,
    batches: Any,
    keeper: Keeper,
    folder: Path,
    watching: list[keras.callbacks.Callback],
) -> None:
    config, state = keeper.config, keeper.state
    stopped_early = bool(config.patience) and state.waited >= config.patience
    if state.epochs >= config.epochs or stopped_early:
        return
    try:
        model.fit(
            batches,
            epochs=config.epochs,
            initial_epoch=state.epochs,
            shuffle=False,  # the batches are; Keras's own order could not be resumed
            callbacks=[keeper, *watching],
            verbose=1 if sys.stdout.isatty() else 2,
        )
    except KeyboardInterrupt:
        again = f"python train_model.py --resume --run {folder}"
        if state.epochs == 0:
            raise StoppedError(
                f"stopped before the first epoch was complete; start again with `{again}`"
            ) from None
        raise StoppedError(
            f"stopped; epoch {state.epochs} of {config.epochs} is kept in {folder}; go on with "
            f"`{again}`, or use the best epoch so far ({state.best_epoch}) with `{again} --finish`"
        ) from None
