"""What `train_model.py --folds` does: plan, train what is not finished, pool, report."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cancernet.base.errors import RunError
from cancernet.base.notice import NOTICE
from cancernet.base.words import some
from cancernet.commands.train import read_whole, train_and_finish
from cancernet.config import DATASETS, TrainConfig
from cancernet.cross_validation.plan import fold_dataset, plan_folds
from cancernet.cross_validation.pool import write_pooled
from cancernet.dataset.limit import check_limit, limited
from cancernet.dataset.manifest import BuiltDataset
from cancernet.evaluation.other_runs import read_beside
from cancernet.runs import provenance, run_folder
from cancernet.runs.cross_validation_file import (
    CrossValidationRecord,
    WholeDataset,
    read_cross_validation,
    write_cross_validation,
)
from cancernet.runs.run_record import FINISHED, TRAINING, Fold, FoldOfRun
from cancernet.training import begin, resume_checks
from cancernet.training.loop.fit import StoppedError
from cancernet.training.network import first_network


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoldWishes:
    """What was asked of a cross-validation besides the settings.

    Attributes:
        folds: a number, or "patients" to leave out one after the other.
        only: leave out these patients only.
        workers: processes that train at the same time.
        beside: finished runs whose figures stand beside these in the report.
    """

    folds: str
    only: Sequence[str] = ()
    workers: int = 1
    beside: Sequence[Path] = ()


def start_folds(
    folder: Path | None,
    data: Path | None,
    config: TrainConfig,
    wishes: FoldWishes,
    *,
    recipe: str,
    command: str,
) -> None:
    """Begins a cross-validation and takes it to its end.

    Raises:
        CancerNetError: patients that cannot be divided so, or a folder that is in use.
    """
    for other in wishes.beside:
        read_beside(other)  # what is wrong with it is said before the training
    dataset = read_whole(data if data is not None else DATASETS / config.dataset)
    begin.check_fit(dataset, config)
    check_limit(dataset, config.limit)
    plan = plan_folds(dataset, wishes.folds, only=wishes.only, seed=config.seed)
    folder = folder if folder is not None else begin.new_folder(f"{recipe}-folds")
    begin.refuse_used(folder)
    record = CrossValidationRecord(
        status=TRAINING,
        created=run_folder.now(),
        command=command,
        recipe=recipe,
        config=dataclasses.asdict(config),
        dataset=WholeDataset(folder=str(dataset.folder), fingerprint=dataset.fingerprint),
        asked=wishes.folds,
        folds=tuple(plan),
        beside=tuple(map(str, wishes.beside)),
        versions=provenance.versions(),
        commit=provenance.commit(),
    )
    with begin.held(folder):
        begin.refuse_used(folder)  # another may have begun in the meantime
        write_cross_validation(folder, record)
        print(f"Cross-validation {folder}: {len(plan)} folds of {dataset.folder}")
        _train_and_pool(folder, dataset, config, record, workers=wishes.workers)


def resume_folds(
    folder: Path,
    data: Path | None,
    given: Mapping[str, Any],
    *,
    asked: str | None = None,
    recipe: str | None = None,
    workers: int,
    insist: bool = False,
) -> None:
    """Goes on with a cross-validation: finished folds stay, a stopped one goes on.

    `asked` and `recipe` are what the command line names of folds and recipe; they must be
    those it began with. With `insist` another version of the program goes on; other data or
    settings never do.

    Raises:
        RunError: finished already, or the data or a setting differs.
    """
    begin.refuse_not_begun(folder)
    record = read_cross_validation(folder)
    if record.is_finished:
        raise RunError(f"the cross-validation in {folder} is finished; nothing is left to do")
    resume_checks.refuse_another_recipe(folder, record, recipe)
    if asked not in (None, record.asked):
        raise RunError(
            f"the cross-validation in {folder} began with --folds {record.asked}, not {asked}; "
            "leave --folds out, or start a new one"
        )
    config = begin.read_config(record, folder)
    dataset = read_whole(data if data is not None else Path(record.dataset.folder))
    found = [
        *resume_checks.changed_settings(config, given),
        *resume_checks.other_data(record.dataset.fingerprint, dataset),
        *([] if insist else resume_checks.other_program(record)),
    ]
    resume_checks.refuse(folder, found)
    with begin.held(folder):
        print(f"Going on with the cross-validation in {folder}")
        _train_and_pool(folder, dataset, config, record, workers=workers)


def train_fold(folder: Path, number: int, data: Path) -> None:
    """Trains one fold of a data set, or goes on with it; does nothing when it is finished."""
    record = read_cross_validation(folder)
    dataset = read_whole(data)
    resume_checks.refuse(folder, resume_checks.other_data(record.dataset.fingerprint, dataset))
    fold = next(fold for fold in record.folds if fold.number == number)
    _train_fold(folder, dataset, begin.read_config(record, folder), record, fold)


def _train_and_pool(
    folder: Path,
    dataset: BuiltDataset,
    config: TrainConfig,
    record: CrossValidationRecord,
    *,
    workers: int,
) -> None:
    folds = record.folds
    again = f"python train_model.py --resume --run {folder}"
    if workers > 1:
        from cancernet.cross_validation.workers import train_in_processes

        train_in_processes(folder, dataset.folder, folds, workers)
    else:
        for fold in folds:
            print(f"Fold {fold.number} of {len(folds)}: tests {some(fold.testing)}")
            try:
                _train_fold(folder, dataset, config, record, fold)
            except StoppedError:
                raise StoppedError(
                    f"stopped in fold {fold.number} of {len(folds)}; finished folds and the "
                    f"last complete epoch are kept; go on with `{again}`"
                ) from None
    text = write_pooled(folder, dataset, config, record)
    write_cross_validation(
        folder, dataclasses.replace(record, status=FINISHED, finished=run_folder.now())
    )
    print(text)
    print(f"Report:  {folder / 'report.html'}")
    print(f"Folds:   {folder}/{folds[0].name} ... {folds[-1].name}; each predicts by itself")
    print(NOTICE)


def _train_fold(
    folder: Path,
    dataset: BuiltDataset,
    config: TrainConfig,
    record: CrossValidationRecord,
    fold: Fold,
) -> None:
    own, place = fold_dataset(dataset, fold), folder / fold.name
    own = limited(own, config.limit, seed=config.seed)
    with begin.held(place):
        network = None
        if (place / run_folder.RUN_FILE).exists():
            if run_folder.read_run_file(place).is_finished:
                return
            # Whether another version may go on was decided for all folds together.
            _, begun = begin.go_on(place, own, {}, insist=True)
        else:
            network, weights = first_network(config, len(own.classes))
            begun = begin.begin(
                place,
                own,
                config,
                recipe=record.recipe,
                command=record.command,
                weights=weights,
                fold=FoldOfRun(
                    number=fold.number,
                    testing=fold.testing,
                    validation=fold.validation,
                    of=len(record.folds),
                ),
            )
        train_and_finish(place, own, config, begun, network)
    # The next fold begins with an empty graph, or memory would grow with every fold.
    import keras

    keras.utils.clear_session()
