"""The pictures and the report of a run."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cancernet.base.notice import NOTICE
from cancernet.config import SPLITS, TrainConfig
from cancernet.dataset.manifest import BuiltDataset, read_audit
from cancernet.evaluation.other_runs import read_besides
from cancernet.report.checklist import write_checklist
from cancernet.report.content import DRAWN, FlowStep, ReportContent, say_unit
from cancernet.report.figures.run import FIGURES, write_figures
from cancernet.report.model_card import write_model_card
from cancernet.report.page import write_report
from cancernet.report.patients_csv import write_patients
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
    footer = " ".join(filter(None, [DRAWN if dataset.drawn else "", dataset.leak]))
    slides = write_slide_pictures(folder / FIGURES, finished, dataset, footer=footer)
    report = dataclasses.replace(
        _report_content(folder, finished, dataset, config, state),
        slides=slides,
        portrait=make_portrait(model, finished, dataset, config, folder),
    )
    rendered = write_figures(report, folder / FIGURES, footer=footer)
    report = dataclasses.replace(report, rendered=rendered)
    write_report(report, folder)
    write_patients(report, folder)
    write_model_card(report, folder)
    write_checklist(report, folder)


def _report_content(
    folder: Path, finished: Finished, dataset: BuiltDataset, config: TrainConfig, state: State
) -> ReportContent:
    record = finished.record
    assert record.model and record.training and record.machine and record.finished
    beside, missing = read_besides(record.beside)
    return ReportContent(
        title=folder.resolve().name,
        notice=NOTICE,
        assessment=finished.assessment,
        validation=finished.validation,
        testing=finished.testing,
        asked={
            "data set": f"{dataset.name}: {dataset.title}",
            "classes": "; ".join(
                f"{name} = {word}"
                for name, word in zip(dataset.classes, dataset.words, strict=True)
            ),
            "positive": ", ".join(dataset.positive),
            "recipe": record.recipe,
            "network": (
                f"{config.model}, {config.image_size}x{config.image_size} pixels, "
                f"{record.model.parameters:,} parameters"
            ),
        },
        flow=[_step(dataset, name) for name in SPLITS],
        left_out=dataset.left_out,
        split_method=dataset.split_kind,
        leak=dataset.leak,
        drawn=dataset.drawn,
        history=_columns(state),
        best_epoch=state.best_epoch,
        training={
            "seconds": record.training.seconds,
            "images per second": record.training.images_per_second,
            "epochs": record.training.epochs,
            "epoch kept": state.best_epoch,
            "machine": f"{record.machine.processor}, {record.machine.cores} cores",
        },
        command=record.command,
        seed=config.seed,
        fingerprint=dataset.fingerprint,
        settings=dataclasses.asdict(config),
        versions=record.versions,
        commit=record.commit,
        created=record.finished,
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
