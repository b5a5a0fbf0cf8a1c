"""The report of a finished training: its content, its pictures, its slide maps."""

import dataclasses
import functools
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.files import write_bytes
from cancernet.base.parallel import Start
from cancernet.base.words import NOTICE
from cancernet.dataset.build_record import read_audit
from cancernet.dataset.manifest import NO_POSITION
from cancernet.evaluation.run_results import asked_of, content_of, read_besides
from cancernet.planning.plan import Finished
from cancernet.report.content import ReportContent, SlidePicture, say_unit
from cancernet.report.figures.drawings import FIGURES, Figures
from cancernet.report.page import write_cards, write_report
from cancernet.runs.run_folder import Run
from cancernet.slides.output import draw_patches
from cancernet.slides.slide_map import FiguresInContext, ScoredPatch, SlideFigures
from cancernet.training.portrait import make_portrait

_log = logging.getLogger(__name__)

MOST_SLIDES = 6  # maps in a report; more would make it slow to open


def write_pictures_and_report(
    finished: Finished, model: keras.Model, start: Start = functools.partial
) -> None:
    """Writes figures/, report.html, model_card.md and checklist.md of a run.

    `start` begins what can be drawn beside this process.
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
    folder, dataset = finished.training.folder, finished.training.dataset
    record, run = finished.record, Run(folder=folder, record=finished.record)
    assert record.model and record.machine
    asked = asked_of(run)
    network = dataclasses.replace(
        asked.network,
        parameters=record.model.parameters,
        first_weights=record.weights.words() if record.weights else "",
    )
    asked = dataclasses.replace(asked, network=network)
    content = content_of(run, finished.assessment, title=run.name, asked=asked)
    machine = f"{record.machine.processor}, {record.machine.cores} cores"
    beside, missing = read_besides(record.beside)
    return dataclasses.replace(
        content,
        training=dataclasses.replace(content.training, machine=machine),
        remarks=[*say_unit(dataset.unit), *dataset.warnings, *missing],
        audit=read_audit(dataset.folder),
        image_folder=dataset.folder,
        beside=beside,
        context=finished.context,
    )


def begin_slide_pictures(
    finished: Finished, start: Start = functools.partial, *, footer: str
) -> dict[str, Callable[[], tuple[bytes, SlideFigures]]]:
    """Begins to draw the testing patients with the most patches, at most `MOST_SLIDES`.

    Returns:
        Patient -> a call that waits for the picture; empty where file names give no positions.
        `footer` is what must be known about the data.
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
