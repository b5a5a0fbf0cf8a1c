"""What a trial does: train on every fold, report after every epoch, return the mean."""

import contextlib
import dataclasses
import io
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.errors import CancerNetError, SettingsError
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import BuiltDataset
from cancernet.training.data.batches import open_batches
from cancernet.training.loop.checkpoint import State
from cancernet.training.loop.fit import StoppedError, fit
from cancernet.training.plan import Training
from cancernet.tuning.study import FOLD, NOTE, REFUSED, SECONDS

if TYPE_CHECKING:
    import optuna

    from cancernet.tuning.search import Search


@dataclasses.dataclass(frozen=True, kw_only=True)
class Objective:
    """Optuna's objective: the mean of the measure over the folds, at the epoch that is kept.

    Attributes:
        search: what is searched for.
        folds: data sets whose validation decides.
        work: folder for the trainings; emptied before each.
        progress: is told in words which fold and epoch is running.
    """

    search: "Search"
    folds: Sequence[BuiltDataset]
    work: Path
    progress: Callable[[str], None]

    def __call__(self, trial: "optuna.Trial") -> float:
        """Runs one trial.

        Raises:
            optuna.TrialPruned: it falls behind, diverges, does not fit into memory, or its
                settings cannot be trained together; the trial's note says which.
            CancerNetError: the data do not permit a training.
        """
        chosen: dict[str, Any] = {each.name: each.suggest(trial) for each in self.search.dimensions}
        values: list[float] = []
        with _noted(trial):
            config = dataclasses.replace(self.search.base, **chosen)
            for number, fold in enumerate(self.folds, start=1):
                values.append(self._one_fold(trial, config, fold, values))
                trial.set_user_attr(f"{FOLD}{number}", values[-1])
        return sum(values) / len(values)

    def _one_fold(
        self, trial: "optuna.Trial", config: TrainConfig, fold: BuiltDataset, before: list[float]
    ) -> float:
        import keras
        import optuna

        keras.backend.clear_session()
        epochs = config.epochs + config.fine_tune_epochs

        def after_epoch(state: State) -> None:
            value = self._value(state)
            number = len(before) + 1
            self.progress(f"fold {number}/{len(self.folds)}, epoch {state.epochs}/{epochs}")
            if math.isnan(value):
                trial.set_user_attr(NOTE, f"{self.search.measure} became undefined")
                raise optuna.TrialPruned
            # The same share of two trials is the same number, however many epochs they have.
            share = (len(before) + state.epochs / epochs) / len(self.folds)
            trial.report((sum(before) + value) / number, min(100, round(100 * share)))
            if trial.should_prune():
                raise optuna.TrialPruned

        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                batches = open_batches(fold, config)
                training = Training(self.work, fold, config)
                _, state = fit(training, batches, after_epoch=after_epoch)
        except StoppedError:
            raise KeyboardInterrupt from None
        finally:
            shutil.rmtree(self.work, ignore_errors=True)
        return self._value(state)

    def _value(self, state: State) -> float:
        """The measure at the epoch that would be kept so far."""
        return float(state.history[state.best_epoch - 1][self.search.measure])


@contextlib.contextmanager
def _noted(trial: "optuna.Trial") -> Iterator[None]:
    """Notes the seconds of a trial and why it failed; prunes one that cannot be trained."""
    import optuna
    import tensorflow as tf

    started = time.perf_counter()
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
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
