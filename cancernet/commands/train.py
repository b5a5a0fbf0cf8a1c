"""What `train_model.py` does: train, finish, print, say where everything lies."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from cancernet.base.errors import RunError, describe_os_error
from cancernet.base.notice import NOTICE
from cancernet.config import DATASETS, TrainConfig
from cancernet.dataset.limit import limited
from cancernet.dataset.manifest import BuiltDataset, read_dataset
from cancernet.evaluation.other_runs import read_beside
from cancernet.report.terminal import text_report
from cancernet.runs import run_folder
from cancernet.runs.run_record import RunRecord
from cancernet.training import begin, resume_checks
from cancernet.training.complete import Finished, finish, seal
from cancernet.training.loop.distributed import Together, join, own_folder
from cancernet.training.loop.fit import best_so_far, fit
from cancernet.training.network import first_network
from cancernet.training.present import write_pictures_and_report


def start_training(
    folder: Path | None,
    data: Path | None,
    config: TrainConfig,
    *,
    recipe: str,
    command: str,
    log_dir: Path | None = None,
    beside: Sequence[Path] = (),
) -> None:
    """Begins a new run and takes it to its end.

    Args:
        folder: the run folder, or None for a new one in output/.
        data: a built data set, or None for datasets/<the recipe's data set>.
        config: the settings.
        recipe: the recipe's name, for the record.
        command: the command line, for the record.
        log_dir: where TensorBoard's event files go, or None for none.
        beside: finished runs whose figures stand beside these in the report.
    """
    together = join()
    if together and together.processes > 1 and folder is None:
        raise RunError("several workers train one run; name the same folder to each with --run")
    for other in beside:
        read_beside(other)  # what is wrong with it is said before the training
    dataset = read_whole(data if data is not None else DATASETS / config.dataset)
    begin.check_fit(dataset, config)
    dataset = limited(dataset, config.limit, seed=config.seed)
    # Before there is a folder: weights that cannot be had must not leave one behind.
    network, weights = first_network(config, len(dataset.classes))
    if together and not together.is_first:
        assert folder is not None
        _follow(together, folder, dataset, config, network)
        return
    folder = folder if folder is not None else begin.new_folder(recipe)
    begin.refuse_used(folder)
    with begin.held(folder):
        content = begin.begin(
            folder,
            dataset,
            config,
            recipe=recipe,
            command=command,
            beside=beside,
            weights=weights,
        )
        print(f"Run {folder}: {config.model} on {dataset.folder}")
        print(weights.sentence())
        finished = train_and_finish(
            folder, dataset, config, content, network, log_dir=log_dir, together=together
        )
    _tell(folder, finished)


def resume_training(
    folder: Path | None,
    data: Path | None,
    given: Mapping[str, Any],
    *,
    recipe: str | None = None,
    finish_now: bool,
    insist: bool = False,
    log_dir: Path | None = None,
) -> None:
    """Goes on with an unfinished run.

    Args:
        folder: its folder, or None for the newest unfinished one.
        data: the data set, or None for the folder the run began with.
        given: settings on the command line; they must equal the run's.
        recipe: named on the command line; it must be the run's.
        finish_now: train no further, finish with the best epoch so far.
        insist: go on although the program, the data or a setting differs.
        log_dir: where TensorBoard's event files go, or None for none.
    """
    together = None if finish_now else join()
    if together and together.processes > 1 and folder is None:
        raise RunError("several workers go on with one run; name it to each with --run")
    folder = folder if folder is not None else begin.newest_unfinished()
    begin.refuse_not_begun(folder)
    recorded = run_folder.read_run_file(folder)
    if recorded.fold is not None:
        raise RunError(
            f"{folder} is a fold of a cross-validation; go on with "
            f"`python train_model.py --resume --run {folder.parent}`"
        )
    resume_checks.refuse_another_recipe(folder, recorded, recipe)
    dataset = read_whole(data if data is not None else Path(recorded.dataset.folder))
    if together and not together.is_first:
        config = dataclasses.replace(begin.read_config(recorded, folder), **given)
        _follow(together, folder, limited(dataset, config.limit, seed=config.seed), config)
        return
    began = begin.read_config(recorded, folder)
    asked = dataclasses.replace(began, **given) if insist else began
    begin.check_fit(dataset, asked)
    dataset = limited(dataset, asked.limit, seed=asked.seed)
    with begin.held(folder):
        config, content = begin.go_on(folder, dataset, given, insist=insist)
        for difference in content.differences or ():
            print(f"WARNING: not the same training: {difference}")
        print(f"Going on with {folder}: {config.model} on {dataset.folder}")
        finished = train_and_finish(
            folder,
            dataset,
            config,
            content,
            finish_now=finish_now,
            log_dir=log_dir,
            together=together,
        )
    _tell(folder, finished)


def train_and_finish(
    folder: Path,
    dataset: BuiltDataset,
    config: TrainConfig,
    content: RunRecord,
    network: keras.Model | None = None,
    *,
    finish_now: bool = False,
    log_dir: Path | None = None,
    together: Together | None = None,
) -> Finished:
    """Trains a run that has begun, or goes on with it, and seals it; returns what is known.

    The caller holds the folder (`begin.held`).
    """
    for warning in _warnings(dataset):
        print(f"WARNING: {warning}")
    with _with_advice(folder):
        if finish_now:
            model, state = best_so_far(dataset, config, folder)
        else:
            if together:
                print(together.sentence())
            model, state = fit(dataset, config, folder, network, log_dir=log_dir, together=together)
        finished = finish(model, state, dataset, config, folder, content)
        write_pictures_and_report(folder, finished, dataset, config, state, model)
        seal(folder, finished.record)
    return finished


def _follow(
    together: Together,
    folder: Path,
    dataset: BuiltDataset,
    config: TrainConfig,
    network: keras.Model | None = None,
) -> None:
    """Trains with the others and writes nothing: the first worker finishes the run."""
    print(together.sentence())
    with own_folder(together, folder) as scratch:
        fit(dataset, config, scratch, network, together=together)
    print(f"The epochs are over; the first worker writes {folder}")


def _tell(folder: Path, finished: Finished) -> None:
    print(text_report(finished.assessment, unit=finished.record.dataset.unit))
    print(f"Report:  {folder / 'report.html'}")
    print(f"Figures: {folder / 'figures'}")
    print(f"Use it:  python predict.py image.png --run {folder}")
    print(NOTICE)


@contextlib.contextmanager
def _with_advice(folder: Path) -> Iterator[None]:
    """Adds to what the operating system refused how to go on with the run."""
    try:
        yield
    except OSError as error:
        whole = run_folder.whole_of(folder)
        raise RunError(
            f"{describe_os_error(error)}: `python train_model.py --resume --run {whole}`"
        ) from None


def read_whole(folder: Path) -> BuiltDataset:
    """Reads a built data set with images in every split, all of them there.

    Raises:
        CancerNetError: not so; the message says what to do.
    """
    dataset = read_dataset(folder)
    for name in ("training", "validation", "testing"):
        if not len(dataset.split(name).paths):
            raise RunError(f"{dataset.folder} has no {name} images; build it again")
    dataset.check_files()
    return dataset


def _warnings(dataset: BuiltDataset) -> list[str]:
    found = []
    if dataset.drawn:
        found.append("the images are drawn by a program; figures from them mean nothing for tissue")
    if dataset.leak:
        found.append(dataset.leak)
    return [*found, *dataset.warnings]
