"""What a trial does: train on every fold, report after every epoch, return the mean."""

import contextlib
import dataclasses
import io
import math
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.errors import CancerNetError, SettingsError
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import BuiltDataset
from cancernet.training.data.batches import open_batches
from cancernet.training.loop.checkpoint import State
from cancernet.training.loop.epoch_measures import HIGHER_IS_BETTER
from cancernet.training.loop.fit import StoppedError, fit
from cancernet.training.plan import Training
from cancernet.tuning.space import Dimension
from cancernet.tuning.study import NOTE, REFUSED, suggest

if TYPE_CHECKING:
    import optuna

SECONDS = "seconds"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judge:
    """Judges settings by their mean over the folds.

    Attributes:
        base: the settings that do not vary.
        dimensions: those that do.
        folds: data sets whose validation judges.
        measure: a validation measure of the training's history, of the epoch kept.
        work: folder for the trainings; emptied before each.
        progress: told in words what is going on.
    """

    base: TrainConfig
    dimensions: tuple[Dimension, ...]
    folds: Sequence[BuiltDataset]
    measure: str
    work: Path
    progress: Callable[[str], None]

    def __call__(self, trial: "optuna.Trial") -> float:
        """Runs one trial; Optuna's objective.

        Raises:
            optuna.TrialPruned: it falls behind, diverges, does not fit into memory, or its
                settings cannot be trained together; the trial's note says which.
            CancerNetError: the data do not permit a training.
        """
        import optuna

        chosen: dict[str, Any] = suggest(trial, self.dimensions)
        started = time.perf_counter()
        values: list[float] = []
        try:
            config = dataclasses.replace(self.base, **chosen)
            for number, fold in enumerate(self.folds):
                values.append(self._one_fold(trial, config, fold, number, values))
                trial.set_user_attr(f"fold {number + 1}", values[-1])
        except (MemoryError, _exhausted()) as error:
            trial.set_user_attr(NOTE, "did not fit into memory")
            raise optuna.TrialPruned from error
        except SettingsError as error:
            trial.set_user_attr(NOTE, str(error))
            trial.set_user_attr(REFUSED, True)
            raise optuna.TrialPruned from error
        except CancerNetError as error:
            trial.set_user_attr(NOTE, str(error))
            raise
        finally:
            trial.set_user_attr(SECONDS, round(time.perf_counter() - started, 1))
        return sum(values) / len(values)

    def _one_fold(
        self,
        trial: "optuna.Trial",
        config: TrainConfig,
        fold: BuiltDataset,
        number: int,
        before: list[float],
    ) -> float:
        import keras
        import optuna

        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        keras.backend.clear_session()
        epochs = config.epochs + config.fine_tune_epochs

        def after_epoch(state: State) -> None:
            value = _kept(state, self.measure)
            share = (number + state.epochs / epochs) / len(self.folds)
            self.progress(f"fold {number + 1}/{len(self.folds)}, epoch {state.epochs}/{epochs}")
            if math.isnan(value):
                trial.set_user_attr(NOTE, f"{self.measure} became undefined")
                raise optuna.TrialPruned
            # The same share of two trials is the same number, however many epochs they have.
            trial.report((sum(before) + value) / (number + 1), min(100, round(100 * share)))
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            with contextlib.redirect_stdout(io.StringIO()):
                batches = open_batches(fold, config)
                training = Training(self.work, fold, config)
                _, state = fit(training, batches, after_epoch=after_epoch)
        except StoppedError:
            raise KeyboardInterrupt from None
        finally:
            shutil.rmtree(self.work, ignore_errors=True)
        return _kept(state, self.measure)


def is_better_higher(measure: str) -> bool:
    """Tells whether more of a validation measure is better."""
    return HIGHER_IS_BETTER[measure]


def _kept(state: State, measure: str) -> float:
    """The measure at the epoch that would be kept so far."""
    return float(state.history[state.best_epoch - 1][measure])


def _exhausted() -> Any:
    import tensorflow as tf

    return tf.errors.ResourceExhaustedError
