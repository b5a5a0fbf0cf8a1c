"""Metrics against numbers worked by hand, against scikit-learn, and where undefined."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from cancernet.base.records import as_json
from cancernet.measures.calls import Calls
from cancernet.measures.class_measures import per_class_metrics
from cancernet.measures.metrics import ConfusionMatrix, binary_metrics, ratio

# Three positives of which two are found, five negatives of which four are.
TRUTH = [1, 1, 1, 0, 0, 0, 0, 0]
SCORE = [0.9, 0.8, 0.3, 0.7, 0.2, 0.1, 0.4, 0.05]


def test_worked_by_hand():
    found = binary_metrics(Calls(TRUTH, SCORE, 0.5, patients=list("aabbbccc")))
    assert found.confusion_matrix == ConfusionMatrix(tn=4, fp=1, fn=1, tp=2)
    assert found["images"] == 8
    assert found["patients"] == 3
    assert found["accuracy"] == pytest.approx(6 / 8)
    assert found["sensitivity"] == pytest.approx(2 / 3)
    assert found["specificity"] == pytest.approx(4 / 5)
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["f1"] == pytest.approx(2 / 3)
    # (2·4 - 1·1) / sqrt(3·3·5·5) = 7 / 15
    assert found["mcc"] == pytest.approx(7 / 15)
    # Of 15 pairs the positive wins all but (0.3 against 0.7 and 0.4).
    assert found["roc_auc"] == pytest.approx(13 / 15)
    # Recall gains 1/3 at precisions 1/1, 2/2 and 3/5.
    assert found["pr_auc"] == pytest.approx((1 + 1 + 3 / 5) / 3)
    squares = [0.01, 0.04, 0.49, 0.49, 0.04, 0.01, 0.16, 0.0025]
    assert found["brier"] == pytest.approx(sum(squares) / 8)


def test_exactly_the_keys_of_the_contract():
    names = (
        "images patients accuracy sensitivity specificity balanced_accuracy precision f1 mcc "
        "roc_auc pr_auc brier confusion_matrix"
    )
    assert " ".join(as_json(binary_metrics(Calls(TRUTH, SCORE, 0.5)))) == names


def test_sensitivity_is_the_recall_of_the_positive_and_not_swapped():
    # Everything is called positive: all positives found, no negative left.
    found = binary_metrics(Calls([1, 0, 0, 0], [0.9, 0.9, 0.9, 0.9], 0.5))
    assert found["sensitivity"] == 1
    assert found["specificity"] == 0


def test_a_score_equal_to_the_threshold_is_positive():
    assert binary_metrics(Calls([1, 0], [0.5, 0.4999999], 0.5))["accuracy"] == 1


@pytest.mark.parametrize(
    ("truth", "score", "undefined"),
    [
        ([1, 1], [0.9, 0.2], "specificity balanced_accuracy mcc roc_auc pr_auc"),
        ([0, 0], [0.9, 0.2], "sensitivity balanced_accuracy f1 mcc roc_auc pr_auc"),
        ([0, 0], [0.1, 0.2], "sensitivity balanced_accuracy precision f1 mcc roc_auc pr_auc"),
        ([0, 1], [0.1, 0.2], "precision mcc"),
        ([0, 1], [0.8, 0.9], "mcc"),
        ([0, 1], [0.1, 0.9], ""),
        ([1], [0.9], "specificity balanced_accuracy mcc roc_auc pr_auc"),
    ],
    ids=["positives", "negatives called", "negatives", "none called", "all called", "good", "one"],
)
def test_undefined_is_nan_without_a_warning(truth, score, undefined):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = binary_metrics(Calls(truth, score, 0.5))
    figures = {key: value for key, value in found.items() if isinstance(value, float)}
    assert {key for key, value in figures.items() if math.isnan(value)} == set(undefined.split())


@pytest.mark.parametrize(
    ("truth", "score", "threshold", "words"),
    [
        ([], [], 0.5, "no images"),
        ([[1]], [0.5], 0.5, "one-dimensional"),
        ([0, 2], [0.5, 0.5], 0.5, "0 to 1"),
        ([0, -1], [0.5, 0.5], 0.5, "0 to 1"),
        ([0, 0.5], [0.5, 0.5], 0.5, "whole numbers"),
        (["0", "1"], [0.5, 0.5], 0.5, "whole numbers"),
        ([0, 1], [0.5], 0.5, "shape"),
        ([0, 1], [0.5, math.nan], 0.5, "1 of 2 values of score are not finite"),
        ([0, 1], [0.5, math.inf], 0.5, "not finite"),
        ([0, 1], [0.5, 1.5], 0.5, "between 0 and 1"),
        ([0, 1], [0.5, -0.1], 0.5, "between 0 and 1"),
        ([0, 1], [0.5, 0.5], 1.5, "threshold"),
        ([0, 1], [0.5, 0.5], math.nan, "threshold"),
    ],
)
def test_bad_input_is_refused(truth, score, threshold, words):
    with pytest.raises(ValueError, match=words):
        binary_metrics(Calls(truth, score, threshold))


def test_patients_must_fit():
    with pytest.raises(ValueError, match="patients"):
        binary_metrics(Calls([0, 1], [0.1, 0.9], 0.5, patients=["a"]))


# Few distinct scores, so that ties are common.
images = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 20).map(lambda k: k / 20)), min_size=2, max_size=60
).filter(lambda rows: len({truth for truth, _ in rows}) == 2)


@settings(max_examples=75, deadline=None)
@given(images, st.integers(0, 40).map(lambda k: k / 40))
def test_like_scikit_learn(rows, threshold):
    truth, score = (np.array(column) for column in zip(*rows, strict=True))
    called = (score >= threshold).astype(int)
    found = binary_metrics(Calls(truth, score, threshold))
    tn, fp, fn, tp = reference.confusion_matrix(truth, called, labels=[0, 1]).ravel()
    assert found.confusion_matrix == ConfusionMatrix(tn, fp, fn, tp)
    expected = {
        "accuracy": reference.accuracy_score(truth, called),
        "sensitivity": reference.recall_score(truth, called, pos_label=1),
        "specificity": reference.recall_score(truth, called, pos_label=0),
        "balanced_accuracy": reference.balanced_accuracy_score(truth, called),
        "precision": reference.precision_score(truth, called, zero_division=np.nan),
        "f1": reference.f1_score(truth, called),
        "roc_auc": reference.roc_auc_score(truth, score),
        "pr_auc": reference.average_precision_score(truth, score),
        "brier": reference.brier_score_loss(truth, score),
    }
    if 0 < called.sum() < len(called):
        expected["mcc"] = reference.matthews_corrcoef(truth, called)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12, nan_ok=True), name


class TestPerClass:
    CLASSES = ("a", "b", "c")

    def test_worked_by_hand(self):
        # Truth a a b c; predicted a b b c.
        probabilities = [[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7]]
        found = per_class_metrics([0, 0, 1, 2], probabilities, self.CLASSES)
        assert found["confusion_matrix"] == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
        assert found["accuracy"] == 0.75
        first = found["classes"]["a"]
        assert (first["precision"], first["recall"], first["support"]) == (1, 0.5, 2)
        assert first["f1"] == pytest.approx(2 / 3)
        assert first["accuracy"] == 0.75
        assert found["macro"]["recall"] == pytest.approx((0.5 + 1 + 1) / 3)
        assert found["weighted"]["recall"] == pytest.approx(0.75)
        assert found["absent"] == found["never_predicted"] == []

    @settings(max_examples=50, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 40))
    def test_like_scikit_learn(self, seed, size):
        generator = np.random.default_rng(seed)
        truth = generator.integers(0, 3, size)
        probabilities = generator.dirichlet(np.ones(3), size)
        found = per_class_metrics(truth, probabilities, self.CLASSES)
        predicted = probabilities.argmax(axis=1)
        present = np.unique(truth)
        for average in (None, "macro", "weighted"):
            expected = reference.precision_recall_fscore_support(
                truth, predicted, labels=present, average=average, zero_division=np.nan
            )
            for number, name in enumerate(("precision", "recall", "f1")):
                if average is None:
                    # A class that does not occur is undefined here and in no average.
                    got = np.array([row[name] for row in found["classes"].values()])
                    np.testing.assert_allclose(got[present], expected[number])
                    assert np.isnan(np.delete(got, present)).all()
                elif not np.isnan(found[average][name]):
                    # Without weight on any defined class the mean is undefined here, 0 there.
                    assert found[average][name] == pytest.approx(expected[number], nan_ok=True)

    def test_what_averages_leave_out_is_named(self):
        probabilities = [[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.1, 0.9, 0.0]]
        found = per_class_metrics([0, 1, 1], probabilities, self.CLASSES)
        assert found["absent"] == ["c"]
        assert found["never_predicted"] == ["c"]
        assert math.isnan(found["classes"]["c"]["recall"])
        called = per_class_metrics([0, 1], [[0.9, 0.1, 0], [0, 0.1, 0.9]], self.CLASSES)
        assert math.isnan(called["classes"]["c"]["precision"])
        assert called["macro"]["precision"] == 1
        assert math.isnan(found["classes"]["c"]["roc_auc"])
        assert found["macro"]["recall"] == pytest.approx((1 + 0.5) / 2)

    @pytest.mark.parametrize(
        ("truth", "probabilities", "words"),
        [
            ([0, 3], [[1, 0, 0], [1, 0, 0]], "0 to 2"),
            ([0, 1], [[1, 0], [0, 1]], "shape"),
            ([0], [[0.5, 0.5, 0.5]], "add up to 1"),
            ([0], [[math.nan, 0.5, 0.5]], "not finite"),
        ],
    )
    def test_bad_input_is_refused(self, truth, probabilities, words):
        with pytest.raises(ValueError, match=words):
            per_class_metrics(truth, probabilities, self.CLASSES)


def test_ratio_of_nothing_is_nan():
    np.testing.assert_array_equal(ratio([1, 0], [0, 0]), [np.nan, np.nan])
