"""Resuming a training: which run, and whether it would still be the same training."""

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cancernet import __version__
from cancernet.base.errors import RunError
from cancernet.base.files import read_json
from cancernet.base.records import EntryError, from_json
from cancernet.config import OUTPUT, TrainConfig
from cancernet.dataset.manifest import BuiltDataset
from cancernet.runs import provenance, run_folder
from cancernet.runs.run_record import RunRecord, TrainingRecord
from cancernet.training.begin import describe_dataset, holds_nothing
from cancernet.training.plan import Plan, Resume, Training

# What the network takes in, and what it is.
OF_THE_NETWORK = ("dataset", "model", "image_size", "interpolation")


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
        is_run = path.name == run_folder.RUN_FILE
        try:
            record: TrainingRecord = (
                run_folder.read_run_file(path.parent)
                if is_run
                else from_json(TrainingRecord, read_json(path))
            )
            if not record.is_finished:
                begun.append((record.created, path.parent))
        except (RunError, OSError, ValueError):
            continue
    if not begun:
        raise RunError(f"there is no unfinished training in {OUTPUT}; name one with --run")
    return max(begun)[1]


def plan_to_resume(
    folder: Path,
    data: Path | None = None,
    resume: Resume | None = None,
    *,
    recipe: str | None = None,
    log_dir: Path | None = None,
) -> Plan:
    """Returns the plan of a run that has begun.

    Args:
        folder: its folder.
        data: the data set, or None for the folder the run began with.
        resume: how to resume.
        recipe: the recipe named now, if any; it must be the run's.
        log_dir: where TensorBoard's event files go, or None for none.

    Raises:
        RunError: nothing was begun there, it is a fold, or another recipe is named.
    """
    resume = resume or Resume()
    refuse_not_begun(folder)
    record = run_folder.read_run_file(folder)
    if record.fold is not None:
        raise RunError(
            f"{folder} is a fold of a cross-validation; go on with "
            f"`python train_model.py --resume --run {folder.parent}`"
        )
    refuse_another_recipe(folder, record, recipe)
    config = read_config(record, folder)
    return Plan(
        folder=folder,
        data=data if data is not None else Path(record.dataset.folder),
        config=dataclasses.replace(config, **resume.given) if resume.insist else config,
        log_dir=log_dir,
        resume=resume,
    )


def go_on(training: Training, resume: Resume) -> RunRecord:
    """Reads run.json of the run to resume and refuses what would make it another training.

    With `resume.insist` it goes on all the same, with the settings and the data as they are
    now, and run.json keeps the differences under `differences`.

    Raises:
        RunError: it is finished, or the program, the data or a setting differs; the
            message names the difference.
    """
    folder, dataset = training.folder, training.dataset
    record = run_folder.read_run_file(folder)
    if record.is_finished:
        # Killed after its last file and before its checkpoint was gone.
        shutil.rmtree(training.checkpoint, ignore_errors=True)
        raise RunError(f"the training in {folder} is finished; there is nothing to resume")
    config = read_config(record, folder)
    _refuse_another_network(record, config, training, resume.given)
    found = [
        *other_program(record),
        *other_data(record.dataset.fingerprint, dataset),
        *changed_settings(config, resume.given),
    ]
    if not resume.insist:
        refuse(folder, found)
    elif found:
        record = dataclasses.replace(
            record,
            config=dataclasses.asdict(training.config),
            dataset=describe_dataset(dataset),
            differences=(*(record.differences or ()), *found),
        )
        run_folder.write_run_file(folder, record)
    return record


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


def refuse_not_begun(folder: Path) -> None:
    """Raises RunError when a start was stopped before there was anything to resume."""
    if folder.is_dir() and holds_nothing(folder):
        raise RunError(
            f"nothing was begun in {folder} before it stopped; start it again without --resume"
        )


def refuse_another_recipe(folder: Path, record: TrainingRecord, recipe: str | None) -> None:
    """Raises RunError when another recipe is named than the training began with."""
    if recipe is not None and recipe != record.recipe:
        raise RunError(
            f"the training in {folder} began with --recipe {record.recipe}, not {recipe}; "
            "leave --recipe out, or start a new run"
        )


def refuse(folder: Path, differences: list[str]) -> None:
    """Raises RunError, naming the differences, if there are any."""
    if differences:
        raise RunError(
            f"the training in {folder} would not be the same: {'; '.join(differences)}; undo that, "
            "start a new run, or go on with --insist, and the run will say so"
        )


def _refuse_another_network(
    record: RunRecord, config: TrainConfig, training: Training, given: Mapping[str, Any]
) -> None:
    """Refuses, with `insist` too, what does not fit the weights so far and run.json's input."""
    found = changed_settings(config, {k: v for k, v in given.items() if k in OF_THE_NETWORK})
    if training.dataset.classes != record.classes:
        found.append(
            f"it began with the classes {', '.join(record.classes)}, not "
            f"{', '.join(training.dataset.classes)}"
        )
    if found:
        raise RunError(
            f"the training in {training.folder} cannot go on with another network: "
            f"{'; '.join(found)}; undo that, or start a new run"
        )


def other_program(record: TrainingRecord) -> list[str]:
    """Names each package that shapes the numbers and has changed since the run began."""
    now = {**provenance.versions(), "this program": __version__}
    began = {**record.versions, "this program": record.program}
    found = [
        f"it began with {name} {began[name]}, now it is {version}"
        for name, version in now.items()
        if began.get(name, version) != version
    ]
    commit = provenance.commit()
    if commit and record.commit and commit != record.commit:
        found.append(f"it began with commit {record.commit[:12]}, now it is {commit[:12]}")
    return found


def other_data(fingerprint: str, dataset: BuiltDataset) -> list[str]:
    """Says so when the data are not those that the training began with."""
    if fingerprint == dataset.fingerprint:
        return []
    return [f"it began with other data than {dataset.folder} holds now"]


def changed_settings(config: TrainConfig, given: Mapping[str, Any]) -> list[str]:
    """Names every setting given now that differs from that of the beginning."""
    return [
        f"it began with --{name.replace('_', '-')} {getattr(config, name)}, not {value}"
        for name, value in given.items()
        if getattr(config, name) != value
    ]
