"""Each class by itself, the two sides, and the measures of an epoch."""

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from cancernet.measures.calls import Calls
from cancernet.measures.class_measures import (
    MEASURES,
    class_table,
    epoch_measures,
    fold,
    over_classes,
    overall_accuracy,
    score_measures,
)
from cancernet.measures.intervals import patient_intervals
from cancernet.measures.metrics import binary_metrics
from tests.helpers.evaluation_examples import NAMES, assessed


def drawn_truth(classes=4, images=300, seed=3):
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, images)
    called = np.where(random.random(images) < 0.6, truth, random.integers(0, classes, images))
    return truth, called


def test_class_rows_are_scikit_learns():
    truth, called = drawn_truth()
    table = class_table(reference.confusion_matrix(truth, called), NAMES[:4])
    precision, recall, f1, support = reference.precision_recall_fscore_support(truth, called)
    for index, row in enumerate(table.classes):
        found = (row.precision, row.recall, row.f1, row.support)
        assert found == pytest.approx((precision[index], recall[index], f1[index], support[index]))
        assert row.accuracy == pytest.approx(np.mean((truth == index) == (called == index)))
    for row, average in zip(table.means, ("macro", "weighted"), strict=True):
        expected = reference.precision_recall_fscore_support(truth, called, average=average)
        assert (row.precision, row.recall, row.f1) == pytest.approx(expected[:3])
        assert row.name == f"{average} mean" and math.isnan(row.accuracy)


def test_what_is_undefined_is_nan_and_left_out_of_the_mean():
    found = class_table([[3, 1, 1], [0, 0, 0], [0, 0, 4]], "abc")
    rows = found.classes
    # Called once, but there are none of it: not judged, and no 0 in the mean.
    assert all(math.isnan(getattr(rows[1], name)) for name in ("accuracy", *MEASURES))
    assert found.macro.precision == pytest.approx((1 + 0.8) / 2)
    assert rows[1].support == 0
    assert found.macro.recall == pytest.approx((0.6 + 1) / 2)


def test_folded_one_benign_class_called_another_is_no_error():
    table = np.zeros((4, 4), int)
    table[0, 2] = 5  # benign called another benign
    table[1, 3] = 7  # malignant called another malignant
    table[0, 1] = 1  # benign called malignant
    table[3, 2] = 2  # malignant called benign
    assert fold(table, [1, 3]).tolist() == [[5, 1], [2, 7]]
    assert overall_accuracy(table) == 0 and overall_accuracy(fold(table, [1, 3])) == 12 / 15
    truth, called = drawn_truth()
    sides = fold(reference.confusion_matrix(truth, called), [1, 3])
    expected = reference.confusion_matrix(np.isin(truth, [1, 3]), np.isin(called, [1, 3]))
    assert np.array_equal(sides, expected)


def test_limits_over_two_classes_are_those_of_their_calls():
    calls = assessed()[2].calls()
    accuracy, mean = over_classes(calls, calls.truth, calls.called.astype(int), seed=7)
    found, limits = binary_metrics(calls), patient_intervals(calls, seed=7).limits
    assert accuracy.value == pytest.approx(found.accuracy)
    assert accuracy.limits == pytest.approx(limits["accuracy"])
    assert mean.value == pytest.approx(found.balanced_accuracy)
    assert mean.limits == pytest.approx(limits["balanced_accuracy"])
    # One class without a mistake has no spread, and would count as certain.
    assert np.isnan(
        over_classes(calls, calls.truth, calls.truth & calls.called, seed=7)[1].limits
    ).all()


def test_a_class_of_one_patient_leaves_the_mean_without_limits():
    truth = np.array([0, 0, 1, 1, 2, 2])
    calls = Calls(
        truth=(truth > 0).astype(int), score=np.full(6, 0.5), threshold=0.5, patients=list("abcdee")
    )
    accuracy, mean = over_classes(calls, truth, np.array([0, 1, 1, 0, 2, 0]), seed=7)
    assert (accuracy.value, mean.value) == (0.5, 0.5)
    assert accuracy.limits[0] < 0.5 < accuracy.limits[1] and np.isnan(mean.limits).all()


def test_epoch_measures_of_two_classes_are_the_positive_ones():
    table = [[8, 2], [1, 3]]
    assert epoch_measures(table, [1]) == pytest.approx(
        {"precision": 3 / 5, "recall": 3 / 4, "f1": 6 / 9}
    )
    assert epoch_measures(table, [0])["recall"] == pytest.approx(0.8)
    several = epoch_measures(np.diag([1, 2, 3]), [2])
    assert several == {"precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_measures_of_an_epoch_from_scores_are_of_the_most_probable_class():
    truth = np.array([0, 0, 1, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4]])
    found = score_measures(truth, probabilities, [1])
    assert found == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3})
    three = np.eye(3)[[0, 1, 2, 2]]
    assert score_measures(np.array([0, 1, 2, 1]), three, [0, 1]) == pytest.approx(
        {"precision": (1 + 1 + 0.5) / 3, "recall": (1 + 0.5 + 1) / 3, "f1": (1 + 2 / 3 + 2 / 3) / 3}
    )


def test_a_weighted_mean_counts_images():
    found = class_table([[3, 1], [0, 6]], ("a", "b"))
    assert found.weighted.recall == pytest.approx((0.75 * 4 + 1 * 6) / 10)
    assert found.macro.recall == pytest.approx((0.75 + 1) / 2)
    assert (found.macro.support, found.weighted.support) == (10, 10)
