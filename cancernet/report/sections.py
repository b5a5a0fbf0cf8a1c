"""What the sections of a report show, computed; the templates find the words."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.measures.assess import TESTING, VALIDATION, Assessment, ScoreSet
from cancernet.measures.calibration import CalibrationFigures, calibration_metrics
from cancernet.measures.call_value import PredictiveRow, decision_curve, predictive_rows
from cancernet.measures.calls import Calls
from cancernet.measures.class_measures import (
    ClassRow,
    ClassTable,
    Share,
    class_table,
    fold,
    over_classes,
)
from cancernet.measures.decisions import rule_of
from cancernet.measures.metrics import confusion_table
from cancernet.measures.threshold_spread import ThresholdSpread, threshold_spread
from cancernet.report.content import ReportContent
from cancernet.report.rendering import Picture, small_picture

# Of the surest wrong calls; a page must stay small enough to send.
EACH = 8
MOST_OF_A_PATIENT = EACH // 2
LONGEST_SIDE = 160  # pixels
PREVALENCES = (0.01, 0.05, 0.2, 0.5)
SIDES = ("negative", "positive")


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadlineFigure:
    """One figure of testing, with its limits, and what it was on validation.

    `name` is that of `metrics.json`, `words` are what a reader calls it.
    """

    name: str
    words: str
    value: float
    limits: tuple[float, float]
    validation: float


def headline(assessment: Assessment) -> list[HeadlineFigure]:
    """Returns the headline figures in the order of `metrics.json`."""
    words = {
        "accuracy": "accuracy at the operating point",
        "sensitivity": f"sensitivity (recall of {assessment.positive_word})",
        "specificity": f"specificity (recall of {assessment.negative_word})",
        "balanced_accuracy": "balanced accuracy",
        "precision": f"precision (right among {assessment.positive_word} calls)",
        "f1": "F1",
        "mcc": "Matthews correlation",
        "roc_auc": "AUC (area under the ROC curve)",
        "pr_auc": "average precision (precision-recall curve)",
        "brier": "Brier score (0 is best)",
    }
    limits = assessment.intervals[TESTING].limits
    return [
        HeadlineFigure(
            name=name,
            words=text,
            value=assessment.testing[name],
            limits=limits[name],
            validation=assessment.validation[name],
        )
        for name, text in words.items()
    ]


def two_sides(assessment: Assessment) -> list[ClassRow]:
    """Returns the measures of the negative and the positive side at the operating point."""
    counts = assessment.testing.confusion_matrix.table
    return class_table(counts, (assessment.negative_word, assessment.positive_word)).classes


def testing_counts(assessment: Assessment) -> np.ndarray:
    """Returns testing's counts, rows truth, columns call, as `predictions.csv` has them."""
    truth = assessment.scored[TESTING].truth
    return confusion_table(truth, assessment.predicted(), len(assessment.classes))


def class_tables(assessment: Assessment) -> dict[str, ClassTable]:
    """Returns the measures of each class and, beyond two classes, of the two sides, by title."""
    counts = testing_counts(assessment)
    tables = {"Class by class": class_table(counts, assessment.words)}
    if len(assessment.classes) > 2:
        sides = fold(counts, assessment.positive_indices)
        tables["Folded to two sides"] = class_table(sides, SIDES)
    return tables


def named_right(content: ReportContent) -> tuple[Share, Share] | None:
    """Returns how often testing's right class is named (`over_classes`); None of two classes."""
    if not content.several_classes:
        return None
    scores = content.assessment
    truth = np.asarray(scores.scored[TESTING].truth)
    return over_classes(scores.calls(), truth, scores.predicted(), seed=content.seed)


def asked_rows(content: ReportContent) -> dict[str, str]:
    """Returns what was asked of which network on which data, by label."""
    asked, assessment, network = content.asked, content.assessment, content.asked.network
    size = f"{network.name}, {network.width}x{network.height} pixels"
    if network.parameters is not None:
        size += f", {network.parameters:,} parameters"
    rows = {"run": asked.run} if asked.run else {}
    rows["trained on" if asked.run else "data set"] = asked.data_set
    if content.folds:
        rows["cross-validation"] = (
            f"{len(content.folds)} folds of whole patients (--folds {asked.folds_asked})"
        )
    named = zip(assessment.classes, assessment.words, strict=True)
    rows |= {
        "classes": "; ".join(f"{name} = {word}" for name, word in named),
        "positive": assessment.positive_words,
        "recipe": asked.recipe,
        "network": size,
    }
    if network.first_weights:
        rows["first weights"] = network.first_weights
    return rows | ({"judged on": asked.judged_on} if asked.judged_on else {})


