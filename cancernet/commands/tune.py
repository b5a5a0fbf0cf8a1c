"""What `tune_model.py` does: open the study, run trials until enough ended, write results."""

import dataclasses
import hashlib
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.errors import CancerNetError
from cancernet.base.words import NOTICE
from cancernet.config import DATASETS, TrainConfig
from cancernet.dataset.folds import patient_folds
from cancernet.dataset.manifest import BuiltDataset, read_dataset
from cancernet.report.content import DRAWN
from cancernet.training.limit import limited
from cancernet.tuning.objective import Judge, is_better_higher
from cancernet.tuning.picture import draw_trials, write_picture
from cancernet.tuning.results import (
    RECIPE,
    TABLE,
    best_trial,
    table_text,
    trial_rows,
    write_best,
    write_table,
)
from cancernet.tuning.space import Dimension
from cancernet.tuning.study import (
    StudyPlace,
    check_not_refused,
    ended,
    held,
    next_sampler,
    open_study,
)

if TYPE_CHECKING:
    import optuna

PICTURE = "trials.png"


class StoppedError(CancerNetError):
    """The user stopped the search; the message says how to go on."""

    exit_code = 130


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search:
    """What to search for.

    Attributes:
        place: where the study is kept.
        base: the settings that do not vary.
        dimensions: those that do.
        trials: how many shall have ended.
        folds: of whole patients.
        measure: the validation measure that decides.
    """

    place: StudyPlace
    base: TrainConfig
    dimensions: tuple[Dimension, ...]
    trials: int
    folds: int
    measure: str


def search(wanted: Search, data: Path) -> None:
    """Runs the search, or goes on with it, and prints and writes what it found.

    Raises:
        CancerNetError: the data, the settings or the study do not permit it.
        StoppedError: the user pressed Ctrl-C; what ended is kept.
    """
    dataset = read_dataset(data)
    if dataset.name != wanted.base.dataset:
        raise CancerNetError(
            f"{dataset.folder} holds the data set {dataset.name!r}, but these settings are for "
            f"{wanted.base.dataset!r}; name a fitting --data folder, or --dataset {dataset.name}"
        )
    dataset.check_files()
    dataset = limited(dataset, wanted.base.limit, seed=wanted.base.seed)
    folds = patient_folds(dataset, wanted.folds, seed=wanted.base.seed)
    for warning in filter(None, [DRAWN if dataset.drawn else "", dataset.leak]):
        print(f"WARNING: {warning}")
    with held(wanted.place):
        study = open_study(
            wanted.place,
            maximize=is_better_higher(wanted.measure),
            identity=_identity(wanted, dataset, folds),
            first=_own_values(wanted.base, wanted.dimensions),
        )
        images = sum(len(part.paths) for part in folds[0].parts.values())
        print(
            f"Study {wanted.place.shown}: {ended(study)} of {wanted.trials} trials ended; "
            f"{wanted.folds} folds of the patients of {images:,} training and validation images; "
            "testing is not touched"
        )
        try:
            _run_trials(study, wanted, folds)
        except KeyboardInterrupt:
            raise StoppedError(
                f"stopped; {ended(study)} of {wanted.trials} trials are kept in "
                f"{wanted.place.shown}; the same command goes on"
            ) from None
        finally:
            _write_results(study, wanted, dataset)
        _print_results(study, wanted, dataset)


def _run_trials(study: "optuna.Study", wanted: Search, folds: list[Any]) -> None:
    from tqdm import tqdm

    done = ended(study)
    work = wanted.place.results / "unfinished"
    with tqdm(
        total=wanted.trials, initial=done, desc="Searching", unit="trial", disable=None
    ) as bar:
        judge = Judge(
            base=wanted.base,
            dimensions=wanted.dimensions,
            folds=folds,
            measure=wanted.measure,
            work=work,
            progress=lambda words: bar.set_postfix_str(words),
        )
        try:
            while (done := ended(study)) < wanted.trials:
                bar.update(done - bar.n)
                study.sampler = next_sampler(wanted.place, wanted.base.seed, done)
                study.optimize(judge, n_trials=1)
                row = trial_rows(study)[-1]
                value = "no value" if row.value is None else f"{wanted.measure} {row.value:.4f}"
                bar.write(f"Trial {row.number} {row.state}: {value}, {_words(row.values)}")
                check_not_refused(study)
            bar.update(done - bar.n)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _identity(
    wanted: Search, dataset: BuiltDataset, folds: Sequence[BuiltDataset]
) -> dict[str, Any]:
    """What makes two searches the same: else their trials could not be compared."""
    base = dataclasses.asdict(wanted.base)
    for dimension in wanted.dimensions:
        base.pop(dimension.name)
    return {
        "data": dataset.fingerprint,
        "measure": wanted.measure,
        "folds": wanted.folds,
        "patients of the folds": _digest(folds),
        "--search": sorted(dimension.text for dimension in wanted.dimensions),
        **{f"--{name.replace('_', '-')}": value for name, value in base.items()},
    }


def _digest(folds: Sequence[BuiltDataset]) -> str:
    key = "".join(fold.fingerprint for fold in folds)
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def _own_values(base: TrainConfig, dimensions: tuple[Dimension, ...]) -> dict[str, Any]:
    """The recipe's own values, to be tried first, where the search could propose them all."""
    values = {dimension.name: getattr(base, dimension.name) for dimension in dimensions}
    return values if all(each.holds(values[each.name]) for each in dimensions) else {}


def _write_results(study: "optuna.Study", wanted: Search, dataset: BuiltDataset) -> None:
    rows, results = trial_rows(study), wanted.place.results
    write_table(results / TABLE, rows, wanted.dimensions)
    write_best(results / RECIPE, study, wanted.base, wanted.measure)
    best = best_trial(study)
    figure = draw_trials(
        rows,
        wanted.dimensions,
        measure=f"{wanted.measure}, mean of {wanted.folds} folds",
        maximize=is_better_higher(wanted.measure),
        best=None if best is None else best.number,
        footer="Drawn data, not real tissue." if dataset.drawn else "",
    )
    write_picture(results / PICTURE, figure)


def _print_results(study: "optuna.Study", wanted: Search, dataset: BuiltDataset) -> None:
    best, results = best_trial(study), wanted.place.results
    print(table_text(trial_rows(study), None if best is None else best.number, wanted.measure))
    print(f"Table:   {results / TABLE}")
    print(f"Picture: {results / PICTURE}")
    if best is None:
        print("No trial came to its end, so there is no best recipe; allow more --trials")
    else:
        print(
            f"Best:    trial {best.number}, {wanted.measure} {best.value:.4f}: the most of "
            f"{ended(study)} looks, so expect less; only testing, scored once, will tell"
        )
        elsewhere = dataset.folder != DATASETS / wanted.base.dataset
        data = f" --data {shlex.quote(str(dataset.folder))}" if elsewhere else ""
        print(f"Use it:  python train_model.py --recipe {shlex.quote(str(results / RECIPE))}{data}")
    print(NOTICE)


def _words(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    )
