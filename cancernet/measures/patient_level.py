"""From the scores of a patient's patches to one score, and how well that one ranks patients."""

import dataclasses
from typing import Any

import numpy as np

from cancernet.measures import checks
from cancernet.measures.intervals import RESAMPLES, patient_intervals
from cancernet.measures.ranking import areas, rank

TOP = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatientScores:
    """One entry a patient, by name; arrays of shape (patients,).

    Attributes:
        patients: names, sorted.
        images: patches of each.
        true_share: share of patches that are positive.
        scores: "area fraction" (share of patches called positive), "mean score" and
            "mean of the top k", each 0-1.
    """

    patients: np.ndarray
    images: np.ndarray
    true_share: np.ndarray
    scores: dict[str, np.ndarray]


def patient_scores(
    truth: Any, score: Any, threshold: Any, patients: Any, *, top: int = TOP
) -> PatientScores:
    """Scores every patient from the patches.

    Args:
        truth: (images,) 1 for positive, 0 for the rest.
        score: (images,) 0-1.
        threshold: positive iff score >= threshold; one, or (images,) one for each.
        patients: (images,) name of every image's patient.
        top: how many of a patient's highest scores are averaged; all where there are fewer.

    Raises:
        ValueError: shapes that differ, values out of range, top below 1.
    """
    truth = checks.check_truth(truth)
    score = checks.check_score(score, len(truth))
    threshold = checks.check_threshold(threshold)
    if top < 1:
        raise ValueError(f"top must be at least 1, but is {top}")
    names, index = checks.check_patients(patients, len(truth))
    images = np.bincount(index)
    order = np.lexsort((-score, index))
    starts = np.cumsum(images) - images
    place = np.arange(len(score)) - np.repeat(starts, images)
    highest = place < top
    best = np.bincount(index[order], weights=score[order] * highest) / np.minimum(images, top)
    return PatientScores(
        patients=names,
        images=images,
        true_share=np.bincount(index, weights=truth) / images,
        scores={
            "area fraction": np.bincount(index, weights=score >= threshold) / images,
            "mean score": np.bincount(index, weights=score) / images,
            f"mean of the top {top}": best,
        },
    )


def patient_metrics(
    found: PatientScores,
    *,
    least_share: float = 0.0,
    resamples: int = RESAMPLES,
    seed: int = 7,
) -> dict[str, Any]:
    """Judges the scores of patients.

    Args:
        found: of `patient_scores`.
        least_share: a patient is positive when more than this share of the patches is.
        resamples: bootstrap draws of the intervals; patients are drawn, each one image.
        seed: of the draws.

    Returns:
        `patients, positive_patients, scores{name: {roc_auc, limits}}`; AUC and limits NaN
        when all patients are alike; `area_error{mean, mean_absolute}` of the area
        fraction against the true share; `note`.
    """
    truth = (found.true_share > least_share).astype(np.int64)
    rows = {}
    for name, score in found.scores.items():
        inside = np.clip(score, 0.0, 1.0)
        limits = patient_intervals(
            truth, inside, 0.5, found.patients, resamples=resamples, seed=seed
        ).limits["roc_auc"]
        rows[name] = {"roc_auc": areas(rank(truth, inside))[0], "limits": limits}
    error = found.scores["area fraction"] - found.true_share
    positives = int(truth.sum())
    note = ""
    if positives in (0, len(truth)):
        kind = "positive" if positives else "negative"
        note = f"All {len(truth)} patients are {kind}: there is no ranking of patients to judge."
    return {
        "patients": len(truth),
        "positive_patients": positives,
        "scores": rows,
        "area_error": {
            "mean": float(error.mean()),
            "mean_absolute": float(np.abs(error).mean()),
        },
        "note": note,
    }
