"""Describes the images that a network was trained on, so that others can be told apart."""

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cancernet.appearance.appearance import Appearance, measure
from cancernet.appearance.fit import Measured, fit_appearance
from cancernet.base.errors import ImageError
from cancernet.base.parallel import processors
from cancernet.planning.plan import Training
from cancernet.runs.run_record import Input
from cancernet.scoring.predictor import Prepared, prepare

MOST_IMAGES = 4000  # of each split: more take time and change little
_BATCH = 16


def describe(training: Training, scaling: Input) -> Appearance | None:
    """Describes the training images; the threshold comes from patients left out and validation.

    Args:
        training: the data set and the seed.
        scaling: how the network takes images in.

    Returns:
        The description; None for too few images or patients.
    """
    described, others = (_measured(training, name, scaling) for name in ("training", "validation"))
    return fit_appearance(described, others, seed=training.config.seed)


def measured(images: Sequence[Prepared]) -> np.ndarray:
    """Measures images: `measure`'s rows, (n, 30)."""
    return measure(np.stack([image.pixels for image in images]), [image.size for image in images])


def _measured(training: Training, split: str, scaling: Input) -> Measured:
    """Measures the images of a split, some of them if many; leaves out what cannot be read."""
    part = training.dataset.split(split)
    random = np.random.default_rng(training.config.seed)
    chosen = random.permutation(len(part.paths))[:MOST_IMAGES].tolist()

    def batch(places: list[int]) -> tuple[list[np.ndarray], list[str]]:
        images, patients = [], []
        for place in places:
            with contextlib.suppress(ImageError):
                images.append(prepare(training.dataset.folder / part.paths[place], scaling))
                patients.append(part.patients[place])
        return list(measured(images)) if images else [], patients

    batches = [chosen[start : start + _BATCH] for start in range(0, len(chosen), _BATCH)]
    with ThreadPoolExecutor(processors()) as pool:
        found = list(pool.map(batch, batches))
    rows = [row for rows, _ in found for row in rows]
    return Measured(np.array(rows), [patient for _, patients in found for patient in patients])
