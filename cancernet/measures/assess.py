"""The way in: validation chooses the operating point, then testing is judged once."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.config import TrainConfig
from cancernet.measures import scored as scores
from cancernet.measures.class_measures import per_class_metrics
from cancernet.measures.classes import Classes
from cancernet.measures.figures import Figures
from cancernet.measures.metrics import binary_metrics
from cancernet.measures.patients import PatientRow, patient_rows
from cancernet.measures.remarks import Kind, Remark, remark
from cancernet.measures.resampling.intervals import RESAMPLES, Intervals, patient_intervals
from cancernet.measures.scored import Scored
from cancernet.measures.validation.calibration import NONE, Calibration
from cancernet.measures.validation.operating_point import choose_operating_point
from cancernet.measures.validation.point import OperatingPoint
from cancernet.measures.words import sentences


@dataclasses.dataclass(frozen=True, kw_only=True)
class Assessment(Classes):
    """All that is known of a run from its scored images.

    Attributes:
        operating_point: chosen on validation.
        calibration: the correction that the probabilities have had.
        validation: figures of validation at that point.
        testing: figures of testing at that point.
        intervals: of "validation" and "testing".
        per_patient: testing's patients, the worst first.
        remarks: what a reader must know before any figure.
    """

    operating_point: OperatingPoint
    calibration: Calibration
    validation: Figures
    testing: Figures
    intervals: dict[str, Intervals]
    per_patient: list[PatientRow]
    remarks: tuple[Remark, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The remarks in sentences."""
        stored = self.operating_point.note if not self.operating_point.remarks else ""
        return (*([stored] if stored else []), *sentences(self.remarks))


def assess(
    validation: Scored,
    testing: Scored,
    classes: Classes,
    *,
    config: TrainConfig,
    calibration: Calibration = NONE,
    resamples: int = RESAMPLES,
) -> Assessment:
    """Chooses the operating point on validation and judges both splits at it.

    Args:
        validation: chooses; nothing of `testing` does.
        testing: judged once.
        classes: what the probabilities are of.
        config: for the rule of the operating point and the seed.
        calibration: what the probabilities were corrected by, for the record.
        resamples: bootstrap draws of every interval.

    Raises:
        ValueError: classes that do not fit the probabilities.
    """
    point = choose_operating_point(
        scores.positive_truth(validation, classes.positive_indices),
        scores.positive_score(validation.probabilities, classes.positive_indices),
        rule=config.operating_rule,
        target_sensitivity=config.target_sensitivity,
        threshold=config.threshold,
        cost_ratio=config.cost_ratio,
        patients=validation.patients,
    )
    return assess_at(
        point,
        validation,
        testing,
        classes,
        calibration=calibration,
        seed=config.seed,
        resamples=resamples,
    )


def assess_at(
    point: OperatingPoint,
    validation: Scored,
    testing: Scored,
    classes: Classes,
    *,
    calibration: Calibration,
    seed: int,
    resamples: int = RESAMPLES,
) -> Assessment:
    """Judges both splits at an operating point that stays as it is; else as `assess`."""
    columns = classes.positive_indices
    judged, intervals = {}, {}
    for name, split in (("validation", validation), ("testing", testing)):
        judged[name] = judge(
            split, classes=classes.classes, positive=classes.positive, threshold=point.threshold
        )
        intervals[name] = split_intervals(split, columns, point.threshold, seed, resamples)
    remarks = [
        *point.remarks,
        *split_remarks(testing, classes),
        *intervals["testing"].remarks,
    ]
    return Assessment(
        classes=classes.classes,
        words=classes.words,
        positive=classes.positive,
        operating_point=point,
        calibration=calibration,
        validation=judged["validation"],
        testing=judged["testing"],
        intervals=intervals,
        per_patient=split_patients(testing, columns, point.threshold),
        remarks=tuple(remarks),
    )


def judge(
    split: Scored, *, classes: Sequence[str], positive: Sequence[str], threshold: Any
) -> Figures:
    """Judges one split, class by class too where there are more than two.

    Raises:
        ValueError: classes that do not fit the probabilities.
    """
    if len(classes) != split.probabilities.shape[1]:
        raise ValueError(
            f"{len(classes)} classes do not fit {split.probabilities.shape[1]} probabilities"
        )
    columns = scores.positive_indices(classes, positive)
    found = binary_metrics(
        scores.positive_truth(split, columns),
        scores.positive_score(split.probabilities, columns),
        threshold,
        patients=split.patients,
    )
    if len(classes) == 2:
        return found
    per_class = per_class_metrics(split.truth, split.probabilities, classes)
    return dataclasses.replace(found, per_class=per_class)


def split_intervals(
    split: Scored, columns: list[int], threshold: Any, seed: int, resamples: int
) -> Intervals:
    """Returns the intervals of positives against the rest for one split."""
    return patient_intervals(
        scores.positive_truth(split, columns),
        scores.positive_score(split.probabilities, columns),
        threshold,
        split.patients,
        resamples=resamples,
        seed=seed,
    )


def split_patients(split: Scored, columns: list[int], threshold: Any) -> list[PatientRow]:
    """Judges every patient of a split by itself, the worst first."""
    return patient_rows(
        scores.positive_truth(split, columns),
        scores.positive_score(split.probabilities, columns),
        threshold,
        split.patients,
    )


def split_remarks(testing: Scored, classes: Classes) -> Iterator[Remark]:
    """Says which classes testing has no image of."""
    truth = scores.positive_truth(testing, classes.positive_indices)
    if truth.min() == truth.max():
        yield remark(Kind.TESTING_OF_ONE_CLASS, only="positive" if truth[0] else "negative")
    missing = np.setdiff1d(np.arange(len(classes.classes)), testing.truth).tolist()
    if len(classes.classes) > 2 and missing:
        names = tuple(classes.classes[index] for index in missing)
        yield remark(Kind.CLASSES_WITHOUT_IMAGES, names=names)


def write_predictions(path: Path, scored: Scored, assessment: Assessment) -> None:
    """Writes `predictions.csv`: two classes by the operating point, more by the most probable."""
    predicted = scores.predicted_indices(
        scored.probabilities, assessment.positive_indices, assessment.operating_point.threshold
    )
    scores.write_scored(path, scored, classes=assessment.classes, predicted=predicted)
