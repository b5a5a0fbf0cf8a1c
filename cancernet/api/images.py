"""Takes images as people have them (files, folders, Pillow images, arrays), and predicts them."""

import dataclasses
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cancernet.api.answers import Prediction
from cancernet.base.errors import ImageError
from cancernet.base.words import DRAWN, NOTICE
from cancernet.images.reading import to_rgb
from cancernet.scoring import prediction as scoring
from cancernet.scoring.in_context import as_the_run_judges
from cancernet.scoring.inputs import Inputs
from cancernet.scoring.prediction import Failure
from cancernet.scoring.predictor import Predictor
from cancernet.scoring.words import as_text, masks_skipped

Source = Path | Image.Image  # the image in RGB
_log = logging.getLogger(__name__)
PICTURES_AT_ONCE = 256  # so that a long list takes little memory


def as_sources(images: Any) -> tuple[list[Source], bool]:
    """Returns the images in their order, and whether several were asked for.

    Args:
        images: a path, a Pillow image, an array, or any number of these; a folder stands for
            all images in it but masks, whose number is logged.

    Raises:
        ImageError: an array is of another shape or range, or something is none of these.
    """
    if isinstance(images, str) and not images:
        raise ImageError("the path is empty; name a file or a folder")
    if isinstance(images, str | os.PathLike):
        inputs = Inputs([Path(images)])
        found: list[Source] = list(inputs)
        if inputs.masks:
            _log.warning(masks_skipped(inputs.masks))
        return found, Path(images).is_dir()
    if isinstance(images, np.ndarray | Image.Image):
        return [_as_image(images)], False
    if isinstance(images, bytes) or not isinstance(images, Iterable):
        raise ImageError(
            f"{type(images).__name__} is no image; give a path, a Pillow image, an array (0-255), "
            "or a list of these"
        )
    return [source for each in images for source in as_sources(each)[0]], True


def _as_image(picture: np.ndarray | Image.Image) -> Image.Image:
    if isinstance(picture, Image.Image) and picture.mode.startswith(("I", "F")):
        picture = np.asarray(picture)  # more than 8 bits: nobody says how many are used
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(_checked(picture))
    return to_rgb(picture)


def _checked(pixels: np.ndarray) -> np.ndarray:
    """Returns an array as rounded uint8; refuses one that would give a wrong picture."""
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)) or not pixels.size:
        raise ImageError(
            f"the array has the shape {pixels.shape}; an image is (height, width, 3) in RGB, or "
            "(height, width) in grey, and several are a list"
        )
    if pixels.dtype == np.uint8:
        return pixels
    low, high = float(pixels.min()), float(pixels.max())
    if not 0 <= low <= high <= 255:
        raise ImageError(f"the array has values from {low:g} to {high:g}; give 0 to 255")
    if pixels.dtype.kind in "fb" and 0 < high <= 1:
        raise ImageError(
            f"the array has values from {low:g} to {high:g}, which looks like a range of 0 to 1; "
            "give 0 to 255"
        )
    return np.rint(pixels).astype(np.uint8)


def predict_sources(
    predictor: Predictor, sources: Sequence[Source], *, alone: bool
) -> Iterator[Prediction]:
    """Predicts files as the run judges them; pictures, whose places are unknown, alone."""
    run, judging = predictor.run, predictor if alone else as_the_run_judges(predictor)
    files = judging.predict_many(each for each in sources if isinstance(each, Path))
    named = ((f"image {number}", each) for number, each in enumerate(sources, 1))
    pictures = _predict_pictures(
        predictor, [(name, each) for name, each in named if not isinstance(each, Path)]
    )
    known = {field.name for field in dataclasses.fields(Prediction)}
    closing = f"{DRAWN} {NOTICE}" if run.drawn else NOTICE
    for source in sources:
        found = next(files if isinstance(source, Path) else pictures)
        text = f"{found.path}: {found.error}" if isinstance(found, Failure) else as_text(found, run)
        facts = {name: value for name, value in vars(found).items() if name in known}
        yield Prediction(**facts, image=source, text=text, closing=closing)


def _predict_pictures(
    predictor: Predictor, named: Sequence[tuple[str, Image.Image]]
) -> Iterator[scoring.Prediction]:
    for start in range(0, len(named), PICTURES_AT_ONCE):
        some = named[start : start + PICTURES_AT_ONCE]
        scores = predictor.score([predictor.prepare(picture) for _, picture in some])
        for (name, _), score in zip(some, scores, strict=True):
            yield scoring.interpret(predictor.run, name, score, predictor.run.threshold)
