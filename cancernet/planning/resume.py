"""Resuming a training: which run, and whether it would still be the same training."""

import contextlib
import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cancernet import __version__
from cancernet.base.console import typed
from cancernet.base.errors import RunError
from cancernet.base.files import read_json
from cancernet.base.records import EntryError, from_json
from cancernet.base.settings import flag_of
from cancernet.config import OUTPUT, TrainConfig
from cancernet.dataset.manifest import BuiltDataset
from cancernet.planning.begin import describe_dataset, holds_nothing
from cancernet.planning.plan import Logs, Plan, Resume, Training
from cancernet.runs import provenance, run_folder
from cancernet.runs.run_record import CROSS_VALIDATION, RunRecord, TrainingRecord

# What the network takes in, and what it is: not even `insist` changes these.
OF_THE_NETWORK = ("dataset", "model", "image_size", "interpolation")


def newest_unfinished() -> Path:
    """Returns the unfinished run or cross-validation that began last.

    Raises:
        RunError: there is none.
    """
    begun = []
    for name in (run_folder.RUN_FILE, CROSS_VALIDATION):
        for path in OUTPUT.glob(f"*/{name}"):
            with contextlib.suppress(RunError, OSError, ValueError):
                record: TrainingRecord = (
                    run_folder.read_run_file(path.parent)
                    if name == run_folder.RUN_FILE
                    else from_json(TrainingRecord, read_json(path))
                )
                if not record.is_finished:
                    begun.append((record.created, path.parent))
    if not begun:
        raise RunError(f"there is no unfinished training in {OUTPUT}; name one with --run")
    return max(begun)[1]


def plan_to_resume(
    folder: Path,
    data: Path | None = None,
    resume: Resume | None = None,
    *,
    recipe: str | None = None,
    logs: Logs | None = None,
) -> Plan:
    """Returns the plan of a run that has begun.

    `data` None takes the folder the run began with; `recipe`, where one is named, must be
    the run's.

    Raises:
        RunError: nothing was begun there, it is finished or a fold, or another recipe is named.
    """
    resume = resume or Resume()
    refuse_not_begun(folder)
    record = run_folder.read_run_file(folder)
    _refuse_finished(folder, record)
    if record.fold is not None:
        raise RunError(
            f"{folder} is a fold of a cross-validation; resume that with "
            f"`{typed('train')} --resume --run {folder.parent}`"
        )
    refuse_another_recipe(folder, record, recipe)
    config = read_config(record, folder)
    return Plan(
        folder=folder,
        data=data if data is not None else Path(record.dataset.folder),
        config=config.changed(resume.given) if resume.insist else config,
        logs=logs or Logs(),
        resume=resume,
    )


def _refuse_finished(folder: Path, record: RunRecord) -> None:
    if record.is_finished:
        # It may have been killed after its last file and before its checkpoint was gone.
        shutil.rmtree(folder / run_folder.CHECKPOINT, ignore_errors=True)
        raise RunError(f"the training in {folder} is finished; there is nothing to resume")


def resumed(training: Training, resume: Resume) -> RunRecord:
    """Reads run.json of the run to resume and refuses what would make it another training.

    With `resume.insist` it is resumed all the same, with the settings and the data as they
    are now, and run.json keeps the differences under `differences`.

    Raises:
        RunError: it is finished, or the program, the data or a setting differs; the
            message names the difference.
    """
    folder, dataset = training.folder, training.dataset
    record = run_folder.read_run_file(folder)
    _refuse_finished(folder, record)
    config = read_config(record, folder)
    of_network = {name: v for name, v in resume.given.items() if name in OF_THE_NETWORK}
    other = changed_settings(config, of_network)
    if dataset.classes != record.classes:
        before, now = ", ".join(record.classes), ", ".join(dataset.classes)
        other.append(f"it began with the classes {before}, not {now}")
    if other:  # it would not fit the weights so far, nor run.json's input
        raise RunError(
            f"the training in {folder} cannot be resumed with another network: "
            f"{'; '.join(other)}; undo that, or start a new run"
        )
    found = [*other_program(record), *changed(record.dataset.fingerprint, dataset, config, resume)]
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
            f"({odd}); resume it with that version, or start a new run"
        )
    try:
        return from_json(TrainConfig, record.config)
    except EntryError as error:
        raise RunError(f"the settings of {folder}: {error}; restore it from a copy") from None


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


def changed(
    fingerprint: str, dataset: BuiltDataset, config: TrainConfig, resume: Resume
) -> list[str]:
    """Names what differs from the beginning: the data, and each setting given now."""
    data = [f"it began with other data than {dataset.folder} holds now"]
    return [
        *(data if fingerprint != dataset.fingerprint else []),
        *changed_settings(config, resume.given),
    ]


def changed_settings(config: TrainConfig, given: Mapping[str, Any]) -> list[str]:
    """Names every setting given now that differs from that of the beginning."""
    return [
        f"it began with {flag_of(name)} {getattr(config, name)}, not {value}"
        for name, value in given.items()
        if getattr(config, name) != value
    ]


def refuse(folder: Path, differences: list[str]) -> None:
    """Raises RunError, naming the differences, if there are any."""
    if differences:
        raise RunError(
            f"the training in {folder} would not be the same: {'; '.join(differences)}; undo that, "
            "start a new run, or resume with --insist, and the run will say so"
        )


def refuse_another_recipe(folder: Path, record: TrainingRecord, recipe: str | None) -> None:
    """Raises RunError when another recipe is named than the training began with."""
    if recipe is not None and recipe != record.recipe:
        raise RunError(
            f"the training in {folder} began with --recipe {record.recipe}, not {recipe}; "
            "leave --recipe out, or start a new run"
        )


def refuse_not_begun(folder: Path) -> None:
    """Raises RunError when a start was stopped before there was anything to resume."""
    if folder.is_dir() and holds_nothing(folder):
        raise RunError(
            f"nothing was begun in {folder} before it stopped; start it again without --resume"
        )