def operating_point_spread(content: ReportContent) -> ThresholdSpread:
    """Returns how far the threshold would have moved with other validation patients."""
    scores, point = content.assessment, content.assessment.operating_point
    rule = scores.calibration.expecting(rule_of(content.settings), scores.positive_indices)
    if not point.is_fallback:
        rule = dataclasses.replace(rule, name=point.rule_name)
    # Where nothing validates, the point was given: it has no spread on any images.
    split = VALIDATION if VALIDATION in scores.scored else TESTING
    return threshold_spread(scores.calls(split), rule, seed=content.seed)


def calibrations(content: ReportContent) -> dict[str, CalibrationFigures]:
    """Returns the calibration of both splits, and of testing before the correction.

    What is corrected is the score of a patch alone, so that in context its calibration is
    there as well.
    """
    scores, alone, title = content.assessment, content.assessment, "testing"
    columns = {title: scores.calls(TESTING)}
    if content.context is not None:
        alone, title = content.context.alone, "testing alone"
        columns[title] = alone.calls(TESTING)
    if alone.calibration.changes and alone.calibration.method != "isotonic":
        testing = alone.scored[TESTING]
        before = alone.calibration.undo(testing.probabilities)
        testing = dataclasses.replace(testing, probabilities=before)
        columns[f"{title} before"] = alone.calls_of(testing)
    if VALIDATION in scores.scored:
        columns["validation"] = scores.calls(VALIDATION)
    return {
        title: calibration_metrics(calls, seed=content.seed) for title, calls in columns.items()
    }


def predictive(content: ReportContent) -> list[PredictiveRow]:
    """Returns the predictive values at testing's own and at other prevalences."""
    calls = content.assessment.calls()
    prevalences = sorted({*PREVALENCES, float(calls.truth.mean()), *content.prevalences})
    return predictive_rows(calls, prevalences, seed=content.seed)


def useful_at(calls: Calls) -> dict[bool, list[float]]:
    """Tells at which operating points acting on the score beats acting always and never.

    One of 0 or 1 is left out: net benefit is not defined there.
    """
    points = [point for point in calls.operating_points if 0 < point < 1]
    useful = decision_curve(calls, points).useful.tolist()
    return {
        each: [point for point, found in zip(points, useful, strict=True) if found is each]
        for each in dict.fromkeys(useful)
    }


def training_rows(content: ReportContent) -> dict[str, Any]:
    """Returns what the training cost, by label; what is not known is left out."""
    took = content.training
    rows = {
        "trained": took.finished,
        "seconds": took.seconds,
        "CPU seconds": took.cpu_seconds,
        "images per second": took.images_per_second,
        "epochs": took.epochs,
        "epoch kept": content.best_epoch,
        "machine": took.machine,
    }
    return {label: value for label, value in rows.items() if value not in (None, "")}


@dataclasses.dataclass(frozen=True, kw_only=True)
class WrongCall:
    """One image on the wrong side of the operating point: its score, 0-1, and its patient.

    `neighbours` are those of the eight patches around it that are there; None of an image alone.
    """

    path: str
    patient: str
    score: float
    neighbours: int | None = None

    @property
    def name(self) -> str:
        """The file's own name."""
        return Path(self.path).name


def surest_wrong(
    scores: ScoreSet, each: int = EACH, neighbours: Sequence[int] | None = None
) -> tuple[list[WrongCall], list[WrongCall]]:
    """Returns missed testing positives by rising score and false alarms by falling score.

    At most `each` of either, and at most half of them of one patient; `neighbours` are those of
    each testing image.
    """
    testing, calls = scores.scored[TESTING], scores.calls()
    positive, score = calls.truth == 1, calls.score
    missed = np.flatnonzero(positive & ~calls.called)
    alarms = np.flatnonzero(~positive & calls.called)

    def surest(places: np.ndarray, order: np.ndarray) -> list[WrongCall]:
        places = places[np.argsort(order[places], kind="stable")]
        return [
            WrongCall(
                path=testing.paths[place],
                patient=testing.patients[place],
                score=float(score[place]),
                neighbours=None if neighbours is None else int(neighbours[place]),
            )
            for place in _few_a_patient(places, testing.patients, each)
        ]

    return surest(missed, score), surest(alarms, -score)


def pictures_of(content: ReportContent, call: WrongCall) -> list[Picture]:
    """Returns the pictures of a call: the image, and what the call rested on."""
    assert content.image_folder is not None
    files = [content.image_folder / call.path]
    heat = content.heat_map(call.path) if content.heat_map is not None else None
    files += [heat] if heat is not None else []
    found = [small_picture(file, longest=LONGEST_SIDE) for file in files]
    return [picture for picture in found if picture]


def _few_a_patient(places: np.ndarray, patients: Sequence[str], each: int) -> list[int]:
    """Returns the first `each` places, no more than half of them of one patient."""
    kept: list[int] = []
    taken: Counter[str] = Counter()
    for place in places.tolist():
        taken[patients[place]] += 1
        if taken[patients[place]] <= -(-each // 2):
            kept.append(place)
        if len(kept) == each:
            break
    return kept
