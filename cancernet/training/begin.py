"""The run folder of a training: refused, held, and begun with its first run.json."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from cancernet.base.errors import RunError
from cancernet.base.files import is_unfinished, remove_unfinished
from cancernet.config import OUTPUT
from cancernet.dataset.manifest import BuiltDataset, content_of
from cancernet.runs import provenance, run_folder
from cancernet.runs.run_record import TRAINING, DatasetFacts, FirstWeights, Input, RunRecord
from cancernet.training.plan import Plan, Training


def new_folder(recipe: str) -> Path:
    """Returns a folder for a new run: output/<recipe>-<number>, the first free number."""
    number = 1
    while (OUTPUT / f"{recipe}-{number:03d}").exists():
        number += 1
    return OUTPUT / f"{recipe}-{number:03d}"


def refuse_used(folder: Path) -> None:
    """Raises RunError when the folder holds something already."""
    if folder.is_file():
        raise RunError(f"{folder} is a file; name a folder for --run")
    if holds_nothing(folder):
        return
    if not (folder / run_folder.RUN_FILE).exists():
        raise RunError(f"{folder} holds other files; name a new or empty folder for --run")
    if run_folder.read_run_file(folder).is_finished:
        raise RunError(f"{folder} holds a finished run; name another folder for --run")
    raise RunError(
        f"{folder} holds an unfinished training; resume it with `python train_model.py --resume "
        f"--run {folder}`, or name another folder for --run"
    )


def holds_nothing(folder: Path) -> bool:
    """Tells whether a folder is missing, or holds only what a start leaves that was killed."""
    return not folder.exists() or all(
        path.name == run_folder.LOCK or is_unfinished(path) for path in folder.iterdir()
    )


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Makes a run folder where there is none, and keeps other processes out of it.

    What a killed process was writing there is removed.

    Raises:
        RunError: another process holds it, or it is a file.
    """
    if folder.is_file():
        raise RunError(f"{folder} is a file; name a folder for --run")
    folder.mkdir(parents=True, exist_ok=True)
    with run_folder.locked(folder):
        for place in (folder, folder / "figures", folder / run_folder.CHECKPOINT):
            if place.is_dir():
                remove_unfinished(place)
        yield


def begin(training: Training, plan: Plan, weights: FirstWeights | None) -> RunRecord:
    """Writes the first run.json and returns it.

    It is written once: a process that is killed leaves all of it or nothing.

    Raises:
        RunError: the folder holds something already.
    """
    dataset, config = training.dataset, training.config
    refuse_used(training.folder)
    training.folder.mkdir(parents=True, exist_ok=True)
    record = RunRecord(
        status=TRAINING,
        created=run_folder.now(),
        command=plan.command,
        recipe=plan.recipe,
        config=dataclasses.asdict(config),
        beside=tuple(map(str, plan.beside)),
        dataset=describe_dataset(dataset),
        classes=dataset.classes,
        words=dataset.words,
        positive=dataset.positive,
        input=Input(
            width=config.image_size,
            height=config.image_size,
            interpolation=config.interpolation,
        ),
        versions=provenance.versions(),
        machine=provenance.machine(),
        commit=provenance.commit(),
        weights=weights,
        fold=plan.fold,
    )
    run_folder.write_run_file(training.folder, record)
    return record


def describe_dataset(dataset: BuiltDataset) -> DatasetFacts:
    """Returns what run.json says of the data, so that the run no longer needs them."""
    return DatasetFacts(
        name=dataset.name,
        title=dataset.title,
        folder=str(dataset.folder),
        fingerprint=dataset.fingerprint,
        whole=dataset.whole.fingerprint if dataset.whole is not None else "",
        drawn=dataset.drawn,
        leak=dataset.leak,
        leaks=dataset.leaks,
        split=dataset.split_kind,
        counts=dataset.counts,
        image_size=dataset.image_size,
        left_out=dataset.left_out,
        unit=dataset.unit,
        testing_content=content_of(dataset, "testing"),
        patients={name: tuple(sorted(set(p.patients))) for name, p in dataset.parts.items()},
    )
