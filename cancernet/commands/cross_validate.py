"""`train_model.py --folds`: plans the folds, trains those not finished, pools and reports them.

Several folds at a time are processes, each with its share of the cores.
"""

import dataclasses
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cancernet.base.console import fitted, progress_bar, typed
from cancernet.base.errors import RunError, StoppedError
from cancernet.base.parallel import Start
from cancernet.base.processor import processors
from cancernet.base.words import NOTICE, some
from cancernet.commands.command_line import process_that_trains
from cancernet.cross_validation.plan import CrossValidation, fold_dataset, plan_folds
from cancernet.cross_validation.pool import pooled_text, write_pooled
from cancernet.planning import resume as resuming
from cancernet.planning.begin import check_start, held, open_whole, read_whole, refuse_used
from cancernet.planning.plan import Plan, Resume
from cancernet.report.terminal import summary
from cancernet.runs import provenance, run_folder
from cancernet.runs.run_folder import read_cross_validation, write_cross_validation
from cancernet.runs.run_record import (
    FINISHED,
    TRAINING,
    CrossValidationRecord,
    Fold,
    FoldOfRun,
    WholeDataset,
)

ROOT = Path(__file__).resolve().parents[2]
POLL = 0.2  # seconds
_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from pathlib import Path; "
    "from cancernet.commands.command_line import run; "
    "from cancernet.commands.cross_validate import train_fold; "
    "run(lambda: train_fold(Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])) or 0)"
)


def start_folds(
    plan: Plan,
    folds: str,
    *,
    only: Sequence[str] = (),
    workers: int = 1,
    verbose: bool = False,
) -> None:
    """Runs a cross-validation from its beginning to its end.

    Args:
        plan: of the whole; each fold has its own folder within the plan's.
        folds: a number, or "patients" to leave out one patient at a time.
        only: leave out only these patients.
        workers: number of processes that train at the same time.
        verbose: print every figure when it is done, not only a summary.

    Raises:
        CancerNetError: patients that cannot be divided so, or a folder that is in use.
    """
    folder, config = plan.folder, plan.config
    check_start(config)
    dataset = open_whole(plan.data, config)
    divided = plan_folds(dataset, folds, only=only, seed=config.seed)
    refuse_used(folder)
    record = CrossValidationRecord(
        status=TRAINING,
        created=run_folder.now(),
        command=plan.command,
        recipe=plan.recipe,
        config=dataclasses.asdict(config),
        dataset=WholeDataset(folder=str(dataset.folder), fingerprint=dataset.fingerprint),
        asked=folds,
        folds=tuple(divided),
        beside=tuple(map(str, plan.beside)),
        versions=provenance.versions(),
        commit=provenance.commit(),
    )
    whole = CrossValidation(folder=folder, dataset=dataset, config=config, record=record)
    with held(folder):
        refuse_used(folder)  # another may have begun in the meantime
        write_cross_validation(folder, record)
        print(f"Cross-validation {folder}: {len(divided)} folds of {dataset.folder}")
        _train_and_pool(whole, workers, verbose=verbose)


def resume_folds(
    folder: Path,
    data: Path | None,
    resume: Resume,
    *,
    asked: str | None = None,
    recipe: str | None = None,
    workers: int,
    verbose: bool = False,
) -> None:
    """Resumes a cross-validation: finished folds stay, and a stopped one is resumed.

    `asked` and `recipe`, the folds and the recipe on the command line, must be those it began
    with. `resume.insist` allows another version of the program, but no other data or settings.

    Raises:
        RunError: finished already, or the data or a setting differs.
    """
    resuming.refuse_not_begun(folder)
    record = read_cross_validation(folder)
    if record.is_finished:
        raise RunError(f"the cross-validation in {folder} is finished; there is nothing to resume")
    resuming.refuse_another_recipe(folder, record, recipe)
    if asked not in (None, record.asked):
        raise RunError(
            f"the cross-validation in {folder} began with --folds {record.asked}, not {asked}; "
            "leave --folds out, or start a new one"
        )
    config = resuming.read_config(record, folder)
    dataset = read_whole(data if data is not None else Path(record.dataset.folder))
    found = resuming.changed(record.dataset.fingerprint, dataset, config, resume)
    resuming.refuse(folder, found + ([] if resume.insist else resuming.other_program(record)))
    whole = CrossValidation(folder=folder, dataset=dataset, config=config, record=record)
    with held(folder):
        print(f"Resuming the cross-validation in {folder}")
        _train_and_pool(whole, workers, verbose=verbose)


