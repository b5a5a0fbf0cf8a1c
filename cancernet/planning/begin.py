"""What a training begins with: a data set that fits its settings, and a run folder."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.console import typed
from cancernet.base.errors import CancerNetError, RunError
from cancernet.base.files import is_locked, is_unfinished, lock, refuse_missing, remove_unfinished
from cancernet.base.words import did_you_mean
from cancernet.config import DATASETS, OUTPUT, TrainConfig
from cancernet.dataset.manifest import BuiltDataset, Part, content_of, read_dataset
from cancernet.dataset.notices import Notice, NoticeKind
from cancernet.networks import LITE0, check_network, weights_in_package
from cancernet.planning.plan import Plan, Training
from cancernet.recipes import first_start
from cancernet.runs import provenance, run_folder
from cancernet.runs.run_record import TRAINING, DatasetFacts, FirstWeights, RunRecord


def open_dataset(data: Path | BuiltDataset, config: TrainConfig) -> BuiltDataset:
    """Opens the data set that a training learns from: whole, fitting the settings, limited.

    Raises:
        CancerNetError: it cannot be read, an image or a split is missing, or the settings
            are for another data set.
    """
    return limited(open_whole(data, config), config.limit, seed=config.seed)


def open_whole(data: Path | BuiltDataset, config: TrainConfig) -> BuiltDataset:
    """Opens a whole data set that the settings fit, its limit included.

    Raises:
        CancerNetError: see `open_dataset`.
    """
    dataset = data if isinstance(data, BuiltDataset) else read_whole(data)
    check_fit(dataset, config)
    check_limit(dataset, config.limit)
    return dataset


def with_open_data(plan: Plan) -> Plan:
    """Returns a plan with its data set open; refuses what can be refused without TensorFlow.

    Raises:
        CancerNetError: the data set, the settings, the folder, the first weights or the logs
            cannot be used.
    """
    plan.logs.check()
    if plan.resume is None:
        check_start(plan.config)
        if not os.environ.keys() & {"TF_CONFIG", "SLURM_PROCID"}:  # others may have begun it
            if is_locked(plan.folder / run_folder.LOCK):
                raise _busy(plan.folder)
            refuse_used(plan.folder)
    return dataclasses.replace(plan, data=open_whole(plan.data, plan.config))


def check_start(config: TrainConfig) -> None:
    """Refuses an unknown network, and first weights that are not there, before Keras loads.

    Raises:
        CancerNetError: there is no such network, or neither the file of the weights nor the
            package that brings it.
    """
    check_network(config.model)
    if config.weights == "imagenet":
        if config.model == LITE0:
            weights_in_package()
    elif config.weights != "none":
        refuse_missing(Path(config.weights), "weights file")


def read_whole(folder: Path) -> BuiltDataset:
    """Reads a built data set that has images in every split, all of them on the disk.

    Raises:
        CancerNetError: something is missing; the message says what to do.
    """
    dataset = read_dataset(folder)
    for name in ("training", "validation", "testing"):
        if not len(dataset.split(name).paths):
            raise RunError(f"{dataset.folder} has no {name} images; build it again")
    dataset.check_files()
    return dataset


def check_fit(dataset: BuiltDataset, config: TrainConfig) -> None:
    """Raises CancerNetError when the settings are made for another data set."""
    if dataset.name != config.dataset:
        flags = first_start(dataset.name, max(dataset.image_size)).flags
        better = f" (better: begin with `{flags}`)" if flags else ""
        raise CancerNetError(
            f"{dataset.folder} holds the data set {dataset.name!r}, but these settings are for "
            f"{config.dataset!r}{did_you_mean(config.dataset, [dataset.name])}; name a fitting "
            f"--data folder, or add `--dataset {dataset.name}`{better}"
        )
    if config.calibration == "isotonic" and len(dataset.classes) != 2:
        raise CancerNetError(
            f"--calibration isotonic is for two classes, but {dataset.name} has "
            f"{len(dataset.classes)}; choose temperature or none"
        )


def limited(dataset: BuiltDataset, limit: int, *, seed: int) -> BuiltDataset:
    """Keeps at most `limit` images a split (0: all), each class in about its share, none lost.

    The order and the fingerprint stay; the way of splitting and a notice say what was done.

    Raises:
        CancerNetError: fewer images than classes.
    """
    if not limit:
        return dataset
    check_limit(dataset, limit)
    parts = {name: _limited_part(part, limit, seed) for name, part in dataset.parts.items()}
    return dataset.divided(
        parts,
        split_kind=f"{dataset.split_kind}; of each split only {limit} images (--limit {limit})",
        notices=(*dataset.notices, Notice(kind=NoticeKind.TRIAL, count=limit)),
    )


def check_limit(dataset: BuiltDataset, limit: int) -> None:
    """Raises CancerNetError when there would be fewer images than classes."""
    if 0 < limit < len(dataset.classes):
        raise CancerNetError(
            f"--limit {limit} is fewer images than the {len(dataset.classes)} classes of "
            f"{dataset.name}; give at least that many"
        )


def shares(counts: np.ndarray, limit: int) -> np.ndarray:
    """Divides `limit` images among classes: in proportion, at least one where there is any.

    Args:
        counts: images of each class, shape (classes,).
        limit: at least as many as there are classes.

    Returns:
        How many of each class, int64 (classes,): none above its count, together `limit`
        or all there are.
    """
    kept = np.minimum(counts, 1)
    while kept.sum() < min(limit, counts.sum()):
        wanted = np.where(kept < counts, counts / (kept + 0.5), -1.0)  # Webster's method
        kept[wanted.argmax()] += 1
    return kept


def _limited_part(part: Part, limit: int, seed: int) -> Part:
    if len(part.paths) <= limit:
        return part
    random = np.random.default_rng(seed)
    counts = np.bincount(part.labels)
    chosen = np.sort(
        np.concatenate(
            [
                random.permutation(np.flatnonzero(part.labels == label))[:number]
                for label, number in enumerate(shares(counts, limit))
            ]
        )
    )
    return part.at(chosen)


def new_plan(
    config: TrainConfig, *, recipe: str, data: Path | None, folder: Path | None, **more: Any
) -> Plan:
    """Plans a new training; without `data` or `folder` these are where they usually are.

    `more` are other fields of `Plan`.
    """
    return Plan(
        folder=folder or new_folder(recipe),
        data=data or DATASETS / config.dataset,
        config=config,
        recipe=recipe,
        **more,
    )


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
        f"{folder} holds an unfinished training; resume it with `{typed('train')} --resume "
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
    with lock(folder / run_folder.LOCK, _busy(folder)):
        for place in (folder, folder / "figures", folder / run_folder.CHECKPOINT):
            if place.is_dir():
                remove_unfinished(place)
        yield


def _busy(folder: Path) -> RunError:
    return RunError(f"another process is training in {folder}; wait for it to end")


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
        input=training.input,
        versions=provenance.versions(),
        machine=provenance.machine(),
        commit=provenance.commit(),
        weights=weights,
        fold=plan.fold,
    )
    run_folder.write_run_file(training.folder, record)
    return record


def describe_dataset(dataset: BuiltDataset) -> DatasetFacts:
    """Returns what run.json says about the data, so that the run no longer needs them."""
    return DatasetFacts(
        name=dataset.name,
        title=dataset.title,
        folder=str(dataset.folder),
        fingerprint=dataset.fingerprint,
        whole=dataset.whole.fingerprint if dataset.whole is not None else "",
        drawn=dataset.drawn,
        leaks=dataset.leaks,
        split=dataset.split_kind,
        counts=dataset.counts,
        image_size=dataset.image_size,
        left_out=dataset.left_out,
        unit=dataset.unit,
        testing_content=content_of(dataset, "testing"),
        patients={name: tuple(sorted(set(p.patients))) for name, p in dataset.parts.items()},
    )
