"""Images judged positive against the rest, checked once; every figure is made of `Calls`."""

import dataclasses
import functools
from typing import Any

import numpy as np

from cancernet.measures.ranking import Ranking, rank

# float32 probabilities of several classes may add up to a little more than 1.
TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True, eq=False)
class Calls:
    """Scores of images with their truth; an image is called positive iff score >= threshold.

    Attributes:
        truth: (images,) int64, 1 for positive, 0 for the rest.
        score: (images,) float64 probability of being positive, 0-1.
        threshold: 0-1; one, or (images,) one for each.
        patients: (images,) name of every image's patient, or None where not known.

    Raises:
        ValueError: shapes that differ, values that are not numbers or outside 0-1.
    """

    truth: Any
    score: Any
    threshold: Any = 0.5
    patients: Any = None

    def __post_init__(self) -> None:
        truth = check_truth(self.truth)
        found = {
            "truth": truth,
            "score": check_score(self.score, len(truth)),
            "threshold": check_threshold(self.threshold),
        }
        if self.patients is not None:
            found["patients"] = check_patients(self.patients, len(truth))
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.truth)

    def __getitem__(self, part: np.ndarray) -> "Calls":
        """Returns some of the images, by places or a mask of shape (images,)."""
        threshold = self.threshold[part] if np.ndim(self.threshold) else self.threshold
        patients = None if self.patients is None else self.patients[part]
        return Calls(self.truth[part], self.score[part], threshold, patients)

    @property
    def of_one_class(self) -> bool:
        """Whether all images are positive, or none is."""
        return bool(self.truth.min() == self.truth.max())

    @property
    def only(self) -> str:
        """The side of the first image, in a word; that of all images where `of_one_class`."""
        return "positive" if self.truth[0] else "negative"

    @property
    def called(self) -> np.ndarray:
        """(images,) bool: which are called positive."""
        return self.score >= self.threshold

    @property
    def operating_points(self) -> list[float]:
        """The one threshold, or both in context; none of more, as of folds and whole slides."""
        found: list[float] = np.unique(self.threshold).tolist()
        return found if len(found) <= 2 else []

    @functools.cached_property
    def ranking(self) -> Ranking:
        """The images sorted by score."""
        return rank(self.truth, self.score)

    @functools.cached_property
    def _named(self) -> tuple[np.ndarray, np.ndarray]:
        if self.patients is None:
            raise ValueError("the patients of these images must be known")
        return np.unique(self.patients, return_inverse=True)

    @property
    def names(self) -> np.ndarray:
        """The patients' names, sorted, (patients,)."""
        return self._named[0]

    @property
    def patient_index(self) -> np.ndarray:
        """Place of every image's patient among `names`, (images,)."""
        return self._named[1]

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """(patients, 4) float64: `tn, fp, fn, tp` of every patient."""
        cell = 4 * self.patient_index + 2 * self.truth + self.called
        return np.bincount(cell, minlength=4 * len(self.names)).reshape(-1, 4).astype(np.float64)

    @functools.cached_property
    def squares(self) -> np.ndarray:
        """Sum of (score - truth)² of every patient, (patients,)."""
        return np.bincount(self.patient_index, weights=(self.score - self.truth) ** 2)

    @property
    def negatives(self) -> np.ndarray:
        """Negative images of every patient, (patients,)."""
        return self.counts[:, 0] + self.counts[:, 1]

    @property
    def positives(self) -> np.ndarray:
        """Positive images of every patient, (patients,)."""
        return self.counts[:, 2] + self.counts[:, 3]

    @property
    def patients_by_class(self) -> tuple[int, int]:
        """How many patients have negative and how many have positive images."""
        return int((self.negatives > 0).sum()), int((self.positives > 0).sum())


# Each raises a ValueError with one sentence where the input is not as it says.


def check_truth(truth: Any, classes: int = 2) -> np.ndarray:
    """Returns the truth as int64 of shape (images,), each in 0 … classes - 1."""
    array = np.asarray(truth)
    if array.ndim != 1:
        raise ValueError(f"truth must be one-dimensional, but has shape {array.shape}")
    if array.size == 0:
        raise ValueError("there are no images to judge: truth is empty")
    whole = array.astype(np.int64) if array.dtype.kind in "biuf" else None
    if whole is None or not np.array_equal(whole, array):
        raise ValueError("truth must hold whole numbers (class indices)")
    if whole.min() < 0 or whole.max() >= classes:
        raise ValueError(
            f"truth must lie in 0 to {classes - 1}, but holds {whole.min()} to {whole.max()}"
        )
    return whole


def check_score(score: Any, images: int) -> np.ndarray:
    """Returns scores as float64 of shape (images,), each in 0-1."""
    array = np.asarray(score, dtype=np.float64)
    if array.shape != (images,):
        raise ValueError(f"score must have shape ({images},) like truth, but has {array.shape}")
    _check_range(array, "score")
    return array


def check_probabilities(probabilities: Any, images: int, classes: int) -> np.ndarray:
    """Returns probabilities as float64 of shape (images, classes), rows adding up to 1."""
    array = np.asarray(probabilities, dtype=np.float64)
    if array.shape != (images, classes):
        raise ValueError(
            f"probabilities must have shape ({images}, {classes}), but have {array.shape}"
        )
    _check_range(array, "probabilities")
    sums = array.sum(axis=1)
    # Room for bfloat16 and for files that rounded to four digits; a logit is caught.
    if np.abs(sums - 1).max(initial=0) > 0.01:
        raise ValueError(
            "the probabilities of an image must add up to 1, "
            f"but some add up to {sums[np.abs(sums - 1).argmax()]:.4f}"
        )
    return array


def check_threshold(threshold: Any) -> Any:
    """Returns the threshold, or one for every image; 0 makes every image positive."""
    array = np.asarray(threshold, dtype=np.float64)
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"the threshold must lie between 0 and 1, but is {threshold}")
    return float(array) if array.ndim == 0 else array


def check_patients(patients: Any, images: int) -> np.ndarray:
    """Returns the patients' names as text, shape (images,)."""
    array = np.asarray(patients)
    if array.shape != (images,):
        raise ValueError(f"patients must have shape ({images},) like truth, but have {array.shape}")
    return array.astype(str)


def _check_range(array: np.ndarray, name: str) -> None:
    broken = int(np.count_nonzero(~np.isfinite(array)))
    if broken:
        raise ValueError(f"{broken} of {array.size} values of {name} are not finite numbers")
    low, high = array.min(initial=0), array.max(initial=1)
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        raise ValueError(f"{name} must lie between 0 and 1, but reach from {low:g} to {high:g}")
