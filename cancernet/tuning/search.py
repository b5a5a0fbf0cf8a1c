"""The search: what is wanted, what its study may be continued with, and its trials in turn."""

import dataclasses
import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cancernet.base.settings import flag_of
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import BuiltDataset, read_dataset
from cancernet.training.begin import check_fit
from cancernet.training.limit import limited
from cancernet.training.loop.epoch_measures import HIGHER_IS_BETTER
from cancernet.tuning.objective import Objective
from cancernet.tuning.space import Dimension, Value
from cancernet.tuning.study import (
    SEARCHED,
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

    def open_data(self, folder: Path) -> BuiltDataset:
        """Reads the built data set, limited as the settings say.

        Raises:
            CancerNetError: it cannot be read, or the settings are for another one.
        """
        dataset = read_dataset(folder)
        check_fit(dataset, self.base)
        dataset.check_files()
        return limited(dataset, self.base.limit, seed=self.base.seed)

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

    Raises:
        CancerNetError: no training is possible with these data or settings.
    """
    work = search.place.results / "unfinished"
    objective = Objective(search=search, folds=folds, work=work, progress=progress)
    latest: list[optuna.trial.FrozenTrial] = []
    try:
        while (done := ended(study)) < search.trials:
            study.sampler = next_sampler(search.place, search.base.seed, done)
            study.optimize(objective, n_trials=1, callbacks=[lambda _, trial: latest.append(trial)])
            yield latest.pop()
            check_not_refused(study)
    finally:
        shutil.rmtree(work, ignore_errors=True)
