"""Gathers what the report shows of data and network: counts, samples, layers, examples."""

from pathlib import Path

import keras
import numpy as np
from PIL import Image

from cancernet.base.errors import ImageError
from cancernet.dataset.manifest import BuiltDataset
from cancernet.images.reading import read_rgb
from cancernet.models import network
from cancernet.models.preprocessing import KERNELS, filter_and_stretch, filter_image
from cancernet.planning.plan import Finished, Training
from cancernet.report.portrait import Example, KernelViews, Layer, Portrait, SplitFigures
from cancernet.runs.run_folder import Run
from cancernet.scoring.predictor import Predictor, prepare
from cancernet.training.data.batches import plain_batches

SAMPLES_A_CLASS = 6
EXAMPLES = 16
THUMBNAIL = 128  # pixels of the longer side
# More would take minutes on the whole of IDC and change the third digit.
MOST_TRAINING_IMAGES = 10_000


def make_portrait(model: keras.Model, finished: Finished) -> Portrait:
    """Gathers it all; every random choice follows the settings' seed."""
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
    used = network(config.model).kernel
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
