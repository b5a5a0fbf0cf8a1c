"""Patients as units: how each fares, and one score a patient from the scores of its images."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from cancernet.measures.calls import Calls
from cancernet.measures.intervals import RESAMPLES, patient_intervals
from cancernet.measures.metrics import ByName, count_metrics
from cancernet.measures.ranking import areas, rank
from cancernet.measures.remarks import Kind, Remark, remark, sentence

TOP = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatientRow(ByName):
    """The images of one patient judged by themselves; NaN where undefined.

    Attributes:
        true_share: share of positives.
        called_share: share called positive.
        mean_score: over the images.
        mean_of_top: over the `TOP` images of the highest scores, all where there are fewer.
    """

    patient: str
    images: int
    positives: int
    called_positive: int
    true_share: float
    called_share: float
    mean_score: float
    mean_of_top: float
    accuracy: float
    sensitivity: float
    specificity: float
    roc_auc: float
    tn: int
    fp: int
    fn: int
    tp: int


def patient_rows(calls: Calls) -> list[PatientRow]:
    """Judges every patient by itself: by rising accuracy, then more images first, then name."""
    found = patient_scores(calls)
    alone = count_metrics(*calls.counts.T)
    ends = np.cumsum(found.images)[:-1]
    by_patient = np.split(np.argsort(calls.patient_index, kind="stable"), ends)
    called_share, mean_score, mean_of_top = found.scores.values()
    rows = []
    for number, (name, own) in enumerate(zip(calls.names, by_patient, strict=True)):
        tn, fp, fn, tp = (int(count) for count in calls.counts[number])
        rows.append(
            PatientRow(
                patient=str(name),
                images=len(own),
                positives=tp + fn,
                called_positive=tp + fp,
                true_share=float(found.true_share[number]),
                called_share=float(called_share[number]),
                mean_score=float(mean_score[number]),
                mean_of_top=float(mean_of_top[number]),
                accuracy=float(alone["accuracy"][number]),
                sensitivity=float(alone["sensitivity"][number]),
                specificity=float(alone["specificity"][number]),
                roc_auc=areas(rank(calls.truth[own], calls.score[own]))[0],
                tn=tn,
                fp=fp,
                fn=fn,
                tp=tp,
            )
        )
    return sorted(rows, key=lambda row: (row.accuracy, -row.images, row.patient))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ByPatient:
    """How evenly the positive images of testing are found.

    Attributes:
        several_images: whether any patient has more than one image.
        with_positives: patients that have a positive image.
        mean_sensitivity: mean of their sensitivities, 0-1; NaN where there is no such patient.
        none_found: those of whose positive images none is found.
    """

    several_images: bool
    with_positives: int
    mean_sensitivity: float
    none_found: int


def by_patient(rows: Sequence[PatientRow]) -> ByPatient:
    """Returns how evenly the positive images of testing are found, every patient counted alike."""
    found = [row.sensitivity for row in rows if row.positives]
    return ByPatient(
        several_images=any(row.images > 1 for row in rows),
        with_positives=len(found),
        mean_sensitivity=float(np.mean(found)) if found else math.nan,
        none_found=sum(share == 0 for share in found),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatientScores:
    """One entry a patient, by name; arrays of shape (patients,).

    Attributes:
        patients: names, sorted.
        true_share: share of images that are positive.
        scores: "area fraction" (share of images called positive), "mean score" and
            "mean of the top k", each 0-1.
    """

    patients: np.ndarray
    images: np.ndarray
    true_share: np.ndarray
    scores: dict[str, np.ndarray]


def patient_scores(calls: Calls, *, top: int = TOP) -> PatientScores:
    """Scores every patient from its images; `top` are averaged, all where there are fewer."""
    if top < 1:
        raise ValueError(f"top must be at least 1, but is {top}")
    index, score = calls.patient_index, calls.score
    images = np.bincount(index)
    order = np.lexsort((-score, index))
    starts = np.cumsum(images) - images
    place = np.arange(len(score)) - np.repeat(starts, images)
    highest = place < top
    best = np.bincount(index[order], weights=score[order] * highest) / np.minimum(images, top)
    return PatientScores(
        patients=calls.names,
        images=images,
        true_share=np.bincount(index, weights=calls.truth) / images,
        scores={
            "area fraction": np.bincount(index, weights=calls.called) / images,
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
    found: PatientScores, *, resamples: int = RESAMPLES, seed: int = 7
) -> PatientMetrics:
    """Judges the scores of patients, each drawn as one image; positive where any image is."""
    positive = found.true_share > 0
    scores = {}
    for name, score in found.scores.items():
        calls = Calls(positive, np.clip(score, 0.0, 1.0), 0.5, found.patients)
        limits = patient_intervals(calls, resamples=resamples, seed=seed).limits["roc_auc"]
        scores[name] = RankedPatients(roc_auc=areas(calls.ranking)[0], limits=limits)
    error = found.scores["area fraction"] - found.true_share
    alike = None
    if positive.all() or not positive.any():
        only = "positive" if positive.any() else "negative"
        alike = remark(Kind.PATIENTS_ALIKE, patients=len(positive), only=only)
    return PatientMetrics(
        patients=len(positive),
        positive_patients=int(positive.sum()),
        scores=scores,
        area_error=AreaError(mean=float(error.mean()), mean_absolute=float(np.abs(error).mean())),
        alike=alike,
    )
