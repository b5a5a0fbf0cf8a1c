"""What would make a training that goes on another one than began."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cancernet import __version__
from cancernet.base.errors import RunError
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import BuiltDataset
from cancernet.runs import provenance
from cancernet.runs.run_record import RunRecord, TrainingRecord

# What the network takes in, and what it is.
OF_THE_NETWORK = ("dataset", "model", "image_size", "interpolation")


def refuse(folder: Path, differences: list[str]) -> None:
    """Raises RunError, naming the differences, if there are any."""
    if differences:
        raise RunError(
            f"the training in {folder} would not be the same: {'; '.join(differences)}; undo that, "
            "start a new run, or go on with --insist, and the run will say so"
        )


def refuse_another_network(
    folder: Path,
    record: RunRecord,
    config: TrainConfig,
    dataset: BuiltDataset,
    given: Mapping[str, Any],
) -> None:
    """Refuses, whoever insists, what the weights so far and run.json's input do not fit."""
    found = changed_settings(config, {k: v for k, v in given.items() if k in OF_THE_NETWORK})
    if dataset.classes != record.classes:
        found.append(
            f"it began with the classes {', '.join(record.classes)}, not "
            f"{', '.join(dataset.classes)}"
        )
    if found:
        raise RunError(
            f"the training in {folder} cannot go on as another network's: {'; '.join(found)}; "
            "undo that, or start a new run"
        )


def refuse_another_recipe(folder: Path, record: TrainingRecord, recipe: str | None) -> None:
    """Raises RunError when another recipe is named than the training began with."""
    if recipe is not None and recipe != record.recipe:
        raise RunError(
            f"the training in {folder} began with --recipe {record.recipe}, not {recipe}; "
            "leave --recipe out, or start a new run"
        )


def other_program(record: TrainingRecord) -> list[str]:
    """Names what shapes the numbers and is of another version than when the run began."""
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
    """Says it when the data are not those that a training began with."""
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
