"""The way in: validation chooses the operating point, then testing is judged once.

The folds of a cross-validation are judged together as well: every image once, by the fold that
tested it. Each fold calls at its own operating point. Accuracy, sensitivity and what else
counts calls pools those calls; the areas under the curves pool the calibrated probabilities
of different networks, so that they also hold how far the networks agree on a scale.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from cancernet.measures.calibration import in_the_large
from cancernet.measures.calls import Calls
from cancernet.measures.class_measures import per_class_metrics
from cancernet.measures.decisions import NONE, Calibration, OperatingPoint, Rule
from cancernet.measures.intervals import RESAMPLES, UNDEFINED, Intervals, patient_intervals
from cancernet.measures.metrics import NOTHING, Figures, binary_metrics
from cancernet.measures.operating_point import choose_operating_point
from cancernet.measures.patients import PatientRow, patient_rows
from cancernet.measures.remarks import (
    BADLY_CALIBRATED,
    FEW_PATIENTS,
    UNLIKE_SHARE,
    Kind,
    Remark,
    remark,
    sentences,
)
from cancernet.measures.scored import Classes, Scored, joined, predicted_indices, write_scored

VALIDATION, TESTING = "validation", "testing"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoreSet(Classes):
    """All scores of one way of judging, with all that makes calls of them.

    A run may have several, such as patches by themselves and in context.

    Attributes:
        scored: "validation" and "testing" -> its images; validation has chosen the point, and is
            not there where that was given.
        operating_point: the threshold of every image; NaN where `thresholds` has them.
        calibration: the correction that the probabilities have had.
        thresholds: split -> (images,), where images have their own, as in pooled folds.
    """

    scored: Mapping[str, Scored]
    operating_point: OperatingPoint
    calibration: Calibration = NONE
    thresholds: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def threshold(self, split: str = TESTING) -> float | np.ndarray:
        """Returns the one threshold of a split's images, or (images,) one for each."""
        return self.thresholds.get(split, self.operating_point.threshold)

    def calls(self, split: str = TESTING) -> Calls:
        """Returns the calls of a split: positives against the rest."""
        return self.calls_of(self.scored[split], self.threshold(split))

    def predicted(self, split: str = TESTING) -> np.ndarray:
        """Returns the predicted class of every image, (images,), as `predictions.csv` has it."""
        probabilities = self.scored[split].probabilities
        return predicted_indices(probabilities, self.positive_indices, self.threshold(split))

    def write(
        self,
        path: Path,
        split: str = TESTING,
        more: Mapping[str, Sequence[object]] | None = None,
    ) -> None:
        """Writes the images of a split as `predictions.csv`, with more columns by name."""
        predicted = self.predicted(split)
        write_scored(path, self.scored[split], classes=self.classes, predicted=predicted, more=more)

    def figures(self, split: str = TESTING) -> Figures:
        """Judges a split, class by class too where there are more than two; NaN without images."""
        if split not in self.scored:
            return NOTHING
        found = binary_metrics(self.calls(split))
        if len(self.classes) == 2:
            return found
        scored = self.scored[split]
        per_class = per_class_metrics(scored.truth, scored.probabilities, self.classes)
        return dataclasses.replace(found, per_class=per_class)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Assessment(ScoreSet):
    """All that is known of a set of scores.

    Attributes:
        validation: figures of validation at the operating point.
        testing: figures of testing at that point.
        intervals: of "validation" and "testing".
        per_patient: testing's patients, the worst first.
        remarks: what a reader must know before any figure.
    """

    validation: Figures
    testing: Figures
    intervals: dict[str, Intervals]
    per_patient: list[PatientRow]
    remarks: tuple[Remark, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The remarks in sentences."""
        return sentences(self.remarks)


def choose_point(
    validation: Scored,
    testing: Scored,
    classes: Classes,
    *,
    rule: Rule,
    calibration: Calibration = NONE,
) -> ScoreSet:
    """Chooses the operating point of both splits on validation.

    Args:
        validation: chooses; nothing of `testing` does.
        classes: what the probabilities are of.
        calibration: what the probabilities were corrected by.

    Raises:
        ValueError: classes that do not fit the probabilities.
    """
    return ScoreSet(
        **vars(classes),
        scored={VALIDATION: validation, TESTING: testing},
        operating_point=choose_operating_point(
            classes.calls_of(validation), calibration.expecting(rule, classes.positive_indices)
        ),
        calibration=calibration,
    )


def assess_at(scores: ScoreSet, *, seed: int, resamples: int = RESAMPLES) -> Assessment:
    """Judges both splits at an operating point that stays as it is.

    The validation images of pooled folds overlap, so that they get no intervals, nor does
    validation without images.
    """
    calls = scores.calls()
    intervals = {TESTING: patient_intervals(calls, resamples=resamples, seed=seed)}
    if math.isnan(scores.operating_point.threshold) or VALIDATION not in scores.scored:
        nothing = dict.fromkeys(intervals[TESTING].limits, UNDEFINED)
        intervals[VALIDATION] = dataclasses.replace(intervals[TESTING], limits=nothing, remarks=())
    else:
        intervals[VALIDATION] = patient_intervals(
            scores.calls(VALIDATION), resamples=resamples, seed=seed
        )
    remarks = (*scores.operating_point.remarks, *_remarks(scores), *intervals[TESTING].remarks)
    return Assessment(
        **vars(scores),
        validation=scores.figures(VALIDATION),
        testing=scores.figures(TESTING),
        intervals={split: intervals[split] for split in (VALIDATION, TESTING)},
        per_patient=patient_rows(calls),
        remarks=remarks,
    )


def _remarks(scores: ScoreSet) -> Iterator[Remark]:
    """Says which classes testing has no image of, and when images or probabilities do not fit."""
    calls, testing = scores.calls(), scores.scored[TESTING]
    if calls.of_one_class:
        yield remark(Kind.TESTING_OF_ONE_CLASS, only=calls.only)
    present = set(testing.truth.tolist())
    missing = tuple(name for place, name in enumerate(scores.classes) if place not in present)
    if len(scores.classes) > 2 and missing:
        yield remark(Kind.CLASSES_WITHOUT_IMAGES, names=missing)
    images, unlike = len(testing.paths), testing.unlike or 0
    if unlike > UNLIKE_SHARE * images:
        yield remark(Kind.MANY_UNLIKE_TRAINING, unlike=unlike, images=images, share=unlike / images)
    off = in_the_large(calls.truth, calls.score)
    if abs(off) > BADLY_CALIBRATED:
        mean, share = float(calls.score.mean()), float(calls.truth.mean())
        yield remark(Kind.BADLY_CALIBRATED, mean=mean, share=share, in_the_large=off)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoldScores(ScoreSet):
    """One finished fold: the name of its run folder, and what validated and tested it."""

    name: str

    @functools.cached_property
    def metrics(self) -> Figures:
        """Figures of testing at the fold's own operating point."""
        return self.figures()

    @property
    def patients(self) -> list[str]:
        """The patients it tested, by name."""
        return sorted(set(self.scored[TESTING].patients))


def pool(folds: Sequence[FoldScores]) -> ScoreSet:
    """Puts all folds together, each image at the threshold of the fold that tested it.

    Their validation images stand one after the other; patients recur there.
    """
    scored = {
        split: joined([fold.scored[split] for fold in folds]) for split in (VALIDATION, TESTING)
    }
    thresholds = {
        split: np.concatenate(
            [np.full(len(f.scored[split].paths), f.threshold(split)) for f in folds]
        )
        for split in scored
    }
    points, validation = [fold.operating_point for fold in folds], scored[VALIDATION]
    # Not every fold may have had both classes to choose on.
    first = next((point for point in points if not point.is_fallback), points[0])
    classes = {field.name: getattr(folds[0], field.name) for field in dataclasses.fields(Classes)}
    promised = binary_metrics(Classes(**classes).calls_of(validation, thresholds[VALIDATION]))
    few = sum((point.patients or 0) < FEW_PATIENTS for point in points)
    stand_ins = sum(point.is_fallback for point in points)
    said = (
        (few, remark(Kind.FEW_VALIDATED_FOLDS, few=few, folds=len(folds), fewest=FEW_PATIENTS)),
        (stand_ins, remark(Kind.STAND_INS_IN_FOLDS, count=stand_ins, folds=len(folds))),
    )
    return ScoreSet(
        **classes,
        scored=scored,
        thresholds=thresholds,
        operating_point=OperatingPoint(
            threshold=math.nan,
            rule_name=first.rule_name,
            rule_number=first.rule_number,
            rule_sentence=first.rule_sentence,
            sensitivity=promised.sensitivity,
            specificity=promised.specificity,
            images=len(set(validation.paths)),  # folds may share validating patients
            patients=len(set(validation.patients)),
            remarks=tuple(each for count, each in said if count),
        ),
        calibration=Calibration(method="none", remarks=(remark(Kind.CALIBRATED_BY_FOLD),)),
    )


def spread_over_folds(folds: Sequence[FoldScores], name: str) -> tuple[float, float, int]:
    """Returns mean, standard deviation (n - 1) and number of folds where it is defined."""
    values = np.array([fold.metrics[name] for fold in folds], dtype=np.float64)
    defined = values[~np.isnan(values)]
    if not len(defined):
        return math.nan, math.nan, 0
    spread = float(defined.std(ddof=1)) if len(defined) > 1 else math.nan
    return float(defined.mean()), spread, len(defined)
