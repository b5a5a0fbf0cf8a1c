"""The report of a finished training: its content, its pictures, its slide maps."""

import dataclasses
import logging
import math
from pathlib import Path

import keras
import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.words import NOTICE
from cancernet.config import SPLITS
from cancernet.dataset.build_record import read_audit
from cancernet.dataset.manifest import NO_POSITION, BuiltDataset
from cancernet.evaluation.run_results import read_besides
from cancernet.planning.plan import Finished
from cancernet.report.content import (
    Asked,
    FlowStep,
    Network,
    ReportContent,
    SlidePicture,
    TrainingFacts,
    say_unit,
)
from cancernet.report.figures.drawings import FIGURES
from cancernet.report.page import write_cards, write_report
from cancernet.report.rendering import heat_map_of
from cancernet.slides.output import save_picture
from cancernet.slides.slide_map import ScoredPatch, SlideMap, map_of_patches
from cancernet.training.portrait import make_portrait

_log = logging.getLogger(__name__)

MOST_SLIDES = 6  # maps in a report; more would make it slow to open


def write_pictures_and_report(finished: Finished, model: keras.Model) -> None:
    """Writes figures/, report.html, model_card.md and checklist.md of a run."""
    folder = finished.training.folder
    report = _report_content(finished)
    report = dataclasses.replace(
        report,
        slides=write_slide_pictures(finished, folder / FIGURES, footer=report.footer),
        portrait=make_portrait(model, finished),
    )
    write_report(report, folder)
    write_cards(report, folder)


def _report_content(finished: Finished) -> ReportContent:
    training, state = finished.training, finished.state
    folder, dataset, config = training.folder, training.dataset, training.config
    record = finished.record
    assert record.model and record.training and record.machine and record.finished
    beside, missing = read_besides(record.beside)
    return ReportContent(
        title=folder.resolve().name,
        assessment=finished.assessment,
        asked=Asked(
            data_set=f"{dataset.name}: {dataset.title}",
            recipe=record.recipe,
            network=Network(
                name=config.model,
                width=config.image_size,
                height=config.image_size,
                parameters=record.model.parameters,
                first_weights=record.weights.words() if record.weights else "",
            ),
        ),
        flow=[_step(dataset, name) for name in SPLITS],
        left_out=dataset.left_out,
        split_method=dataset.split_kind,
        leak=dataset.leak,
        drawn=dataset.drawn,
        history=_columns(state.history),
        best_epoch=state.best_epoch,
        training=TrainingFacts(
            seconds=record.training.seconds,
            cpu_seconds=record.training.cpu_seconds,
            images_per_second=record.training.images_per_second,
            epochs=record.training.epochs,
            machine=f"{record.machine.processor}, {record.machine.cores} cores",
        ),
        command=record.command,
        seed=config.seed,
        fingerprint=dataset.fingerprint,
        settings=dataclasses.asdict(config),
        versions=record.versions,
        commit=record.commit,
        created=record.finished,
        remarks=[*say_unit(dataset.unit), *dataset.warnings, *missing],
        audit=read_audit(dataset.folder),
        unit=dataset.unit,
        image_folder=dataset.folder,
        heat_map=heat_map_of(folder),
        beside=beside,
        context=finished.context,
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


def _columns(history: list[dict[str, float]]) -> dict[str, list[float]]:
    """Measure to its value in every epoch; NaN where an epoch lacks it, as with several workers."""
    names = dict.fromkeys(name for row in history for name in row)
    return {name: [row.get(name, math.nan) for row in history] for name in names}


def write_slide_pictures(finished: Finished, folder: Path, *, footer: str) -> list[SlidePicture]:
    """Writes `slide-<patient>.png` of the testing patients with the most patches.

    Nothing is written where the file names of a data set carry no places. `footer` is what
    must be known of the data.

    Returns:
        The pictures for the report, at most `MOST_SLIDES`.
    """
    dataset = finished.training.dataset
    part = dataset.split("testing")
    patients = np.array(part.patients)
    placed = part.x != NO_POSITION
    names, counts = np.unique(patients[placed], return_counts=True)
    chosen = sorted(names[np.argsort(-counts, kind="stable")][:MOST_SLIDES].tolist())
    word = finished.assessment.positive_word
    pictures = []
    for name in chosen:
        rows = np.flatnonzero(placed & (patients == name))
        try:
            slide = _slide(finished, str(name), rows)
        except CancerNetError as error:  # a picture is not worth the run
            _log.warning("No slide map of patient %s: %s", name, error)
            continue
        path = folder / f"slide-{name}.png"
        save_picture(slide, path, word=word, footer=f"{footer} {NOTICE}".strip())
        figures, context = slide.figures, slide.context
        pictures.append(
            SlidePicture(
                path=path,
                patient=str(name),
                patches=figures.patches,
                labelled=figures.true_area_fraction,
                called=figures.area_fraction,
                called_alone=context.alone.figures.area_fraction if context else None,
                patients=len(names),
            )
        )
    return pictures


def _slide(finished: Finished, name: str, rows: np.ndarray) -> SlideMap:
    dataset, calls = finished.training.dataset, finished.alone.calls()
    part = dataset.split("testing")
    patches = [
        ScoredPatch(
            path=dataset.folder / part.paths[row],
            x=int(part.x[row]),
            y=int(part.y[row]),
            probability=float(calls.score[row]),
            truth=int(calls.truth[row]),
        )
        for row in rows.tolist()
    ]
    threshold = finished.alone.operating_point.threshold
    slide = map_of_patches(name, patches, size=dataset.image_size, threshold=threshold)
    context = finished.record.context
    return slide if context is None else slide.in_context(context)
