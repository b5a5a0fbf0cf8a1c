"""Beginning a run, or finding the one to go on with."""

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cancernet.base.errors import CancerNetError, RunError
from cancernet.base.files import is_unfinished, read_json, remove_unfinished
from cancernet.catalog import training_flags
from cancernet.config import OUTPUT, TrainConfig
from cancernet.dataset.manifest import BuiltDataset, content_of
from cancernet.runs import provenance, run_folder
from cancernet.training import resume_checks


def begin(
    folder: Path,
    dataset: BuiltDataset,
    config: TrainConfig,
    *,
    recipe: str,
    command: str,
    beside: Sequence[Path] = (),
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Makes the run folder and its first run.json; returns the content.

    `more` is what the caller adds to it. It is written once: a process that is killed
    leaves all of it or nothing.

    Raises:
        RunError: the folder holds something already.
        CancerNetError: the recipe is made for another data set.
    """
    check_fit(dataset, config)
    refuse_used(folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "status": "training",
        "created": run_folder.now(),
        "command": command,
        "recipe": recipe,
        "config": config.as_dict(),
        "beside": [str(path) for path in beside],
        "dataset": describe_dataset(dataset),
        "classes": list(dataset.classes),
        "words": list(dataset.words),
        "positive": list(dataset.positive),
        "input": {
            "width": config.image_size,
            "height": config.image_size,
            "channels": 3,
            "range": "RGB 0-255",
            "interpolation": config.interpolation,
        },
        "versions": provenance.versions(),
        "machine": provenance.machine(),
        "commit": provenance.commit(),
        **(more or {}),
    }
    run_folder.write_run_file(folder, content)
    return content


def describe_dataset(dataset: BuiltDataset) -> dict[str, Any]:
    """What run.json says of the data, so that the run needs them no more."""
    return {
        "name": dataset.name,
        "title": dataset.title,
        "folder": str(dataset.folder),
        "fingerprint": dataset.fingerprint,
        # Of a fold: of the set on the disk, so that it can be found again.
        "whole": dataset.whole.fingerprint if dataset.whole is not None else "",
        "drawn": dataset.drawn,
        "leak": dataset.leak,
        "split": dataset.split_kind,
        "counts": dataset.counts,
        "image_size": list(dataset.image_size),
        "left_out": dataset.left_out,
        "unit": dataset.unit,
        "testing_content": content_of(dataset, "testing"),
        # So that an evaluation can tell who was trained on, wherever the run goes.
        "patients": {name: sorted(set(part.patients)) for name, part in dataset.parts.items()},
    }


def go_on(
    folder: Path, dataset: BuiltDataset, given: dict[str, Any], *, insist: bool = False
) -> tuple[TrainConfig, dict[str, Any]]:
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
    content = run_folder.read_run_file(folder)
    if content["status"] == "finished":
        # Killed after its last file and before its checkpoint was gone.
        shutil.rmtree(folder / run_folder.CHECKPOINT, ignore_errors=True)
        raise RunError(f"the training in {folder} is finished; there is nothing to resume")
    config = read_config(content, folder)
    resume_checks.refuse_another_network(folder, content, config, dataset, given)
    found = [
        *resume_checks.other_program(content),
        *resume_checks.other_data(content, dataset),
        *resume_checks.changed_settings(config, given),
    ]
    if not insist:
        resume_checks.refuse(folder, found)
    elif found:
        config = dataclasses.replace(config, **given)
        content = {
            **content,
            "config": config.as_dict(),
            "dataset": describe_dataset(dataset),
            "differences": [*content.get("differences", []), *found],
        }
        run_folder.write_run_file(folder, content)
    return config, content


def read_config(content: dict[str, Any], folder: Path) -> TrainConfig:
    """Makes the settings of a run from its run.json.

    Raises:
        RunError: written by a version with other settings.
    """
    known = {field.name for field in dataclasses.fields(TrainConfig)}
    stored = content["config"]
    if set(stored) != known:
        odd = ", ".join(sorted(set(stored) ^ known))
        raise RunError(
            f"{folder} was begun by version {content.get('program')}, whose settings differ "
            f"({odd}); go on with that version, or start a new run"
        )
    return TrainConfig(**stored)


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
            content = (
                run_folder.read_run_file(path.parent)
                if path.name == run_folder.RUN_FILE
                else read_json(path)
            )
            if content["status"] != "finished":
                begun.append((str(content["created"]), path.parent))
        except (RunError, OSError, ValueError, KeyError, TypeError):
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
            f"{training_flags(dataset.name) or f'--dataset {dataset.name}'}"
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
    content = run_folder.read_run_file(folder)
    if content["status"] == "finished":
        raise RunError(f"{folder} holds a finished run; name another folder for --run")
    raise RunError(
        f"{folder} holds an unfinished training; go on with `python train_model.py --resume "
        f"--run {folder}`, or name another folder for --run"
    )
