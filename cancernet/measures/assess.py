"""The way in: validation chooses the operating point, then testing is judged once."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.config import TrainConfig
from cancernet.measures import scored as scores
from cancernet.measures.intervals import RESAMPLES, Intervals, patient_intervals
from cancernet.measures.metrics import binary_metrics, per_class_metrics
from cancernet.measures.patient_table import patient_rows
from cancernet.measures.scored import Scored
from cancernet.measures.validation.calibration import NONE, Calibration
from cancernet.measures.validation.operating_point import OperatingPoint, choose_operating_point


@dataclasses.dataclass(frozen=True, kw_only=True)
class Assessment:
    """All that is known of a run from its scored images.

    Attributes:
        classes: names in the order of the probabilities.
        words: what each class means to a reader, in the same order.
        positive: names of the positive classes.
        operating_point: chosen on validation.
        calibration: the correction that the probabilities have had.
        validation: metrics of validation at that point, as `metrics.json` holds them.
        testing: metrics of testing at that point, likewise.
        intervals: of "validation" and "testing".
        per_patient: rows of `patient_rows` for testing, the worst first.
        warnings: sentences that a reader must see before any figure.
    """

    classes: tuple[str, ...]
    words: tuple[str, ...]
    positive: tuple[str, ...]
    operating_point: OperatingPoint
    calibration: Calibration
    validation: dict[str, Any]
    testing: dict[str, Any]
    intervals: dict[str, Intervals]
    per_patient: list[dict[str, Any]]
    warnings: tuple[str, ...]

    @property
    def positive_indices(self) -> list[int]:
        """Columns of the positive classes."""
        return scores.positive_indices(self.classes, self.positive)

    @property
    def positive_word(self) -> str:
        """What positive means to a reader; `positive` when that is several classes."""
        return self._word(positive=True, several="positive")

    @property
    def negative_word(self) -> str:
        """What the rest means to a reader; `the rest` when that is several classes."""
        return self._word(positive=False, several="the rest")

    @property
    def positive_words(self) -> str:
        """The words of all positive classes."""
        return "; ".join(self.words[index] for index in self.positive_indices)

    def _word(self, *, positive: bool, several: str) -> str:
        named = zip(self.classes, self.words, strict=True)
        words = [word for name, word in named if (name in self.positive) == positive]
        return words[0] if len(words) == 1 else several


def assess(
    validation: Scored,
    testing: Scored,
    *,
    classes: Sequence[str],
    words: Sequence[str],
    positive: Sequence[str],
    config: TrainConfig,
    calibration: Calibration = NONE,
    resamples: int = RESAMPLES,
) -> Assessment:
    """Chooses the operating point on validation and judges both splits at it.

    Args:
        validation: chooses; nothing of `testing` does.
        testing: judged once.
        classes: names in the order of the probabilities.
        words: what each class means to a reader, in the same order.
        positive: names of the positive classes, some but not all.
        config: for the rule of the operating point and the seed.
        calibration: what the probabilities were corrected by, for the record.
        resamples: bootstrap draws of every interval.

    Raises:
        ValueError: classes that do not fit the probabilities or each other.
    """
    columns = scores.positive_indices(classes, positive)
    point = choose_operating_point(
        scores.positive_truth(validation, columns),
        scores.positive_score(validation.probabilities, columns),
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
        classes=classes,
        words=words,
        positive=positive,
        calibration=calibration,
        seed=config.seed,
        resamples=resamples,
    )


def assess_at(
    point: OperatingPoint,
    validation: Scored,
    testing: Scored,
    *,
    classes: Sequence[str],
    words: Sequence[str],
    positive: Sequence[str],
    calibration: Calibration,
    seed: int,
    resamples: int = RESAMPLES,
) -> Assessment:
    """Judges both splits at an operating point that stays as it is; as `assess`.

    Args:
        point: the operating point.
        validation: what it was chosen on.
        testing: the images to judge.
        classes: names in the order of the probabilities.
        words: what each class means to a reader, in the same order.
        positive: names of the positive classes, some but not all.
        calibration: what the probabilities were corrected by, for the record.
        seed: of the intervals.
        resamples: bootstrap draws of every interval.

    Raises:
        ValueError: classes that do not fit the probabilities or each other.
    """
    if len(words) != len(classes):
        raise ValueError(f"{len(classes)} classes need as many words, but there are {len(words)}")
    columns = scores.positive_indices(classes, positive)
    judged = {
        name: judge(split, classes=classes, positive=positive, threshold=point.threshold)
        for name, split in (("validation", validation), ("testing", testing))
    }
    intervals = {
        name: split_intervals(split, columns, point.threshold, seed, resamples)
        for name, split in (("validation", validation), ("testing", testing))
    }
    return Assessment(
        classes=tuple(classes),
        words=tuple(words),
        positive=tuple(positive),
        operating_point=point,
        calibration=calibration,
        validation=judged["validation"],
        testing=judged["testing"],
        intervals=intervals,
        per_patient=patient_rows(
            scores.positive_truth(testing, columns),
            scores.positive_score(testing.probabilities, columns),
            point.threshold,
            testing.patients,
        ),
        warnings=tuple(_warnings(point, testing, classes, columns, intervals["testing"])),
    )


def judge(
    split: Scored, *, classes: Sequence[str], positive: Sequence[str], threshold: Any
) -> dict[str, Any]:
    """Judges one split: `binary_metrics`, and `per_class` for more than two classes.

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
    if len(classes) > 2:
        found["per_class"] = per_class_metrics(split.truth, split.probabilities, classes)
    return found


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


def write_predictions(path: Path, scored: Scored, assessment: Assessment) -> None:
    """Writes `predictions.csv`: two classes by the operating point, more by the most probable."""
    predicted = scores.predicted_indices(
        scored.probabilities, assessment.positive_indices, assessment.operating_point.threshold
    )
    scores.write_scored(path, scored, classes=assessment.classes, predicted=predicted)


def _warnings(
    point: OperatingPoint,
    testing: Scored,
    classes: Sequence[str],
    columns: list[int],
    intervals: Intervals,
) -> list[str]:
    found = [point.note] if point.note else []
    truth = scores.positive_truth(testing, columns)
    if truth.min() == truth.max():
        only = "positive" if truth[0] else "negative"
        found.append(
            f"The testing images are all {only}: what depends on both classes is undefined."
        )
    missing = np.setdiff1d(np.arange(testing.probabilities.shape[1]), testing.truth)
    if testing.probabilities.shape[1] > 2 and len(missing):
        named = ", ".join(classes[index] for index in missing.tolist())
        found.append(
            f"Without a testing image, so not judged, and left out of the averages: {named}."
        )
    return found + list(intervals.notes)