def train_fold(folder: Path, number: int, data: Path) -> None:
    """Trains one fold of a data set, or resumes it; does nothing when it is finished."""
    record = read_cross_validation(folder)
    dataset = read_whole(data)
    config = resuming.read_config(record, folder)
    found = resuming.changed(record.dataset.fingerprint, dataset, config, Resume())
    resuming.refuse(folder, found)
    whole = CrossValidation(folder=folder, dataset=dataset, config=config, record=record)
    _train_fold(whole, next(fold for fold in record.folds if fold.number == number))


def _train_and_pool(whole: CrossValidation, workers: int, *, verbose: bool) -> None:
    folder, folds = whole.folder, whole.record.folds
    if workers > 1:
        _train_in_processes(folder, whole.dataset.folder, folds, workers)
    else:
        with process_that_trains() as start:
            for fold in folds:
                tested = f"Fold {fold.number} of {len(folds)}: tests {some(fold.testing)}"
                print(fitted(tested))
                try:
                    _train_fold(whole, fold, start)
                except StoppedError:
                    raise StoppedError(
                        f"stopped in fold {fold.number} of {len(folds)}; finished folds and the "
                        f"last complete epoch are kept; resume with `{typed('train')} --resume "
                        f"--run {folder}`"
                    ) from None
    content, unit = write_pooled(whole), whole.dataset.unit
    done = dataclasses.replace(whole.record, status=FINISHED, finished=run_folder.now())
    write_cross_validation(folder, done)
    if verbose:
        print(fitted(pooled_text(content, unit)))
    places = {
        "Folds": f"{folder}/{folds[0].name} to {folds[-1].name}, a run each",
        "Report": str(folder / "report.html"),
        "Picture": str(folder / "figures" / "summary.png"),
    }
    in_context = content.context is not None
    print(summary(content.assessment, unit=unit, in_context=in_context, places=places))
    print(NOTICE)


def _train_fold(whole: CrossValidation, fold: Fold, start: Start = functools.partial) -> None:
    place = whole.folder / fold.name
    begun = (place / run_folder.RUN_FILE).exists()
    if begun and run_folder.read_run_file(place).is_finished:
        return
    plan = Plan(
        folder=place,
        data=fold_dataset(whole.dataset, fold),
        config=whole.config,
        recipe=whole.record.recipe,
        command=whole.record.command,
        fold=FoldOfRun(
            number=fold.number,
            testing=fold.testing,
            validation=fold.validation,
            of=len(whole.record.folds),
        ),
        # Whether another version may resume was decided for all folds together.
        resume=Resume(insist=True) if begun else None,
    )
    from cancernet.training.train import train  # TensorFlow, when all else is well

    train(plan, start=start)
    # The next fold begins with an empty graph, or memory would grow with every fold.
    import keras

    keras.utils.clear_session()


def _train_in_processes(folder: Path, data: Path, folds: Sequence[Fold], workers: int) -> None:
    """Trains the folds, `workers` at a time; each writes `fold-XX.log` beside its folder.

    Raises:
        RunError: some folds failed; the others are finished.
        StoppedError: the user pressed Ctrl-C; every fold keeps its last complete epoch.
    """
    again = f"{typed('train')} --resume --run {folder} --data {data} --fold-workers {workers}"
    waiting, failed = list(folds), []
    running: dict[subprocess.Popen, Fold] = {}
    try:
        with progress_bar(title="Folds", total=len(folds), unit=" folds") as bar:
            while waiting or running:
                while waiting and len(running) < workers:
                    fold = waiting.pop(0)
                    running[_start(folder, data, fold, workers)] = fold
                for process in [one for one in running if one.poll() is not None]:
                    fold = running.pop(process)
                    bar.update()
                    if process.returncode:
                        failed.append(fold)
                time.sleep(POLL)
    except KeyboardInterrupt:
        for process in running:
            process.send_signal(signal.SIGINT)
        for process in running:
            process.wait()
        raise StoppedError(
            f"stopped; finished folds and complete epochs are kept; resume with `{again}`"
        ) from None
    if failed:
        raise RunError(
            f"{len(failed)} of {len(folds)} folds failed, the first of them {failed[0].name}; read "
            f"{folder / failed[0].name}.log, then resume with `{again}`"
        )


def _start(folder: Path, data: Path, fold: Fold, workers: int) -> subprocess.Popen:
    cores = str(max(1, processors() // workers))
    threads = {"TF_NUM_INTRAOP_THREADS": cores, "OMP_NUM_THREADS": cores}
    with open(folder / f"{fold.name}.log", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", _CODE, str(ROOT), str(folder), str(fold.number), str(data)],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **threads},
        )
