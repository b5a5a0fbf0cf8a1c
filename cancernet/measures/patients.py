"""Patients as units: how each fares, and one score a patient from the scores of its images."""

import dataclasses
from typing import Any

import numpy as np

from cancernet.measures import checks
from cancernet.measures.figures import ByName
from cancernet.measures.metrics import count_metrics
from cancernet.measures.ranking import areas, rank
from cancernet.measures.remarks import Kind, Remark, remark
from cancernet.measures.resampling.bootstrap import patient_sums
from cancernet.measures.resampling.intervals import RESAMPLES, patient_intervals
from cancernet.measures.words import sentence

TOP = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatientRow(ByName):
    """The images of one patient judged by themselves; NaN where undefined.

    Attributes:
        patient: name.
        images: number of them.
        positives: of the images.
        called_positive: of the images.
        true_share: share of positives.
        called_share: share called positive.
        mean_score: over the images.
    """

    patient: str
    images: int
    positives: int
    called_positive: int
    true_share: float
    called_share: float
    mean_score: float
    accuracy: float
    sensitivity: float
    specificity: float
    roc_auc: float
    tn: int
    fp: int
    fn: int
    tp: int


def patient_rows(truth: Any, score: Any, threshold: Any, patients: Any) -> list[PatientRow]:
    """Judges every patient by itself.

    Args:
        truth, score, threshold, patients: as for `binary_metrics`.

    Returns:
        Rows by rising accuracy, then more images first, then name.
    """
    sums = patient_sums(truth, score, threshold, patients)
    names = np.unique(np.asarray(patients).astype(str))
    truth, score = np.asarray(truth), np.asarray(score, np.float64)
    totals = np.bincount(sums.patient_index, weights=score)
    alone = count_metrics(*sums.counts.T)
    by_patient = np.split(
        np.argsort(sums.patient_index, kind="stable"),
        np.cumsum(np.bincount(sums.patient_index))[:-1],
    )
    rows = []
    for number, (name, own) in enumerate(zip(names, by_patient, strict=True)):
        tn, fp, fn, tp = (int(count) for count in sums.counts[number])
        images = tn + fp + fn + tp
        rows.append(
            PatientRow(
                patient=str(name),
                images=images,
                positives=tp + fn,
                called_positive=tp + fp,
                true_share=(tp + fn) / images,
                called_share=(tp + fp) / images,
                mean_score=float(totals[number] / images),
                accuracy=float(alone["accuracy"][number]),
                sensitivity=float(alone["sensitivity"][number]),
                specificity=float(alone["specificity"][number]),
                roc_auc=areas(rank(truth[own], score[own]))[0],
                tn=tn,
                fp=fp,
                fn=fn,
                tp=tp,
            )
        )
    return sorted(rows, key=lambda row: (row.accuracy, -row.images, row.patient))


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatientScores:
    """One entry a patient, by name; arrays of shape (patients,).

    Attributes:
        patients: names, sorted.
        images: of each.
        true_share: share of images that are positive.
        scores: "area fraction" (share of images called positive), "mean score" and
            "mean of the top k", each 0-1.
    """

    patients: np.ndarray
    images: np.ndarray
    true_share: np.ndarray
    scores: dict[str, np.ndarray]


def patient_scores(
    truth: Any, score: Any, threshold: Any, patients: Any, *, top: int = TOP
) -> PatientScores:
    """Scores every patient from its images.

    Args:
        truth, score, threshold, patients: as for `binary_metrics`.
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class RankedPatients(ByName):
    """How well one score ranks the patients; AUC and limits NaN when they are all alike."""

    roc_auc: float
    limits: tuple[float, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AreaError(ByName):
    """The share of images called positive against the true share, over patients."""

    mean: float
    mean_absolute: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatientMetrics(ByName):
    """Figures over patients.

    Attributes:
        patients: number of them.
        positive_patients: of them.
        scores: name of a score -> how well it ranks patients.
        area_error: of the area fraction.
        alike: says so when all patients are positive, or none; else None.
    """

    patients: int
    positive_patients: int
    scores: dict[str, RankedPatients]
    area_error: AreaError
    alike: Remark | None

    @property
    def note(self) -> str:
        """Why there is no ranking, in a sentence; empty when there is one."""
        return sentence(self.alike) if self.alike else ""


def patient_metrics(
    found: PatientScores,
    *,
    least_share: float = 0.0,
    resamples: int = RESAMPLES,
    seed: int = 7,
) -> PatientMetrics:
    """Judges the scores of patients.

    Args:
        found: of `patient_scores`.
        least_share: a patient is positive when more than this share of the images is.
        resamples: bootstrap draws of the intervals; patients are drawn, each one image.
        seed: of the draws.
    """
    truth = (found.true_share > least_share).astype(np.int64)
    scores = {}
    for name, score in found.scores.items():
        inside = np.clip(score, 0.0, 1.0)
        limits = patient_intervals(
            truth, inside, 0.5, found.patients, resamples=resamples, seed=seed
        ).limits["roc_auc"]
        scores[name] = RankedPatients(roc_auc=areas(rank(truth, inside))[0], limits=limits)
    error = found.scores["area fraction"] - found.true_share
    positives = int(truth.sum())
    alike = None
    if positives in (0, len(truth)):
        only = "positive" if positives else "negative"
        alike = remark(Kind.PATIENTS_ALIKE, patients=len(truth), only=only)
    return PatientMetrics(
        patients=len(truth),
        positive_patients=positives,
        scores=scores,
        area_error=AreaError(mean=float(error.mean()), mean_absolute=float(np.abs(error).mean())),
        alike=alike,
    )
