"""Beginning a run, or finding the one to go on with."""

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cancernet.base.errors import CancerNetError, RunError
from cancernet.base.files import is_unfinished, read_json, remove_unfinished
from cancernet.base.records import EntryError, from_json
from cancernet.config import OUTPUT, TrainConfig
from cancernet.dataset.manifest import BuiltDataset, content_of
from cancernet.recipes import flags_for
from cancernet.runs import provenance, run_folder
from cancernet.runs.run_record import (
    TRAINING,
    DatasetFacts,
    FirstWeights,
    FoldOfRun,
    Input,
    RunRecord,
    TrainingRecord,
)
from cancernet.training import resume_checks


def begin(
    folder: Path,
    dataset: BuiltDataset,
    config: TrainConfig,
    *,
    recipe: str,
    command: str,
    beside: Sequence[Path] = (),
    weights: FirstWeights | None = None,
    fold: FoldOfRun | None = None,
) -> RunRecord:
    """Makes the run folder and its first run.json; returns the record.

    It is written once: a process that is killed leaves all of it or nothing.

    Raises:
        RunError: the folder holds something already.
        CancerNetError: the recipe is made for another data set.
    """
    check_fit(dataset, config)
    refuse_used(folder)
    folder.mkdir(parents=True, exist_ok=True)
    record = RunRecord(
        status=TRAINING,
        created=run_folder.now(),
        command=command,
        recipe=recipe,
        config=dataclasses.asdict(config),
        beside=tuple(map(str, beside)),
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
        fold=fold,
    )
    run_folder.write_run_file(folder, record)
    return record


def describe_dataset(dataset: BuiltDataset) -> DatasetFacts:
    """What run.json says of the data."""
    return DatasetFacts(
        name=dataset.name,
        title=dataset.title,
        folder=str(dataset.folder),
        fingerprint=dataset.fingerprint,
        whole=dataset.whole.fingerprint if dataset.whole is not None else "",
        drawn=dataset.drawn,
        leak=dataset.leak,
        split=dataset.split_kind,
        counts=dataset.counts,
        image_size=dataset.image_size,
        left_out=dataset.left_out,
        unit=dataset.unit,
        testing_content=content_of(dataset, "testing"),
        patients={name: tuple(sorted(set(p.patients))) for name, p in dataset.parts.items()},
    )


def go_on(
    folder: Path, dataset: BuiltDataset, given: Mapping[str, Any], *, insist: bool = False
) -> tuple[TrainConfig, RunRecord]:
    """Reads the run to resume and refuses what would make it another training.

    Args:
        folder: a run folder whose training is not finished.
        dataset: the data set as it is now.
        given: settings given on the command line.
        insist: go on all the same, with the settings given and the data as they are now;
            the differences are kept in run.json under `differences`.

    Raises:
        RunError: it is finished, or the program, the data or a setting differs; the
            message names the difference.
    """
    record = run_folder.read_run_file(folder)
    if record.is_finished:
        # Killed after its last file and before its checkpoint was gone.
        shutil.rmtree(folder / run_folder.CHECKPOINT, ignore_errors=True)
        raise RunError(f"the training in {folder} is finished; there is nothing to resume")
    config = read_config(record, folder)
    resume_checks.refuse_another_network(folder, record, config, dataset, given)
    found = [
        *resume_checks.other_program(record),
        *resume_checks.other_data(record.dataset.fingerprint, dataset),
        *resume_checks.changed_settings(config, given),
    ]
    if not insist:
        resume_checks.refuse(folder, found)
    elif found:
        config = dataclasses.replace(config, **given)
        record = dataclasses.replace(
            record,
            config=dataclasses.asdict(config),
            dataset=describe_dataset(dataset),
            differences=(*(record.differences or ()), *found),
        )
        run_folder.write_run_file(folder, record)
    return config, record


def read_config(record: TrainingRecord, folder: Path) -> TrainConfig:
    """Makes the settings of a training from its record.

    Raises:
        RunError: written by a version with other settings.
    """
    known = {field.name for field in dataclasses.fields(TrainConfig)}
    if set(record.config) != known:
        odd = ", ".join(sorted(set(record.config) ^ known))
        raise RunError(
            f"{folder} was begun by version {record.program}, whose settings differ "
            f"({odd}); go on with that version, or start a new run"
        )
    try:
        return from_json(TrainConfig, record.config)
    except EntryError as error:
        raise RunError(f"the settings of {folder}: {error}; restore it from a copy") from None


def new_folder(recipe: str) -> Path:
    """Returns a folder for a new run: output/<recipe>-<number>, the first free number."""
    number = 1
    while (OUTPUT / f"{recipe}-{number:03d}").exists():
        number += 1
    return OUTPUT / f"{recipe}-{number:03d}"


def newest_unfinished() -> Path:
    """Returns the unfinished run or cross-validation that began last.

    Raises:
        RunError: there is none.
    """
    begun = []
    for path in (
        *OUTPUT.glob(f"*/{run_folder.RUN_FILE}"),
        *OUTPUT.glob(f"*/{run_folder.CROSS_VALIDATION}"),
    ):
        try:
            record: TrainingRecord = (
                run_folder.read_run_file(path.parent)
                if path.name == run_folder.RUN_FILE
                else from_json(TrainingRecord, read_json(path))
            )
            if not record.is_finished:
                begun.append((record.created, path.parent))
        except (RunError, OSError, ValueError):
            continue
    if not begun:
        raise RunError(f"there is no unfinished training in {OUTPUT}; name one with --run")
    return max(begun)[1]


def refuse_not_begun(folder: Path) -> None:
    """Raises RunError when a start was stopped before there was anything to go on with."""
    if folder.is_dir() and all(map(_is_of_a_start, folder.iterdir())):
        raise RunError(
            f"nothing was begun in {folder} before it stopped; start it again without --resume"
        )


def _is_of_a_start(path: Path) -> bool:
    """Tells what a training that was killed before its first run.json may leave."""
    return path.name == run_folder.LOCK or is_unfinished(path)


def check_fit(dataset: BuiltDataset, config: TrainConfig) -> None:
    """Raises CancerNetError when the settings are made for another data set."""
    if dataset.name != config.dataset:
        raise CancerNetError(
            f"{dataset.folder} holds the data set {dataset.name!r}, but these settings are for "
            f"{config.dataset!r}; name a fitting --data folder, or give "
            f"{flags_for(dataset.name) or f'--dataset {dataset.name}'}"
        )
    if config.calibration == "isotonic" and len(dataset.classes) != 2:
        raise CancerNetError(
            f"--calibration isotonic is for two classes, but {dataset.name} has "
            f"{len(dataset.classes)}; choose temperature or none"
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


def refuse_used(folder: Path) -> None:
    """Raises RunError when the folder holds something already."""
    if folder.is_file():
        raise RunError(f"{folder} is a file; name a folder for --run")
    if not folder.exists() or all(map(_is_of_a_start, folder.iterdir())):
        return
    if not (folder / run_folder.RUN_FILE).exists():
        raise RunError(f"{folder} holds other files; name a new or empty folder for --run")
    if run_folder.read_run_file(folder).is_finished:
        raise RunError(f"{folder} holds a finished run; name another folder for --run")
    raise RunError(
        f"{folder} holds an unfinished training; go on with `python train_model.py --resume "
        f"--run {folder}`, or name another folder for --run"
    )
