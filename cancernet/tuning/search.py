"""The search: its settings, its trials in turn, and what a trial does."""

import contextlib
import dataclasses
import hashlib
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.errors import CancerNetError, SettingsError, StoppedError
from cancernet.base.settings import flag_of
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import BuiltDataset
from cancernet.planning.plan import State, Training
from cancernet.training.data.streams import open_batches
from cancernet.training.loop.callbacks import HIGHER_IS_BETTER
from cancernet.training.loop.fit import fit
from cancernet.tuning.space import Dimension, Value
from cancernet.tuning.study import (
    FOLD,
    NOTE,
    REFUSED,
    SEARCHED,
    SECONDS,
    StudyPlace,
    check_not_refused,
    ended,
    next_sampler,
    open_study,
)

if TYPE_CHECKING:
    import optuna


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search:
    """What to search for.

    Attributes:
        place: where the study is kept.
        base: the settings that do not vary.
        dimensions: those that do.
        trials: how many trials to complete or prune.
        folds: number of folds of whole patients.
        measure: the validation measure that decides.
    """

    place: StudyPlace
    base: TrainConfig
    dimensions: tuple[Dimension, ...]
    trials: int
    folds: int
    measure: str

    @property
    def maximize(self) -> bool:
        """Whether more of the measure is better."""
        return HIGHER_IS_BETTER[self.measure]

    def open_study(self, dataset: BuiltDataset, folds: Sequence[BuiltDataset]) -> "optuna.Study":
        """Opens the study, or begins it with the recipe's own values as the first trial.

        Raises:
            CancerNetError: the study cannot be opened, or is of another search.
        """
        own = {each.name: getattr(self.base, each.name) for each in self.dimensions}
        proposable = all(each.holds(own[each.name]) for each in self.dimensions)
        return open_study(
            self.place,
            maximize=self.maximize,
            identity=self.identity(dataset, folds),
            first=own if proposable else {},
        )

    def identity(
        self, dataset: BuiltDataset, folds: Sequence[BuiltDataset]
    ) -> dict[str, Value | list[str]]:
        """Returns what must not change within a study, or its trials could not be compared."""
        fixed = dataclasses.asdict(self.base)
        for dimension in self.dimensions:
            fixed.pop(dimension.name)
        patients = hashlib.sha256("".join(fold.fingerprint for fold in folds).encode())
        return {
            "data": dataset.fingerprint,
            "measure": self.measure,
            "folds": self.folds,
            "patients of the folds": patients.hexdigest()[:12],
            SEARCHED: sorted(dimension.text for dimension in self.dimensions),
            **{flag_of(name): value for name, value in fixed.items()},
        }


def run_trials(
    study: "optuna.Study",
    search: Search,
    folds: Sequence[BuiltDataset],
    *,
    progress: Callable[[str], None],
) -> "Iterator[optuna.trial.FrozenTrial]":
    """Runs trials until enough have ended, those of other machines included; yields its own.

    `folds` are data sets whose validation decides; `progress` is told which fold and epoch runs.

    Raises:
        CancerNetError: no training is possible with these data or settings.
    """
    work = search.place.results / "unfinished"
    objective = _Objective(search, folds, work, progress)
    latest: list[optuna.trial.FrozenTrial] = []
    try:
        while (done := ended(study)) < search.trials:
            study.sampler = next_sampler(search.place, search.base.seed, done)
            study.optimize(objective, n_trials=1, callbacks=[lambda _, trial: latest.append(trial)])
            yield latest.pop()
            check_not_refused(study)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@dataclasses.dataclass(frozen=True)
class _Objective:
    """The mean of the measure over the folds, at the epoch that is kept.

    `work` is the folder of the trainings, emptied before each.
    """

    search: Search
    folds: Sequence[BuiltDataset]
    work: Path
    progress: Callable[[str], None]

    def __call__(self, trial: "optuna.Trial") -> float:
        """Trains on every fold and reports to the trial after every epoch.

        Raises:
            optuna.TrialPruned: it falls behind, diverges, does not fit into memory, or its
                settings cannot be trained together; the trial's note says which.
            CancerNetError: the data cannot be trained on.
        """
        chosen: dict[str, Any] = {each.name: each.suggest(trial) for each in self.search.dimensions}
        values: list[float] = []
        with _noted(trial):
            config = self.search.base.changed(chosen)
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
        config = config.for_images(len(fold.split("training").paths))
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
            training = Training(self.work, fold, config)
            _, state = fit(training, open_batches(fold, config), after_epoch=after_epoch)
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
