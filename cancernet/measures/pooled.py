"""Folds of a cross-validation judged together: every image once, by the fold that tested it.

Each fold calls at its own operating point. Accuracy, sensitivity and what else counts
calls pools those calls; the areas under the curves pool the calibrated probabilities of
different networks, so that they also hold how far the networks agree on a scale.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cancernet.measures import scored as scores
from cancernet.measures.assess import Assessment, judge, split_intervals
from cancernet.measures.intervals import FEW_PATIENTS, RESAMPLES
from cancernet.measures.patient_table import patient_rows
from cancernet.measures.scored import Scored
from cancernet.measures.validation.calibration import Calibration
from cancernet.measures.validation.operating_point import OperatingPoint


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoldScores:
    """One finished fold.

    Attributes:
        name: of its run folder.
        validation: scored images that chose its operating point.
        testing: scored images of the patients it left out.
        point: its operating point.
        calibration: its correction of probabilities.
        metrics: of testing at that point.
    """

    name: str
    validation: Scored
    testing: Scored
    point: OperatingPoint
    calibration: Calibration
    metrics: dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pooled:
    """All folds together.

    Attributes:
        assessment: of all tested images; its threshold is NaN, each fold has its own.
        validation: the folds' validation images one after the other; patients recur.
        testing: every tested image once.
        thresholds: (images,) of testing, each of the fold that tested the image.
    """

    assessment: Assessment
    validation: Scored
    testing: Scored
    thresholds: np.ndarray


def pool(
    folds: Sequence[FoldScores],
    *,
    classes: Sequence[str],
    words: Sequence[str],
    positive: Sequence[str],
    seed: int,
    resamples: int = RESAMPLES,
) -> Pooled:
    """Judges all folds together; arguments as in `assess`."""
    columns = scores.positive_indices(classes, positive)
    testing, thresholds = _joined(folds, "testing")
    validation, promised_at = _joined(folds, "validation")
    judged = {
        name: judge(split, classes=classes, positive=positive, threshold=threshold)
        for name, split, threshold in (
            ("validation", validation, promised_at),
            ("testing", testing, thresholds),
        )
    }
    intervals = split_intervals(testing, columns, thresholds, seed, resamples)
    nothing = dict.fromkeys(intervals.limits, (math.nan, math.nan))
    point = OperatingPoint(
        threshold=math.nan,
        rule=folds[0].point.rule,
        rule_name=folds[0].point.rule_name,
        sensitivity=judged["validation"]["sensitivity"],
        specificity=judged["validation"]["specificity"],
        images=len(set(validation.paths)),  # folds may share validating patients
        patients=len(set(validation.patients)),
        note=_note(folds),
    )
    return Pooled(
        assessment=Assessment(
            classes=tuple(classes),
            words=tuple(words),
            positive=tuple(positive),
            operating_point=point,
            calibration=Calibration(
                method="none", note="Each fold has a correction of its own, in the table of folds."
            ),
            validation=judged["validation"],
            testing=judged["testing"],
            intervals={
                "validation": dataclasses.replace(intervals, limits=nothing, notes=()),
                "testing": intervals,
            },
            per_patient=patient_rows(
                scores.positive_truth(testing, columns),
                scores.positive_score(testing.probabilities, columns),
                thresholds,
                testing.patients,
            ),
            warnings=tuple(filter(None, [point.note, *_one_class(testing, columns)]))
            + intervals.notes,
        ),
        validation=validation,
        testing=testing,
        thresholds=thresholds,
    )


def spread_over_folds(folds: Sequence[FoldScores], name: str) -> tuple[float, float, int]:
    """Returns mean, standard deviation (n - 1) and number of folds where it is defined."""
    values = np.array([fold.metrics[name] for fold in folds], dtype=np.float64)
    defined = values[~np.isnan(values)]
    if not len(defined):
        return math.nan, math.nan, 0
    spread = float(defined.std(ddof=1)) if len(defined) > 1 else math.nan
    return float(defined.mean()), spread, len(defined)


def _joined(folds: Sequence[FoldScores], split: str) -> tuple[Scored, np.ndarray]:
    parts = [getattr(fold, split) for fold in folds]
    sizes = [len(part.paths) for part in parts]
    return (
        Scored(
            paths=[path for part in parts for path in part.paths],
            patients=[patient for part in parts for patient in part.patients],
            truth=np.concatenate([part.truth for part in parts]),
            probabilities=np.concatenate([part.probabilities for part in parts]),
        ),
        np.repeat([fold.point.threshold for fold in folds], sizes),
    )


def _note(folds: Sequence[FoldScores]) -> str:
    few = sum(fold.point.patients is None or fold.point.patients < FEW_PATIENTS for fold in folds)
    if not few:
        return ""
    return (
        f"In {few} of {len(folds)} folds fewer than {FEW_PATIENTS} patients validated: their "
        "operating points may well be others with other patients."
    )


def _one_class(testing: Scored, columns: list[int]) -> list[str]:
    truth = scores.positive_truth(testing, columns)
    if truth.min() != truth.max():
        return []
    return ["The tested images are all of one side: what depends on both is undefined."]
