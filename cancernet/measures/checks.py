"""What every metric asks of its input, each with one clear sentence when it is not so."""

from typing import Any

import numpy as np

# float32 probabilities of several classes may add up to a little more than 1.
TOLERANCE = 1e-5


def check_truth(truth: Any, classes: int = 2) -> np.ndarray:
    """Returns the truth as int64 of shape (images,), each in 0 … classes - 1.

    Raises:
        ValueError: not one-dimensional, empty, or not class indices.
    """
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
    """Returns scores as float64 of shape (images,), each in 0-1.

    Raises:
        ValueError: another shape, not a number, or outside 0-1.
    """
    array = np.asarray(score, dtype=np.float64)
    if array.shape != (images,):
        raise ValueError(f"score must have shape ({images},) like truth, but has {array.shape}")
    _check_range(array, "score")
    return array


def check_probabilities(probabilities: Any, images: int, classes: int) -> np.ndarray:
    """Returns probabilities as float64 of shape (images, classes), rows adding up to 1.

    Raises:
        ValueError: another shape, not a number, outside 0-1, or rows that do not add up.
    """
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
    """Returns the threshold, or one for every image; 0 makes every image positive.

    Raises:
        ValueError: not a number, or outside 0-1.
    """
    array = np.asarray(threshold, dtype=np.float64)
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"the threshold must lie between 0 and 1, but is {threshold}")
    return float(array) if array.ndim == 0 else array


def check_patients(patients: Any, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the patients' names, sorted, and for every image the index of its patient.

    Raises:
        ValueError: not one name for every image.
    """
    array = np.asarray(patients)
    if array.shape != (images,):
        raise ValueError(f"patients must have shape ({images},) like truth, but has {array.shape}")
    names, index = np.unique(array.astype(str), return_inverse=True)
    return names, index.astype(np.int64)


def _check_range(array: np.ndarray, name: str) -> None:
    broken = int(np.count_nonzero(~np.isfinite(array)))
    if broken:
        raise ValueError(f"{broken} of {array.size} values of {name} are not finite numbers")
    low, high = array.min(initial=0), array.max(initial=1)
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        raise ValueError(f"{name} must lie between 0 and 1, but reach from {low:g} to {high:g}")
