"""Calibration on data of known miscalibration, and decision curves by hand."""

import json
import math

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from cancernet.base.files import json_text
from cancernet.base.records import from_json
from cancernet.measures.calibration import (
    PRIOR_PATIENTS,
    calibration_metrics,
    expected_calibration_error,
    fit_calibration,
    isotonic_knots,
    logistic_fit,
    reliability,
)
from cancernet.measures.call_value import decision_curve
from cancernet.measures.calls import Calls
from cancernet.measures.decisions import Calibration, scale
from cancernet.report.figures.curves import draw_decision_curve


def honest(seed, images=20_000, classes=2):
    """Probabilities that are exactly right: the truth is drawn from them."""
    generator = np.random.default_rng(seed)
    odds = generator.normal(0, 1.5, (images, classes))
    probabilities = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    limits = probabilities.cumsum(axis=1)[:, :-1]
    truth = (generator.random((images, 1)) > limits).sum(axis=1)
    return truth, probabilities


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("known", [0.4, 1.0, 2.5])
def test_a_known_temperature_is_found_again(classes, known):
    truth, probabilities = honest(1, classes=classes)
    # Sharpened by 1/known, so that `known` undoes it.
    found = fit_calibration(truth, scale(probabilities, 1 / known), method="temperature")
    assert found.temperature == pytest.approx(known, rel=0.05)
    np.testing.assert_allclose(
        found.apply(scale(probabilities, 1 / known)),
        scale(probabilities, found.temperature / known),
        atol=1e-12,
    )


def test_temperature_makes_overconfident_scores_honest():
    truth, probabilities = honest(2)
    sure = scale(probabilities, 0.4)
    before = calibration_metrics(Calls(truth, sure[:, 1]))
    other_truth, other = honest(3)
    after_fit = fit_calibration(other_truth, scale(other, 0.4), method="temperature")
    after = calibration_metrics(Calls(truth, after_fit.apply(sure)[:, 1]))
    assert before["slope"] == pytest.approx(0.4, abs=0.02)
    assert after["slope"] == pytest.approx(1, abs=0.05)
    assert before["ece"] > 5 * before["ece_if_perfect_95"]
    assert after["ece"] < 2 * after["ece_if_perfect_95"]
    assert after["log_loss"] < before["log_loss"]


def test_temperature_changes_no_order_and_no_prediction():
    _, probabilities = honest(4, images=500, classes=4)
    scaled = scale(probabilities, 3.0)
    assert (scaled.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    two = honest(5, images=500)[1]
    assert (np.argsort(scale(two, 3.0)[:, 1]) == np.argsort(two[:, 1])).all()
    np.testing.assert_allclose(scaled.sum(axis=1), 1)


@pytest.mark.parametrize("classes", [2, 5])
def test_class_weights_are_taken_out(classes):
    """What a network gives that weighs rare classes more, and is too sure besides."""
    _, right = honest(9, images=500, classes=classes)
    shares = np.arange(1, classes + 1) / np.arange(1, classes + 1).sum()
    weighted = right / shares
    given = scale(weighted / weighted.sum(axis=1, keepdims=True), 0.5)
    found = Calibration(method="temperature", temperature=2.0, shares=tuple(shares.tolist()))
    np.testing.assert_allclose(found.apply(given), right, atol=1e-9)
    np.testing.assert_allclose(found.undo(found.apply(given)), given, atol=1e-9)
    assert from_json(Calibration, json.loads(json_text(found))) == found
    even = np.full((1, classes), 1 / classes)
    assert found.apply(even)[0, -1] == pytest.approx(found.even([classes - 1]))


def test_class_weights_are_taken_out_where_nothing_could_be_fitted():
    found = Calibration(method="none", shares=(0.8, 0.2))
    assert found.changes and found.words == "class weights taken out"
    np.testing.assert_allclose(found.apply([[0.5, 0.5]]), [[0.8, 0.2]])


def test_scale_by_hand():
    # Odds 9:1; at temperature 2 the square root, 3:1.
    np.testing.assert_allclose(scale(np.array([[0.1, 0.9]]), 2.0), [[0.25, 0.75]])
    np.testing.assert_allclose(scale(np.array([[0.0, 1.0]]), 2.0), [[0, 1]], atol=1e-12)


def test_isotonic_like_scikit_learn():
    generator = np.random.default_rng(6)
    score = np.round(generator.random(400), 2)
    truth = generator.random(400) < score**2
    knots = isotonic_knots(truth, score)
    reference = IsotonicRegression(out_of_bounds="clip").fit(score, truth)
    asked = np.linspace(-0.1, 1.1, 500)
    np.testing.assert_allclose(np.interp(asked, *np.array(knots).T), reference.predict(asked))


@pytest.mark.parametrize("positive", [0, 1])
def test_isotonic_mends_what_temperature_cannot(positive):
    truth, probabilities = honest(7)
    bent = probabilities.copy()
    bent[:, positive] = probabilities[:, positive] ** 3
    bent[:, 1 - positive] = 1 - bent[:, positive]
    found = fit_calibration(truth, bent, method="isotonic", positive=positive)
    after = found.apply(bent)
    np.testing.assert_allclose(after.sum(axis=1), 1)
    # The line brings the scores to the shares of validation, where an even image is expected.
    assert found.even([positive]) == pytest.approx((truth == positive).mean())
    assert found.words.startswith("isotonic line with")
    assert expected_calibration_error(truth == positive, after[:, positive]) < 0.01
    assert expected_calibration_error(truth == positive, bent[:, positive]) > 0.1


@pytest.mark.parametrize("method", ["none", "temperature", "isotonic"])
def test_stored_and_read_back_it_does_the_same(method):
    truth, probabilities = honest(8, images=300)
    found = fit_calibration(truth, probabilities, method=method, positive=1)
    again = from_json(Calibration, json.loads(json_text(found)))
    assert again == found
    assert (again.apply(probabilities) == found.apply(probabilities)).all()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"method": "magic"}, "method 'magic'"),
        ({"method": "temperature", "temperature": 0}, "temperature 0.0"),
        ({"method": "temperature", "temperature": math.nan}, "temperature nan"),
        ({"method": "temperature", "temperature": math.inf}, "temperature inf"),
        ({"method": "isotonic", "positive": 1}, "knots that rise"),
        ({"method": "isotonic", "positive": 1, "knots": [[0.5, 1], [0, 1]]}, "knots that rise"),
        ({"method": "isotonic", "positive": 1, "knots": [[0, 1], [1, 2]]}, "knots that rise"),
        ({"method": "isotonic", "positive": 2, "knots": [[0, 0], [1, 1]]}, "positive class"),
        ({"method": "isotonic", "positive": 1, "knots": [[0, 0, 0]]}, r"knots\[0\]` has 3 values"),
    ],
)
def test_what_is_no_calibration_is_refused(content, words):
    with pytest.raises(ValueError, match=words):
        from_json(Calibration, content)


