"""The report of a finished training: its content, its slide maps, its data and network."""

import dataclasses
import functools
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from cancernet.base.errors import CancerNetError, ImageError
from cancernet.base.files import write_bytes
from cancernet.base.parallel import Start
from cancernet.base.words import NOTICE
from cancernet.dataset.build_record import read_audit
from cancernet.dataset.manifest import NO_POSITION, BuiltDataset
from cancernet.evaluation.run_results import asked_of, content_of, read_besides
from cancernet.images.reading import read_rgb
from cancernet.measures.assess import Assessment
from cancernet.measures.remarks import Kind, remark
from cancernet.models import network as entry_of
from cancernet.models.preprocessing import KERNELS, filter_and_stretch, filter_image
from cancernet.planning.plan import Finished, Training
from cancernet.report.content import ReportContent, SlidePicture, say_unit
from cancernet.report.figures.drawings import FIGURES, Figures
from cancernet.report.page import write_cards, write_report
from cancernet.report.portrait import Example, KernelViews, Layer, Portrait, SplitFigures
from cancernet.runs.run_folder import Run
from cancernet.scoring.predictor import Predictor, prepare
from cancernet.slides.output import draw_patches
from cancernet.slides.slide_map import FiguresInContext, ScoredPatch, SlideFigures
from cancernet.training.data.batches import plain_batches

_log = logging.getLogger(__name__)

MOST_SLIDES = 6  # maps in a report; more would make it slow to open
SAMPLES_A_CLASS = 6
EXAMPLES = 16
THUMBNAIL = 128  # pixels of the longer side
# More would take minutes on the whole of IDC and change the third digit.
MOST_TRAINING_IMAGES = 10_000


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
    assessment = noticed_once(finished.assessment, dataset)
    content = content_of(run, assessment, title=run.name, asked=asked)
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


def noticed_once(assessment: Assessment, dataset: BuiltDataset) -> Assessment:
    """Returns the assessment without a remark that only repeats notices of the data set."""
    noticed = {name for notice in dataset.notices for name in notice.untested}
    called = enumerate(map(dataset.called, range(len(dataset.classes))))
    untested = tuple(dataset.classes[place] for place, name in called if name in noticed)
    repeated = remark(Kind.CLASSES_WITHOUT_IMAGES, names=untested)
    remarks = tuple(one for one in assessment.remarks if one != repeated)
    return dataclasses.replace(assessment, remarks=remarks)


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


def make_portrait(model: keras.Model, finished: Finished) -> Portrait:
    """Gathers counts, samples, layers and examples; random choices follow the settings' seed."""
    dataset = finished.training.dataset
    random = np.random.default_rng(finished.training.config.seed)
    examples, wrong = _examples(finished, random)
    lines: list[str] = []
    model.summary(line_length=100, print_fn=lines.append, expand_nested=True)
    return Portrait(
        counts={name: list(one.classes.values()) for name, one in dataset.counts.items()},
        samples=_samples(dataset, random),
        layers=layers_of(model),
        summary="\n".join(lines) + "\n",
        splits=_splits(finished, random),
        examples=examples,
        wrong=wrong,
        kernels=_kernels(finished.training, random),
    )


def layers_of(model: keras.Model) -> list[Layer]:
    """Returns the layers of a built model in order, those of models inside it one by one."""
    found: list[Layer] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += layers_of(layer)
            continue
        shapes = ["×".join(map(str, weight.shape)) for weight in layer.weights if weight.shape]
        output = keras.tree.flatten(layer.output)[0]
        found.append(
            Layer(
                name=layer.name,
                kind=type(layer).__name__,
                output=tuple(int(size) for size in output.shape[1:]),
                parameters=int(layer.count_params()) if layer.built else 0,
                trainable=sum(int(np.prod(w.shape)) for w in layer.trainable_weights),
                derivation=" + ".join(shapes),
            )
        )
    return found


def _samples(dataset: BuiltDataset, random: np.random.Generator) -> dict[str, list[np.ndarray]]:
    part = dataset.split("training")
    found = {}
    for label, word in enumerate(dataset.words):
        places = np.flatnonzero(part.labels == label)
        chosen = random.permutation(places)[:SAMPLES_A_CLASS]
        found[word] = [_thumbnail(dataset.folder / part.paths[place]) for place in chosen]
    return found


def _examples(finished: Finished, random: np.random.Generator) -> tuple[list[Example], int]:
    dataset = finished.training.dataset
    testing = finished.assessment.scored["testing"]
    predicted = finished.assessment.predicted()
    right = predicted == testing.truth
    wrong_places = random.permutation(np.flatnonzero(~right))
    right_places = random.permutation(np.flatnonzero(right))
    wrong = min(len(wrong_places), max(EXAMPLES // 2, EXAMPLES - len(right_places)))
    chosen = [*wrong_places[:wrong], *right_places[: EXAMPLES - wrong]]
    words = dataset.words
    return [
        Example(
            pixels=_thumbnail(dataset.folder / testing.paths[place]),
            truth=words[testing.truth[place]],
            predicted=words[predicted[place]],
            probability=float(testing.probabilities[place, predicted[place]]),
            right=bool(right[place]),
        )
        for place in chosen
    ], int((~right).sum())


def _splits(finished: Finished, random: np.random.Generator) -> list[SplitFigures]:
    training = finished.training
    labels = training.dataset.split("training").labels
    places = np.sort(random.permutation(len(labels))[:MOST_TRAINING_IMAGES])
    predictor = Predictor(Run(folder=training.folder, record=finished.record))
    pixels = plain_batches(training.dataset, "training", training.config).pixels
    rows = [
        predictor.probabilities(pixels[places[start : start + 256]])
        for start in range(0, len(places), 256)
    ]
    found = [_figures("training", labels[places], np.concatenate(rows), of=len(labels))]
    for name, split in finished.alone.scored.items():
        found.append(_figures(name, split.truth, split.probabilities, of=len(split.truth)))
    return found


def _figures(name: str, truth: np.ndarray, probabilities: np.ndarray, *, of: int) -> SplitFigures:
    own = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return SplitFigures(
        split=name,
        images=len(truth),
        of=of,
        loss=float(-np.log(np.clip(own, 1e-7, 1.0)).mean()),
        accuracy=float((probabilities.argmax(axis=1) == truth).mean()),
    )


def _kernels(training: Training, random: np.random.Generator) -> KernelViews | None:
    dataset, config = training.dataset, training.config
    used = entry_of(config.model).kernel
    if not used:
        return None
    part = dataset.split("training")
    path = dataset.folder / part.paths[int(random.integers(len(part.paths)))]
    return kernel_views(prepare(path, training.input).pixels, used)


def kernel_views(pixels: np.ndarray, used: str) -> KernelViews:
    """Filters one image, uint8 (height, width, 3), with every kernel; `used` is marked."""
    batch = np.asarray(pixels, np.float32)[None]
    return KernelViews(
        used=used,
        original=pixels,
        filtered={name: np.asarray(filter_image(batch, name))[0] for name in KERNELS},
        stretched={name: np.asarray(filter_and_stretch(batch, name))[0] for name in KERNELS},
        coefficients=KERNELS,
    )


def _thumbnail(path: Path) -> np.ndarray:
    try:
        image = read_rgb(path)
    except ImageError:
        # It was scored a moment ago; a report must not fail for a picture.
        return np.full((8, 8, 3), 200, np.uint8)
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8)
