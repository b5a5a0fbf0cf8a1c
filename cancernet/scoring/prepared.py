"""Images as a network takes them in, and whether they are unlike those it was trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from cancernet.appearance.measure import measure
from cancernet.base.formats import GUESSED
from cancernet.base.images import read_rgb, to_array
from cancernet.base.oddities import NOTHING_ODD, ODDITY, Oddity
from cancernet.runs.run_folder import Run
from cancernet.runs.run_record import Input


class Prepared(NamedTuple):
    """An image that is ready to be scored: uint8 RGB (height, width, 3), 0-255."""

    pixels: np.ndarray
    size: tuple[int, int]  # width and height before it was scaled
    guessed_depth: int = 0  # bits that were taken for values whose depth nothing tells; 0: told
    oddity: Oddity = NOTHING_ODD


def prepare(source: Path | bytes | Image.Image, scaling: Input) -> Prepared:
    """Decodes an image, unless it is, and scales it.

    Raises:
        ImageError: it cannot be read as an image.
    """
    image = source if isinstance(source, Image.Image) else read_rgb(source, bits=scaling.bits)
    pixels = to_array(
        image, width=scaling.width, height=scaling.height, interpolation=scaling.interpolation
    )
    return Prepared(
        pixels,
        image.size,
        guessed_depth=image.info.get(GUESSED, 0),
        oddity=image.info.get(ODDITY, NOTHING_ODD),
    )


def measured(images: Sequence[Prepared]) -> np.ndarray:
    """Measures images: `measure`'s rows, (n, 30)."""
    return measure(np.stack([image.pixels for image in images]), [image.size for image in images])


def unlike_training(images: Sequence[Prepared], run: Run) -> list[bool | None]:
    """Tells which images are of another kind than the training images of a run.

    None where the run does not say what those look like, as older runs do not.
    """
    appearance = run.record.appearance
    if appearance is None or not appearance.is_known:
        return [None] * len(images)
    return (appearance.distances(measured(images)) > appearance.threshold).tolist()