def test_few_patients_draw_the_temperature_towards_one():
    truth, probabilities = honest(14, images=2000)
    sure = scale(probabilities, 0.4)
    alone = fit_calibration(truth, sure, method="temperature").temperature
    found = []
    for patients in (1, 3, 100):
        fit = fit_calibration(
            truth, sure, method="temperature", patients=np.arange(2000) % patients
        )
        assert fit.temperature == pytest.approx(alone ** (patients / (patients + PRIOR_PATIENTS)))
        found.append(fit)
    assert 1 < found[0].temperature < found[1].temperature < found[2].temperature < alone
    assert "get a weight of 23 %" in found[1].note and found[2].note == ""


class TestBadNews:
    def test_one_class(self):
        found = fit_calibration([1, 1], [[0.2, 0.8], [0.6, 0.4]], method="temperature")
        assert found.method == "none"
        assert "one class" in found.note

    def test_no_error(self):
        found = fit_calibration([0, 1], [[0.8, 0.2], [0.1, 0.9]], method="temperature")
        assert found.method == "none"
        assert "no validation image is misclassified" in found.note

    def test_scores_that_know_nothing(self):
        generator = np.random.default_rng(9)
        probabilities = generator.dirichlet((0.3, 0.3), 4000)
        found = fit_calibration(probabilities.argmin(axis=1), probabilities, method="temperature")
        assert "carry no information" in found.note

    def test_few_patients_and_images(self):
        truth, probabilities = honest(10, images=50)
        found = fit_calibration(
            truth, probabilities, method="isotonic", positive=1, patients=np.arange(50) % 4
        )
        assert "4 patients" in found.note
        assert "50 images" in found.note

    def test_isotonic_needs_two_classes(self):
        truth, probabilities = honest(10, images=50, classes=3)
        with pytest.raises(ValueError, match="two classes"):
            fit_calibration(truth, probabilities, method="isotonic", positive=1)
        with pytest.raises(ValueError, match="unknown calibration"):
            fit_calibration(truth, probabilities, method="platt")


def test_measures_by_hand():
    truth, score = [0, 1, 1, 0], [0.05, 0.05, 0.85, 0.85]
    found = calibration_metrics(Calls(truth, score))
    assert found["ece"] == pytest.approx(0.5 * 0.45 + 0.5 * 0.35)
    assert found["brier"] == pytest.approx((0.0025 + 0.9025 + 0.0225 + 0.7225) / 4)
    logs = math.log(0.95) + math.log(0.05) + math.log(0.85) + math.log(0.15)
    assert found["log_loss"] == pytest.approx(-logs / 4)


