"""From patches or a large image to slide maps, through the run's predictor."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cancernet.base.errors import CancerNetError
from cancernet.base.images import read_rgb, to_array
from cancernet.runs.run_folder import Run
from cancernet.scoring.predictor import BATCH_SIZE, Failure, Prediction, Predictor
from cancernet.slides.bands import Bands
from cancernet.slides.cells import check_grid
from cancernet.slides.mosaic import Box, Mosaic, SlideMap
from cancernet.slides.positions import PatientPatches

PATCH = 50  # if the run does not say
# A pixel is glass when even its darkest channel is this bright: tissue stained with
# haematoxylin or eosin always takes light out of one. Black is what a scanner left out.
BRIGHT = 210
BLACK = 16
LEAST_TISSUE = 0.1  # of a patch's pixels


def patch_side(run: Run) -> int:
    """Side of the patches the run was trained on, pixels at full resolution."""
    size = run.record.dataset.image_size
    return size[0] if size else PATCH


def map_of_places(
    predictor: Predictor,
    name: str,
    patches: PatientPatches,
    *,
    side: int,
) -> tuple[SlideMap, list[Failure]]:
    """Scores one patient's patches and puts them in their places.

    Args:
        predictor: of the run.
        name: of the slide.
        patches: at least one; where one cannot be read, a copy at its place is tried.
        side: of a whole patch, pixels; those at an edge may be smaller.

    Returns:
        The map, and the patches that could not be read; their places stay empty unless
        there was a copy.

    Raises:
        CancerNetError: the patches do not lie on one grid.
    """
    places = patches.places
    mosaic = Mosaic(
        name,
        left=min(place.x for place in places),
        top=min(place.y for place in places),
        right=max(place.x for place in places) + side,
        bottom=max(place.y for place in places) + side,
    )
    failures = []
    results = predictor.predict_many([place.path for place in places])
    for place, result in zip(places, _counted(results, name, len(places)), strict=True):
        copies = iter(patches.spares.get((place.x, place.y), ()))
        answer: Prediction | Failure = result
        while isinstance(answer, Failure):
            failures.append(answer)
            copy = next(copies, None)
            if copy is None:
                break
            [answer] = predictor.predict_many([copy.path])
        if isinstance(answer, Failure):
            mosaic.failed += 1
            continue
        pixels = np.asarray(read_rgb(Path(answer.path)))
        mosaic.paste(place.x, place.y, pixels)
        box = (place.x, place.y, pixels.shape[1], pixels.shape[0])
        mosaic.add(box, answer.positive_probability, truth_of(place.label, predictor.run))
    slide = mosaic.slide_map(predictor.run.threshold)
    check_grid(slide.boxes)
    return slide, failures


def truth_of(label: str | None, run: Run) -> int:
    """1 for a positive class, 0 for another, -1 where it is not known."""
    return -1 if label not in run.classes else int(label in run.positive)


def map_of_image(predictor: Predictor, name: str, image: Bands, *, side: int) -> SlideMap:
    """Cuts a large image into patches, leaves glass out, and scores the rest in a stream.

    Args:
        predictor: of the run.
        name: of the slide.
        image: opened with `open_image`.
        side: of a patch, pixels of the image.

    Raises:
        CancerNetError: there is nothing but background.
    """
    mosaic = Mosaic(name, left=0, top=0, right=image.width, bottom=image.height)
    run, indices = predictor.run, [predictor.run.classes.index(c) for c in predictor.run.positive]
    for boxes, pixels in _batches(_patches(image, mosaic, side), run):
        scores = predictor.probabilities(pixels)[:, indices].sum(axis=1)
        for box, score in zip(boxes, scores, strict=True):
            mosaic.add(box, float(score))
    slide = mosaic.slide_map(run.threshold)
    if not len(slide.boxes):
        raise CancerNetError(
            f"{name}: all {mosaic.skipped:,} patches are background, so there is nothing to score"
        )
    return slide


def is_background(pixels: NDArray[np.uint8]) -> bool:
    """Tells whether less than `LEAST_TISSUE` of a patch (height, width, 3) is tissue."""
    darkest, brightest = pixels.min(axis=-1), pixels.max(axis=-1)
    return bool(((darkest < BRIGHT) & (brightest > BLACK)).mean() < LEAST_TISSUE)


def _patches(image: Bands, mosaic: Mosaic, side: int) -> Iterator[tuple[Box, NDArray[np.uint8]]]:
    top = 0
    total = -(-image.height // side)
    for band in _counted(image.bands(side), mosaic.name, total):
        mosaic.paste(0, top, band)
        for left in range(0, image.width, side):
            pixels = band[:, left : left + side]
            if is_background(pixels):
                mosaic.skipped += 1
            else:
                yield (left, top, pixels.shape[1], pixels.shape[0]), pixels
        top += len(band)


def _batches(
    patches: Iterable[tuple[Box, NDArray[np.uint8]]], run: Run
) -> Iterator[tuple[list[Box], NDArray[np.uint8]]]:
    boxes, images = [], []
    for box, pixels in patches:
        boxes.append(box)
        images.append(
            to_array(
                Image.fromarray(pixels),
                width=run.width,
                height=run.height,
                interpolation=run.interpolation,
            )
        )
        if len(boxes) == BATCH_SIZE:
            yield boxes, np.stack(images)
            boxes, images = [], []
    if boxes:
        yield boxes, np.stack(images)


def _counted(results: Iterable[Any], name: str, total: int) -> Iterator[Any]:
    from tqdm import tqdm

    yield from tqdm(results, f"Slide {name}", total, disable=None)
