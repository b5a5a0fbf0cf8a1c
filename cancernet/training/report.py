"""The report of a finished training: its content, its pictures, its slide maps."""

import dataclasses
import functools
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np

from cancernet.base.beside import Start
from cancernet.base.errors import CancerNetError
from cancernet.base.files import write_bytes
from cancernet.base.words import NOTICE
from cancernet.dataset.build_record import read_audit
from cancernet.dataset.manifest import NO_POSITION
from cancernet.evaluation.run_results import flow_of, read_besides
from cancernet.planning.plan import Finished
from cancernet.report.content import (
    Asked,
    Network,
    ReportContent,
    SlidePicture,
    TrainingFacts,
    say_unit,
)
from cancernet.report.figures.drawings import FIGURES, Figures
from cancernet.report.page import write_cards, write_report
from cancernet.report.rendering import heat_map_of
from cancernet.slides.output import draw_patches
from cancernet.slides.slide_map import FiguresInContext, ScoredPatch, SlideFigures
from cancernet.training.portrait import make_portrait

_log = logging.getLogger(__name__)

MOST_SLIDES = 6  # maps in a report; more would make it slow to open


def write_pictures_and_report(
    finished: Finished, model: keras.Model, start: Start = functools.partial
) -> None:
    """Writes figures/, report.html, model_card.md and checklist.md of a run.

    `start` gets what can be drawn beside this process.
    """
    folder = finished.training.folder
    report = _report_content(finished)
    slides = begin_slide_pictures(finished, start, footer=report.footer)
    report = dataclasses.replace(report, portrait=make_portrait(model, finished))
    figures = Figures(report)
    figures.begin(start)
    write_cards(report, folder)
    pictures = write_slide_pictures(finished, slides, folder / FIGURES)
    write_report(dataclasses.replace(report, slides=pictures), folder, figures)


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
        flow=flow_of(dataset.counts),
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


def _columns(history: list[dict[str, float]]) -> dict[str, list[float]]:
    """Measure to its value in every epoch; NaN where an epoch lacks it, as with several workers."""
    names = dict.fromkeys(name for row in history for name in row)
    return {name: [row.get(name, math.nan) for row in history] for name in names}


def begin_slide_pictures(
    finished: Finished, start: Start = functools.partial, *, footer: str
) -> dict[str, Callable[[], tuple[bytes, SlideFigures]]]:
    """Begins to draw the testing patients with the most patches, at most `MOST_SLIDES`.

    Returns:
        Patient to what waits for the picture; none where file names carry no places. `footer`
        is what must be known of the data.
    """
    dataset, calls = finished.training.dataset, finished.alone.calls()
    part = dataset.split("testing")
    patients, placed = np.array(part.patients), part.x != NO_POSITION
    names, counts = np.unique(patients[placed], return_counts=True)
    chosen = sorted(names[np.argsort(-counts, kind="stable")][:MOST_SLIDES].tolist())
    return {
        name: start(
            draw_patches,
            name,
            [
                ScoredPatch(
                    path=dataset.folder / part.paths[row],
                    x=int(part.x[row]),
                    y=int(part.y[row]),
                    probability=float(calls.score[row]),
                    truth=int(calls.truth[row]),
                )
                for row in np.flatnonzero(placed & (patients == name)).tolist()
            ],
            size=dataset.image_size,
            threshold=finished.alone.operating_point.threshold,
            context=finished.record.context,
            word=finished.assessment.positive_word,
            footer=f"{footer} {NOTICE}".strip(),
        )
        for name in chosen
    }


def write_slide_pictures(
    finished: Finished,
    begun: Mapping[str, Callable[[], tuple[bytes, SlideFigures]]],
    folder: Path,
) -> list[SlidePicture]:
    """Writes `slide-<patient>.png` of what `begin_slide_pictures` began; returns the pictures."""
    part = finished.training.dataset.split("testing")
    patients = len(set(np.array(part.patients)[part.x != NO_POSITION].tolist()))
    pictures = []
    for name, wait in begun.items():
        try:
            content, figures = wait()
        except CancerNetError as error:  # a picture is not worth the run
            _log.warning("No slide map of patient %s: %s", name, error)
            continue
        path = folder / f"slide-{name}.png"
        write_bytes(path, content)
        in_context = figures if isinstance(figures, FiguresInContext) else None
        pictures.append(
            SlidePicture(
                path=path,
                patient=name,
                patches=figures.patches,
                labelled=figures.true_area_fraction,
                called=figures.area_fraction,
                called_alone=in_context.alone_area_fraction if in_context else None,
                patients=patients,
            )
        )
    return pictures
