"""Folds judged together, each at its own operating point."""

import dataclasses
import math

import numpy as np
import pytest

from cancernet.measures.assess import FoldScores, assess_at, pool, spread_over_folds
from cancernet.measures.calls import Calls
from cancernet.measures.decisions import Rule
from cancernet.measures.intervals import patient_intervals
from cancernet.measures.operating_point import choose_operating_point
from cancernet.measures.remarks import Kind, remark
from cancernet.measures.scored import Classes, Scored
from tests.helpers.evaluation_examples import scored

BOTH = Classes(classes=("0", "1"), words=("no", "yes"), positive=("1",))


def fold_scores(number, threshold, *, only_class=None, patients=3):
    testing = scored(number, patients=4, images=60)
    keep = np.arange(60) if only_class is None else np.flatnonzero(testing.truth == only_class)
    testing = Scored(
        paths=[f"{number}/{testing.paths[k]}" for k in keep],
        patients=[f"{number}-{testing.patients[k]}" for k in keep],
        truth=testing.truth[keep],
        probabilities=testing.probabilities[keep],
    )
    names = None if threshold is None else np.arange(patients)
    threshold = 0.5 if threshold is None else threshold
    truth = np.arange(patients) % 2
    point = choose_operating_point(
        Calls(truth, 0.1 + 0.8 * truth, patients=names), Rule("fixed", threshold=threshold)
    )
    return FoldScores(
        **vars(BOTH),
        name=f"fold-{number:02d}",
        scored={"validation": scored(number + 100, patients=3, images=30), "testing": testing},
        operating_point=point,
    )


def test_pooled_calls_are_each_folds_own():
    """The confusion matrix is the sum of the folds'; the rest against a plain computation."""
    folds = [fold_scores(1, 0.3), fold_scores(2, 0.7), fold_scores(3, 0.5, only_class=1)]
    found = assess_at(pool(folds), seed=3, resamples=200)
    cells = found.testing["confusion_matrix"]
    for name in cells:
        assert cells[name] == sum(fold.metrics["confusion_matrix"][name] for fold in folds)
    # Scores moved so that every fold's threshold comes to lie at 0.5 give the same calls.
    testing = found.scored["testing"]
    score = testing.probabilities[:, 1]
    moved = np.where(score >= found.threshold(), 0.9, 0.1)
    limits = patient_intervals(
        Calls(testing.truth, moved, 0.5, testing.patients), resamples=200, seed=3
    ).limits
    for name in ("accuracy", "sensitivity", "specificity"):
        assert found.intervals["testing"].limits[name] == pytest.approx(limits[name])
    assert math.isnan(folds[2].metrics["roc_auc"])
    mean, spread, defined = spread_over_folds(folds, "roc_auc")
    values = [fold.metrics["roc_auc"] for fold in folds[:2]]
    assert defined == 2 and mean == pytest.approx(np.mean(values))
    assert spread == pytest.approx(np.std(values, ddof=1))


def test_what_is_said_of_all_folds_together():
    folds = [fold_scores(1, 0.3), fold_scores(2, 0.7, patients=12), fold_scores(3, None)]
    found = assess_at(pool(folds), seed=3, resamples=20)
    assert found.remarks[0] == remark(Kind.FEW_VALIDATED_FOLDS, few=2, folds=3, fewest=10)
    assert [each.kind for each in found.calibration.remarks] == [Kind.CALIBRATED_BY_FOLD]
    point = found.operating_point
    assert math.isnan(point.threshold) and point.rule == folds[0].operating_point.rule
    assert (point.rule_name, point.chosen_on) == ("fixed", None)
    images = {path for fold in folds for path in fold.scored["validation"].paths}
    patients = {name for fold in folds for name in fold.scored["validation"].patients}
    assert (point.images, point.patients) == (len(images), len(patients))
    assert (point.sensitivity, point.specificity) == (
        found.validation.sensitivity,
        found.validation.specificity,
    )
    assert found.intervals["testing"].seed == 3 and found.intervals["testing"].resamples == 20
    assert np.isnan(list(found.intervals["validation"].limits.values())).all()
    assert found.intervals["validation"].notes == ()


def test_enough_validating_patients_are_no_remark():
    found = assess_at(
        pool([fold_scores(k, 0.5, patients=10) for k in (1, 2)]), seed=3, resamples=20
    )
    assert all(each.kind != Kind.FEW_VALIDATED_FOLDS for each in found.remarks)
    assert (found.threshold() == 0.5).all() and len(found.threshold()) == 120


def test_folds_without_a_choice_are_counted_and_do_not_name_the_rule_of_all():
    chosen = fold_scores(1, 0.5, patients=12)
    stand_in = choose_operating_point(Calls([0, 0], [0.1, 0.2], patients=[1, 2]))
    folds = [dataclasses.replace(chosen, operating_point=stand_in), chosen]
    found = assess_at(pool(folds), seed=3, resamples=20)
    assert remark(Kind.STAND_INS_IN_FOLDS, count=1, folds=2) in found.remarks
    assert found.operating_point.rule_name == "fixed"


def test_folds_of_one_side_are_told():
    folds = [fold_scores(k, 0.5, only_class=0) for k in (1, 2)]
    found = assess_at(pool(folds), seed=3, resamples=20)
    assert remark(Kind.TESTING_OF_ONE_CLASS, only="negative") in found.remarks


def test_the_spread_over_folds_needs_two():
    folds = [fold_scores(1, 0.3), fold_scores(2, 0.7, only_class=0)]
    mean, spread, defined = spread_over_folds(folds, "roc_auc")
    assert mean == folds[0].metrics.roc_auc and math.isnan(spread) and defined == 1
    mean, spread, defined = spread_over_folds(folds[1:], "roc_auc")
    assert math.isnan(mean) and math.isnan(spread) and defined == 0
