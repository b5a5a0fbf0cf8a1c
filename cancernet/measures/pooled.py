"""Folds of a cross-validation judged together: every image once, by the fold that tested it.

Each fold calls at its own operating point. Accuracy, sensitivity and what else counts
calls pools those calls; the areas under the curves pool the calibrated probabilities of
different networks, so that they also hold how far the networks agree on a scale.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np

from cancernet.measures.assess import (
    Assessment,
    judge,
    split_intervals,
    split_patients,
    split_remarks,
)
from cancernet.measures.classes import Classes
from cancernet.measures.figures import Figures
from cancernet.measures.remarks import FEW_PATIENTS, Kind, Remark, remark
from cancernet.measures.resampling.intervals import RESAMPLES
from cancernet.measures.scored import Scored
from cancernet.measures.validation.calibration import Calibration
from cancernet.measures.validation.point import OperatingPoint


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
    metrics: Figures


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
    folds: Sequence[FoldScores], classes: Classes, *, seed: int, resamples: int = RESAMPLES
) -> Pooled:
    """Judges all folds together; arguments as in `assess`."""
    columns = classes.positive_indices
    testing, thresholds = _joined(folds, "testing")
    validation, promised_at = _joined(folds, "validation")
    promised, judged = (
        judge(split, classes=classes.classes, positive=classes.positive, threshold=threshold)
        for split, threshold in ((validation, promised_at), (testing, thresholds))
    )
    intervals = split_intervals(testing, columns, thresholds, seed, resamples)
    nothing = dict.fromkeys(intervals.limits, (math.nan, math.nan))
    point = OperatingPoint(
        threshold=math.nan,
        rule=folds[0].point.rule,
        rule_name=folds[0].point.rule_name,
        sensitivity=promised.sensitivity,
        specificity=promised.specificity,
        images=len(set(validation.paths)),  # folds may share validating patients
        patients=len(set(validation.patients)),
        remarks=tuple(_few_validated(folds)),
    )
    return Pooled(
        assessment=Assessment(
            classes=classes.classes,
            words=classes.words,
            positive=classes.positive,
            operating_point=point,
            calibration=Calibration(method="none", remarks=(remark(Kind.CALIBRATED_BY_FOLD),)),
            validation=promised,
            testing=judged,
            intervals={
                "validation": dataclasses.replace(intervals, limits=nothing, remarks=(), notes=()),
                "testing": intervals,
            },
            per_patient=split_patients(testing, columns, thresholds),
            remarks=(*point.remarks, *split_remarks(testing, classes), *intervals.remarks),
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


def _few_validated(folds: Sequence[FoldScores]) -> Iterator[Remark]:
    few = sum(fold.point.patients is None or fold.point.patients < FEW_PATIENTS for fold in folds)
    if few:
        yield remark(Kind.FEW_VALIDATED_FOLDS, few=few, folds=len(folds), fewest=FEW_PATIENTS)
