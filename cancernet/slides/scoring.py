"""From a folder of patches or a large image to slide maps, through the run's predictor."""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cancernet import catalog
from cancernet.base.console import progress_bar
from cancernet.base.errors import CancerNetError
from cancernet.images.formats import SUFFIXES
from cancernet.runs.run_folder import Run
from cancernet.scoring.inputs import Inputs
from cancernet.scoring.prediction import Failure, Prediction
from cancernet.scoring.predictor import Predictor, Prepared
from cancernet.slides.large_image import LargeImage
from cancernet.slides.slide_map import Box, Mosaic, ScoredPatch, SlideMap, map_of_patches

EXAMPLE = "8863_idx5_x1001_y1051_class0.png"
PATCH = 50  # if the run does not say
# A pixel is glass when even its darkest channel is this bright: tissue stained with
# haematoxylin or eosin always takes light out of one. Black is what a scanner left out.
BRIGHT = 210
BLACK = 16
LEAST_TISSUE = 0.1  # of a patch's pixels


@dataclasses.dataclass(frozen=True)
class Place:
    """A patch file: its patient, its upper left corner (pixels), and its label if named."""

    path: Path
    patient: str
    x: int
    y: int
    label: str | None


@dataclasses.dataclass(frozen=True)
class PatientPatches:
    """The patches of one patient: for every place, by rows, its file and then any copies."""

    places: list[list[Place]]

    @property
    def copies(self) -> int:
        """How many patches have the place of another."""
        return sum(len(files) - 1 for files in self.places)

    @property
    def disputed(self) -> int:
        """How many places have copies of different labels."""
        return sum(len(_labels(files)) > 1 for files in self.places)


def read_place(path: Path) -> Place | None:
    """Reads `<patient>_idx5_x<X>_y<Y>[_class<C>].png`; None for another name."""
    place = catalog.read_place(path.name)
    if place is None or path.suffix.lower() not in SUFFIXES:
        return None
    return Place(path, *place)


def find_patients(folders: list[Path]) -> tuple[dict[str, PatientPatches], int]:
    """Finds every patient's patches in folders, however deep.

    A place that comes twice counts once: the download may hold everything twice.

    Returns:
        Patient -> patches, sorted by name, and how many images have no place in the
        name or are masks.

    Raises:
        CancerNetError: no patch with a place in its name.
    """
    patients: dict[str, dict[tuple[int, int], list[Place]]] = {}
    unplaced = 0
    inputs = Inputs(folders)
    for path in inputs:
        place = read_place(path)
        if place is None:
            unplaced += 1
        else:
            there = patients.setdefault(place.patient, {})
            there.setdefault((place.y, place.x), []).append(place)
    if not patients:
        raise CancerNetError(
            f"{folders[0]} holds no patches with a place in their names, such as {EXAMPLE}"
        )
    return {
        patient: PatientPatches([there[corner] for corner in sorted(there)])
        for patient, there in sorted(patients.items())
    }, unplaced + inputs.masks


def map_of_places(
    predictor: Predictor, name: str, patches: PatientPatches, *, side: int
) -> tuple[SlideMap, list[Failure]]:
    """Scores one patient's patches and puts them in their places; `name` is that of the slide.

    `side` is that of a whole patch in pixels; those at an edge may be smaller.

    Returns:
        The map, and the files that could not be read; a copy stands in for one that could not.

    Raises:
        CancerNetError: the patches do not lie on one grid.
    """
    places = patches.places
    scored, failures = [], []
    results = predictor.predict_many(files[0].path for files in places)
    for files, first in zip(places, _counted(results, name, len(places)), strict=True):
        path, probability, unlike = files[0].path, math.nan, None
        for answer in chain([first], predictor.predict_many(copy.path for copy in files[1:])):
            if isinstance(answer, Prediction):
                path, probability = Path(answer.path), answer.positive_probability
                unlike = answer.unlike_training
                break
            failures.append(answer)
        labels = _labels(files)
        scored.append(
            ScoredPatch(
                path=path,
                x=files[0].x,
                y=files[0].y,
                probability=probability,
                truth=_truth_of(labels.pop(), predictor.run) if len(labels) == 1 else -1,
                unlike=unlike,
            )
        )
    threshold = predictor.run.threshold
    return map_of_patches(name, scored, size=(side, side), threshold=threshold), failures


def map_of_image(predictor: Predictor, name: str, image: LargeImage, *, side: int) -> SlideMap:
    """Cuts a large image into patches, leaves glass out, and scores the rest in a stream.

    `side` is that of a patch in pixels of the image.

    Raises:
        CancerNetError: there is nothing but background.
    """
    mosaic = Mosaic(name, left=0, top=0, right=image.width, bottom=image.height)
    patches = _patches(predictor, image, mosaic, side)
    while batch := list(islice(patches, predictor.group)):
        scores = predictor.score([image for _, image in batch])
        for (box, _), score in zip(batch, scores, strict=True):
            probability = float(score.probabilities[predictor.run.positive_columns].sum())
            mosaic.add(box, probability, unlike=score.unlike_training)
    slide = mosaic.slide_map(predictor.run.threshold)
    if not len(slide.boxes):
        raise CancerNetError(
            f"{name}: all {mosaic.skipped:,} patches are background, so there is nothing to score"
        )
    return slide


def patch_side(run: Run) -> int:
    """Returns the side of the patches the run was trained on, pixels at full resolution."""
    if run.record.context is not None:
        return run.record.context.side
    size = run.record.dataset.image_size
    return size[0] if size else PATCH


def is_background(pixels: NDArray[np.uint8]) -> bool:
    """Tells whether less than `LEAST_TISSUE` of a patch (height, width, 3) is tissue."""
    darkest, brightest = pixels.min(axis=-1), pixels.max(axis=-1)
    return bool(((darkest < BRIGHT) & (brightest > BLACK)).mean() < LEAST_TISSUE)


def _patches(
    predictor: Predictor, image: LargeImage, mosaic: Mosaic, side: int
) -> Iterator[tuple[Box, Prepared]]:
    """Gives the patches that are not background, ready for the predictor; pastes all."""
    top = 0
    for band in _counted(image.bands(side), mosaic.name, -(-image.height // side)):
        mosaic.paste(0, top, band)
        for left in range(0, image.width, side):
            pixels = band[:, left : left + side]
            if is_background(pixels):
                mosaic.skipped += 1
            else:
                box = (left, top, pixels.shape[1], pixels.shape[0])
                yield box, predictor.prepare(Image.fromarray(pixels))
        top += len(band)


def _labels(files: list[Place]) -> set[str]:
    return {file.label for file in files if file.label is not None}


def _truth_of(label: str, run: Run) -> int:
    return -1 if label not in run.classes else int(label in run.positive)


def _counted(results: Iterable[Any], name: str, total: int) -> Iterator[Any]:
    yield from progress_bar(results, title=f"Slide {name}", total=total, unit=" patches")
