"""Finds what training images look like, and the distance from which an image is unlike them."""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cancernet.appearance.appearance import FURTHEST, MEASURES, Appearance, measure, packed
from cancernet.base.errors import ImageError
from cancernet.base.processor import processors

MOST_IMAGES = 4000  # of each split: more take time and change little
LEAST_IMAGES = 20
LEAST_PATIENTS = 2
FOLDS = 5
REFERENCES = 64
# With this many patients the covariance is drawn half-way to a sphere: images of one patient are
# alike, so few patients show few of the ways in which the next one may differ.
DOUBTED = 5
LEAST_DOUBT = 0.1  # however many there are: a coloured label is rare, but not another kind
# In logarithms, the threshold lies this many times as far above the median as the 95 % quantile
# does: a higher quantile would depend on one odd patient of a few dozen.
BEYOND = 1.9
TAIL = 0.95
MOST = 4.0  # medians; one odd patient of a few would put the threshold beyond everything
LEAST_VARIANCE = 1e-3  # square spreads; images may be all the same
_BATCH = 16
_LEVEL = 3.29  # standard deviations between the 5 % and the 95 % quantile of a normal distribution


@dataclasses.dataclass(frozen=True, kw_only=True)
class Files:
    """Image files, their patients, and what reads a file into `pixels` for the network.

    `prepare` also tells the `size` before scaling, and raises ImageError.
    """

    folder: Path
    paths: Sequence[str]
    patients: Sequence[str]
    prepare: Callable[[Path], Any]

    def measured(self, *, seed: int) -> "Measured":
        """Measures the images, some of them if many; leaves out what cannot be read."""
        random = np.random.default_rng(seed)
        chosen = random.permutation(len(self.paths))[:MOST_IMAGES].tolist()
        batches = [chosen[start : start + _BATCH] for start in range(0, len(chosen), _BATCH)]
        with ThreadPoolExecutor(processors()) as pool:
            found = list(pool.map(self._batch, batches))
        rows = [row for rows, _ in found for row in rows]
        return Measured(np.array(rows), [patient for _, patients in found for patient in patients])

    def _batch(self, places: list[int]) -> tuple[list[NDArray[np.float64]], list[str]]:
        images, sizes, patients = [], [], []
        for place in places:
            with contextlib.suppress(ImageError):
                image = self.prepare(self.folder / self.paths[place])
                images.append(image.pixels)
                sizes.append(image.size)
                patients.append(self.patients[place])
        return list(measure(np.stack(images), sizes)) if images else [], patients


@dataclasses.dataclass(frozen=True)
class Measured:
    """Images: their rows of `measure`, (n, 30), and their patients, (n,)."""

    rows: NDArray[np.float64]
    patients: Sequence[str]


def describe_files(training: Files, others: Files, *, seed: int) -> Appearance | None:
    """Describes training images; see `fit_appearance`."""
    return fit_appearance(training.measured(seed=seed), others.measured(seed=seed), seed=seed)


def fit_appearance(training: Measured, others: Measured, *, seed: int) -> Appearance | None:
    """Describes training images; the threshold comes from images of patients left out.

    These are the training images themselves, described without their fold of patients, and
    those of other patients.

    Args:
        training: what the network was trained on.
        others: of other patients, such as the validation images; may be empty.
        seed: of the division into folds and of the references.

    Returns:
        The description; None for too few images or patients.
    """
    from threadpoolctl import threadpool_limits

    patients, place = np.unique(np.asarray(training.patients), return_inverse=True)
    if len(training.rows) < LEAST_IMAGES or len(patients) < LEAST_PATIENTS:
        return None
    folds = np.random.default_rng(seed).permutation(len(patients))[place] % FOLDS
    # For so little work threads spend twenty times as long waiting for each other.
    with threadpool_limits(1):
        left_out = [
            _described(
                training.rows[folds != fold], len(set(place[folds != fold])), seed
            ).distances(training.rows[folds == fold])
            for fold in np.unique(folds)
        ]
        whole = _described(training.rows, len(patients), seed)
    distances = np.concatenate([*left_out, whole.distances(others.rows)])
    return dataclasses.replace(whole, threshold=_threshold(distances))


def _threshold(distances: NDArray[np.float64]) -> float:
    median, tail = np.maximum(np.quantile(distances, (0.5, TAIL)), np.finfo(float).tiny)
    return float(median * min((tail / median) ** BEYOND, MOST))


def _described(rows: NDArray[np.float64], patients: int, seed: int) -> Appearance:
    """Describes the images of `patients` patients; the threshold means nothing yet."""
    from sklearn.cluster import KMeans

    names, least = [each.name for each in MEASURES], [each.least for each in MEASURES]
    low, typical, high = np.quantile(rows, (1 - TAIL, 0.5, TAIL), axis=0)
    spread = np.maximum((high - low) / _LEVEL, least)
    apart = np.clip((rows - typical) / spread, -FURTHEST, FURTHEST)
    covariance = np.cov(apart, rowvar=False)
    sphere = np.eye(len(names)) * np.trace(covariance) / len(names)
    doubt = max(DOUBTED / (DOUBTED + patients), LEAST_DOUBT)
    values, vectors = np.linalg.eigh((1 - doubt) * covariance + doubt * sphere)
    turn = vectors / np.sqrt(np.maximum(values, LEAST_VARIANCE))
    placed = apart @ turn
    count = min(REFERENCES, len(rows) // 2, len(np.unique(placed, axis=0)))
    grouped = KMeans(count, n_init=1, max_iter=20, random_state=seed).fit(placed)
    return Appearance(
        typical=dict(zip(names, typical.tolist(), strict=True)),
        spread=dict(zip(names, spread.tolist(), strict=True)),
        turn=packed(turn),
        references=packed(grouped.cluster_centers_),
        threshold=1.0,
        images=len(rows),
    )
