"""One row a patient, the worst first."""

from typing import Any

import numpy as np

from cancernet.measures.bootstrap import patient_sums
from cancernet.measures.metrics import count_metrics
from cancernet.measures.ranking import areas, rank


def patient_rows(truth: Any, score: Any, threshold: Any, patients: Any) -> list[dict[str, Any]]:
    """Judges every patient by itself.

    Args:
        truth: (images,) 1 for positive, 0 for the rest.
        score: (images,) 0-1.
        threshold: positive iff score >= threshold; one, or (images,) one for each.
        patients: (images,) name of every image's patient.

    Returns:
        Rows `patient, images, positives, called_positive, true_share, called_share,
        mean_score, accuracy, sensitivity, specificity, roc_auc, tn, fp, fn, tp`, by
        rising accuracy, then more images first, then name. NaN where undefined.
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
            {
                "patient": str(name),
                "images": images,
                "positives": tp + fn,
                "called_positive": tp + fp,
                "true_share": (tp + fn) / images,
                "called_share": (tp + fp) / images,
                "mean_score": float(totals[number] / images),
                **{
                    metric: float(alone[metric][number])
                    for metric in ("accuracy", "sensitivity", "specificity")
                },
                "roc_auc": areas(rank(truth[own], score[own]))[0],
                **{"tn": tn, "fp": fp, "fn": fn, "tp": tp},
            }
        )
    return sorted(rows, key=lambda row: (row["accuracy"], -row["images"], row["patient"]))
