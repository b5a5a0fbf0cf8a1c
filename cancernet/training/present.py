"""The pictures and the report of a run."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cancernet.config import SPLITS, TrainConfig
from cancernet.dataset.manifest import BuiltDataset, read_audit
from cancernet.evaluation.other_runs import read_besides
from cancernet.report.content import (
    Asked,
    FlowStep,
    Network,
    ReportContent,
    TrainingFacts,
    say_unit,
)
from cancernet.report.figures.drawings import FIGURES
from cancernet.report.page import write_cards, write_report
from cancernet.runs.heat_maps import heat_map_of
from cancernet.training.complete import Finished
from cancernet.training.loop.checkpoint import State
from cancernet.training.portrait import make_portrait
from cancernet.training.slide_pictures import write_slide_pictures


def write_pictures_and_report(
    folder: Path,
    finished: Finished,
    dataset: BuiltDataset,
    config: TrainConfig,
    state: State,
    model: keras.Model,
) -> None:
    """Writes figures/, report.html, model_card.md and checklist.md of a run."""
    report = _report_content(folder, finished, dataset, config, state)
    slides = write_slide_pictures(folder / FIGURES, finished, dataset, footer=report.footer)
    portrait = make_portrait(model, finished, dataset, config, folder)
    report = dataclasses.replace(report, slides=slides, portrait=portrait)
    write_report(report, folder)
    write_cards(report, folder)


def _report_content(
    folder: Path, finished: Finished, dataset: BuiltDataset, config: TrainConfig, state: State
) -> ReportContent:
    content = finished.content
    beside, missing = read_besides(content.get("beside", ()))
    return ReportContent(
        title=folder.resolve().name,
        assessment=finished.assessment,
        validation=finished.validation,
        testing=finished.testing,
        asked=Asked(
            data_set=f"{dataset.name}: {dataset.title}",
            recipe=content["recipe"],
            network=Network(
                name=config.model,
                width=config.image_size,
                height=config.image_size,
                parameters=content["model"]["parameters"],
            ),
        ),
        flow=[_step(dataset, name) for name in SPLITS],
        left_out=dataset.left_out,
        split_method=dataset.split_kind,
        leak=dataset.leak,
        drawn=dataset.drawn,
        history=_columns(state),
        best_epoch=state.best_epoch,
        training=TrainingFacts(
            seconds=content["training"]["seconds"],
            cpu_seconds=content["training"]["cpu_seconds"],
            images_per_second=content["training"]["images_per_second"],
            epochs=content["training"]["epochs"],
            machine=f"{content['machine']['processor']}, {content['machine']['cores']} cores",
        ),
        command=content["command"],
        seed=config.seed,
        fingerprint=dataset.fingerprint,
        settings=config.as_dict(),
        versions=content["versions"],
        commit=content["commit"],
        created=content["finished"],
        remarks=[*say_unit(dataset.unit), *dataset.warnings, *missing],
        audit=read_audit(dataset.folder),
        image_folder=dataset.folder,
        heat_map=heat_map_of(folder),
        beside=beside,
    )


def _step(dataset: BuiltDataset, name: str) -> FlowStep:
    part = dataset.split(name)
    positive = [dataset.classes.index(label) for label in dataset.positive]
    return FlowStep(
        name=name,
        patients=len(set(part.patients)),
        images=len(part.paths),
        positives=int(np.isin(part.labels, positive).sum()),
    )


def _columns(state: State) -> dict[str, list[Any]]:
    """Measure to its value in every epoch; NaN where an epoch lacks it, as of several workers."""
    names = dict.fromkeys(name for row in state.history for name in row)
    return {name: [row.get(name, math.nan) for row in state.history] for name in names}