def test_ece_of_honest_scores_is_within_its_bias():
    truth, probabilities = honest(11, images=300)
    found = calibration_metrics(Calls(truth, probabilities[:, 1]))
    assert found["ece_if_perfect"] > 0.02  # the bias is real
    assert found["ece"] < found["ece_if_perfect_95"] * 1.2


def test_slope_like_scikit_learn():
    truth, probabilities = honest(12, images=2000)
    score = scale(probabilities, 0.5)[:, 1]
    odds = np.log(score / (1 - score))
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(odds[:, None], truth)
    intercept, slope = logistic_fit(truth, score, with_slope=True)
    assert slope == pytest.approx(reference.coef_[0, 0], rel=1e-4)
    assert intercept == pytest.approx(reference.intercept_[0], abs=1e-4)


def test_in_the_large_makes_the_mean_fit():
    truth, probabilities = honest(13, images=2000)
    odds = np.log(probabilities[:, 1] / probabilities[:, 0]) - 1.3
    shifted = 1 / (1 + np.exp(-odds))
    found = calibration_metrics(Calls(truth, shifted))["in_the_large"]
    assert found == pytest.approx(1.3, abs=0.15)
    assert (1 / (1 + np.exp(-odds - found))).mean() == pytest.approx(truth.mean(), abs=1e-6)


@pytest.mark.parametrize(
    ("truth", "score"),
    [([1, 1, 1], [0.2, 0.5, 0.9]), ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])],
    ids=["one class", "separated"],
)
def test_slope_without_an_answer_is_nan(truth, score):
    assert math.isnan(calibration_metrics(Calls(truth, score))["slope"])


def test_saturated_scores_have_a_finite_loss():
    found = calibration_metrics(Calls([0, 1, 1, 0], [1.0, 0.0, 1.0, 0.0]))
    assert math.isfinite(found["log_loss"])
    assert not math.isnan(found["brier"])


class TestDecisionCurve:
    TRUTH, SCORE = [1, 1, 0, 0, 0], [0.9, 0.4, 0.6, 0.2, 0.1]

    def test_by_hand(self):
        found = decision_curve(Calls(self.TRUTH, self.SCORE), [0.25, 0.5, 0.9, 0.95])
        # At 0.25: two hits, one alarm at odds 1/3; at 0.5: one hit, one alarm at odds 1.
        np.testing.assert_allclose(found.network, [(2 - 1 / 3) / 5, 0, 1 / 5, 0])
        np.testing.assert_allclose(
            found.everybody, [(2 - 3 / 3) / 5, (2 - 3) / 5, (2 - 27) / 5, (2 - 57) / 5]
        )
        assert found.useful_stretches() == [(0.25, 0.25), (0.9, 0.9)]

    def test_useful_on_both_sides_of_thresholds_where_it_is_not(self):
        # From 0.31 to 0.6 it finds half of the positives and calls half of the negatives.
        calls = Calls([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [0.9, 0.9, 0.3, 0.3, *[0.6] * 3, *[0.1] * 3])
        found = decision_curve(calls)
        assert found.useful_stretches() == [(0.11, 0.3), (0.61, 0.9)]

    def test_never_useful(self):
        found = decision_curve(Calls([1, 0], [0.1, 0.9]))
        assert found.useful_stretches() == []

    def test_one_class(self):
        found = decision_curve(Calls([0, 0], [0.1, 0.9]))
        assert found.prevalence == 0
        assert (found.network <= 0).all()

    @pytest.mark.parametrize("thresholds", [[0.0], [1.0], [math.nan], [[0.5]]])
    def test_thresholds_out_of_range(self, thresholds):
        with pytest.raises(ValueError, match="thresholds"):
            decision_curve(Calls(self.TRUTH, self.SCORE), thresholds)

    def test_drawn(self):
        figure = draw_decision_curve(Calls(self.TRUTH, self.SCORE, 0.3))
        labels = [line.get_label() for line in figure.axes[0].lines]
        assert labels == [
            "network",
            "act on everybody",
            "act on nobody",
            "operating point 0.3",
        ]

    def test_operating_points_of_patches_with_and_without_neighbours_are_drawn(self):
        calls = Calls(self.TRUTH, self.SCORE, [0.3, 0.3, 0.4, 0.4, 0.4])
        drawn = draw_decision_curve(calls).axes[0].lines[3:]
        assert [line.get_xdata()[0] for line in drawn] == [0.3, 0.4]
        assert drawn[0].get_label() == "operating point 0.3 or 0.4"


def test_reliability_by_hand():
    found = reliability(Calls(np.array([0, 1, 1, 0]), np.array([0.0, 0.1, 0.15, 1.0])), bins=10)
    assert found.images.tolist() == [1, 2, 0, 0, 0, 0, 0, 0, 0, 1]
    assert found.mean_score[1] == pytest.approx(0.125)
    assert found.observed[:2].tolist() == [0, 1]
    assert np.isnan(found.observed[2])
    assert found.observed[9] == 0
