"""Values at exactly a bound, worked by hand: where `<` and `<=`, 9 and 10, part."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.special import stdtrit

from cancernet.measures.calibration import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    best_temperature,
    calibration_metrics,
    expected_calibration_error,
    fit_calibration,
    isotonic_knots,
    logistic_fit,
    reliability,
)
from cancernet.measures.call_value import predictive_rows
from cancernet.measures.calls import (
    Calls,
    check_probabilities,
    check_score,
    check_threshold,
    check_truth,
)
from cancernet.measures.comparison import compare
from cancernet.measures.decisions import Calibration, Rule, log_odds, scale
from cancernet.measures.metrics import binary_metrics
from cancernet.measures.operating_point import MARGIN, candidates, choose_operating_point
from cancernet.measures.patients import patient_rows, patient_scores
from cancernet.measures.ranking import areas, rank
from cancernet.measures.remarks import Kind, remark
from cancernet.measures.scored import Classes, Scored, positive_score, predicted_indices
from cancernet.measures.threshold_spread import threshold_spread
from tests.helpers.evaluation_examples import scored

BOTH = Classes(classes=("0", "1"), words=("no", "yes"), positive=("1",))


class TestChecks:
    @pytest.mark.parametrize("score", [-1e-6, 1 + 1e-6, 0, 1])
    def test_float32_may_pass_one_by_a_little(self, score):
        assert check_score([score], 1) == [score]

    @pytest.mark.parametrize("score", [-1e-4, 1 + 1e-4])
    def test_more_is_refused_with_the_range(self, score):
        with pytest.raises(ValueError, match=f"score must lie between 0 and 1.*{score:g}"):
            check_score([0.5, score], 2)

    def test_rows_may_be_rounded_to_four_digits(self):
        good = [[0.505, 0.5], [0.495, 0.5]]
        assert check_probabilities(good, 2, 2).tolist() == good
        with pytest.raises(ValueError, match=r"add up to 1\.0200"):
            check_probabilities([[0.5, 0.5], [0.52, 0.5]], 2, 2)
        with pytest.raises(ValueError, match=r"add up to 0\.9800"):
            check_probabilities([[0.48, 0.5]], 1, 2)

    def test_thresholds_at_both_ends(self):
        assert check_threshold(0) == 0 and check_threshold(1) == 1
        assert check_threshold([0.2, 1]).tolist() == [0.2, 1]
        for beyond in (-1e-9, 1 + 1e-9, [0.5, 2]):
            with pytest.raises(ValueError, match="threshold"):
                check_threshold(beyond)

    def test_truth_up_to_the_last_class(self):
        assert check_truth([0, 2], 3).dtype == np.int64
        assert check_truth([True, False]).tolist() == [1, 0]
        assert check_truth(np.array([1.0, 0.0])).tolist() == [1, 0]
        with pytest.raises(ValueError, match="0 to 2, but holds 0 to 3"):
            check_truth([0, 3], 3)

    def test_patients_are_sorted_by_name(self):
        found = Calls([0, 1, 0], [0.5] * 3, 0.5, ["b", "a", "b"])
        assert found.names.tolist() == ["a", "b"] and found.patient_index.tolist() == [1, 0, 1]


class TestScores:
    def test_several_positive_classes_add_up_to_one_at_most(self):
        found = positive_score(np.array([[0.2, 0.5, 0.3], [0.0, 0.5, 0.5000001]]), [1, 2])
        assert found == pytest.approx([0.8, 1.0]) and found[1] == 1.0

    def test_two_classes_are_called_by_the_threshold(self):
        probabilities = np.array([[0.3, 0.7], [0.7, 0.3], [0.5, 0.5]])
        assert predicted_indices(probabilities, [1], 0.5).tolist() == [1, 0, 1]
        assert predicted_indices(probabilities, [0], 0.5).tolist() == [1, 0, 0]
        assert predicted_indices(probabilities, [1], 0.71).tolist() == [0, 0, 0]
        own = np.array([0.8, 0.2, 0.5])
        assert predicted_indices(probabilities, [1], own).tolist() == [0, 1, 1]

    def test_more_by_the_most_probable_whatever_the_threshold(self):
        probabilities = np.array([[0.4, 0.4, 0.2], [0.1, 0.2, 0.7]])
        assert predicted_indices(probabilities, [1], 0.9).tolist() == [0, 2]

    def test_words_of_one_and_of_several_classes(self):
        two = Classes(classes=("0", "1"), words=("benign", "cancer"), positive=("1",))
        assert (two.positive_word, two.negative_word) == ("cancer", "benign")
        four = Classes(classes=tuple("abcd"), words=tuple("ABCD"), positive=("d", "b"))
        assert (four.positive_word, four.negative_word) == ("positive", "the rest")
        assert four.positive_words == "B; D" and four.positive_indices == [1, 3]
        three = Classes(classes=tuple("abc"), words=tuple("ABC"), positive=("a", "c"))
        assert (three.positive_word, three.negative_word) == ("positive", "B")


class TestRanking:
    def test_ties_and_steps(self):
        ranking = rank(np.array([0, 1, 1, 0, 1]), np.array([0.2, 0.9, 0.5, 0.5, 0.2]))
        assert ranking.scores.tolist() == [0.9, 0.5, 0.2]
        assert ranking.ends.tolist() == [0, 2, 4]
        # Pairs: 0.9 beats both; 0.5 ties with one, beats one; 0.2 loses one, ties one.
        assert areas(ranking)[0] == pytest.approx((2 + 1.5 + 0.5) / 6)
        assert areas(ranking)[1] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


class TestReliability:
    def test_scores_at_edges_belong_to_the_upper_bin(self):
        found = reliability(Calls(np.array([0, 1, 1]), np.array([0.25, 0.5, 1.0])), bins=4)
        assert found.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]
        assert found.images.tolist() == [0, 1, 1, 1]
        assert np.isnan(found.mean_score[0]) and np.isnan(found.observed[0])
        assert found.mean_score[1:].tolist() == [0.25, 0.5, 1.0]
        assert found.observed[1:].tolist() == [0, 1, 1]

    def test_the_number_of_bins_counts(self):
        truth, score = np.array([0, 1]), np.array([0.3, 0.6])
        assert expected_calibration_error(truth, score, bins=1) == pytest.approx(0.1 / 2)
        assert expected_calibration_error(truth, score, bins=2) == pytest.approx(0.35)
        assert calibration_metrics(Calls(truth, score), bins=1).ece == pytest.approx(0.1 / 2)
        assert calibration_metrics(Calls(truth, score), bins=3).bins == 3

    def test_perfect_calibration_is_simulated_from_the_seed(self):
        score = np.full(50, 0.3)
        truth = np.arange(50) < 15
        one, again, other = (calibration_metrics(Calls(truth, score), seed=s) for s in (1, 1, 2))
        assert one.ece_if_perfect == again.ece_if_perfect != other.ece_if_perfect
        # |share - 0.3| of 50 draws: standard deviation 0.0648, mean distance 0.0517.
        assert one.ece_if_perfect == pytest.approx(0.0517, abs=0.008)
        assert one.ece_if_perfect_95 == pytest.approx(1.96 * 0.0648, abs=0.02)
        assert (one.images, one.bins) == (50, 10)

    def test_a_certain_error_costs_what_twelve_zeros_cost(self):
        found = calibration_metrics(Calls([0, 1], [1.0, 1.0]))
        assert found.log_loss == pytest.approx(-math.log(1e-12) / 2, rel=1e-4)
        assert calibration_metrics(Calls([1, 0], [0.0, 0.0])).log_loss == pytest.approx(
            -math.log(1e-12) / 2, rel=1e-4
        )

    def test_a_logistic_fit_of_grouped_scores_by_hand(self):
        """Two scores: the line goes through the log odds of what was observed."""
        score = np.repeat([0.25, 0.75], 10)
        truth = np.concatenate([np.arange(10) < 4, np.arange(10) < 8]).astype(int)
        intercept, slope = logistic_fit(truth, score, with_slope=True)
        observed = [math.log(4 / 6), math.log(8 / 2)]
        given = [math.log(1 / 3), math.log(3)]
        expected = (observed[1] - observed[0]) / (given[1] - given[0])
        assert slope == pytest.approx(expected)
        assert intercept == pytest.approx(observed[0] - expected * given[0])
        alone = logistic_fit(truth, np.full(20, 0.5), with_slope=False)
        assert alone == pytest.approx((math.log(12 / 8), 1.0))

    @pytest.mark.parametrize(
        "score", [[0.2, 0.3, 0.3, 0.9], [0.9, 0.3, 0.3, 0.2], [0.2, 0.2, 0.7, 0.8]]
    )
    def test_scores_that_separate_the_classes_have_no_slope(self, score):
        assert math.isnan(logistic_fit(np.array([0, 0, 1, 1]), np.array(score), with_slope=True)[1])

    def test_far_answers_are_reached(self):
        truth = np.arange(2000) < 1
        intercept, _ = logistic_fit(truth.astype(int), np.full(2000, 0.999), with_slope=False)
        assert intercept == pytest.approx(math.log(1 / 1999) - math.log(999))


class TestCandidates:
    def test_by_hand(self):
        found = candidates(Calls(np.array([0, 1, 1]), np.array([0.2, 0.5, 0.8])))
        odds = np.log([0.25, 1, 4])
        middles = [odds[0] - math.log(2), *(odds[:-1] + odds[1:]) / 2, odds[2] + math.log(2)]
        assert log_odds(found.threshold) == pytest.approx(middles)
        assert found.sensitivity == pytest.approx([1, 1, 0.5, 0])
        assert found.specificity == pytest.approx([0, 1, 1, 1])
        assert found.width == pytest.approx(
            [2 * math.log(2), odds[1] - odds[0], odds[2] - odds[1], 2 * math.log(2)]
        )
        assert found.prevalence == pytest.approx(2 / 3)

    def test_scores_at_the_ends(self):
        found = candidates(Calls(np.array([0, 1]), np.array([0.0, 1.0])))
        # 0 makes every image positive; nothing lies above a score of 1.
        assert found.threshold[0] == 0 and found.sensitivity.tolist() == [1, 1]
        assert found.specificity.tolist() == [0, 1]

    @pytest.mark.parametrize(("gap", "apart"), [(1.99, False), (2.01, True)])
    def test_neighbours_nearer_than_twice_the_margin_are_one(self, gap, apart):
        found = candidates(Calls(np.array([0, 1]), np.array([0.5, 0.5 + gap * MARGIN])))
        assert (len(found.threshold) == 3) == apart

    @pytest.mark.parametrize(("below", "there"), [(0.9, False), (1.1, True)])
    def test_a_threshold_above_the_highest_score_needs_its_margin(self, below, there):
        found = candidates(Calls(np.array([0, 1]), np.array([0.5, 1 - below * MARGIN])))
        assert (found.sensitivity[-1] == 0) == there

    def test_log_odds_of_zero_and_one_are_finite(self):
        assert log_odds(np.array([0.0, 1.0])) == pytest.approx([-16.118096, 16.118096])
        assert log_odds(np.array([0.75])) == pytest.approx([math.log(3)])


class TestOperatingPoint:
    @pytest.mark.parametrize(("patients", "few"), [(9, True), (10, False)])
    def test_ten_patients_are_not_few(self, patients, few):
        truth = np.tile([0, 1], patients)
        score = np.where(truth == 1, 0.8, 0.2)
        found = choose_operating_point(
            Calls(truth, score, patients=np.repeat(np.arange(patients), 2))
        )
        said = remark(Kind.FEW_PATIENTS_CHOSE, with_positives=patients, with_negatives=patients)
        assert found.remarks == ((said,) if few else ())

    def test_the_rarer_class_decides_whether_patients_are_few(self):
        truth = np.array([1] * 3 + [0] * 20)
        found = choose_operating_point(
            Calls(truth, np.where(truth, 0.8, 0.2), patients=np.arange(23))
        )
        assert found.remarks == (
            remark(Kind.FEW_PATIENTS_CHOSE, with_positives=3, with_negatives=20),
        )

    def test_one_image_more_than_the_target_is_said_when_ties_force_it(self):
        truth, target = [0, 1, 1, 1, 1], Rule("sensitivity", target_sensitivity=0.5)
        tied = choose_operating_point(Calls(truth, [0.1, 0.4, 0.6, 0.6, 0.8]), target)
        assert tied.sensitivity == 0.75
        assert tied.remarks == (remark(Kind.TIED_SCORES, following=0.25, sensitivity=0.75),)
        exact = choose_operating_point(Calls(truth, [0.1, 0.4, 0.6, 0.7, 0.8]), target)
        assert exact.sensitivity == 0.5 and exact.remarks == ()
        youden = choose_operating_point(Calls([0, 1, 1, 1, 1], [0.1, 0.4, 0.6, 0.6, 0.8]))
        assert youden.remarks == ()

    def test_what_is_not_asked_for_is_youden_95_percent_and_five_alarms(self):
        split = scored(1, images=60)
        truth, score = split.truth, split.probabilities[:, 1]
        asked = {
            "youden": {},
            "sensitivity": {"target_sensitivity": 0.95},
            "cost": {"cost_ratio": 5.0},
            "fixed": {"threshold": 0.5},
        }
        for rule, numbers in asked.items():
            usual = choose_operating_point(Calls(truth, score), Rule(rule))
            assert usual == choose_operating_point(Calls(truth, score), Rule(rule, **numbers))
        assert choose_operating_point(Calls(truth, score)).rule_name == "youden"

    def test_chance_is_told_with_its_figures(self):
        found = choose_operating_point(Calls([1, 0, 1, 0], [0.5] * 4), Rule("sensitivity"))
        assert remark(Kind.NO_BETTER_THAN_CHANCE, sensitivity=1.0, specificity=0.0) in found.remarks


class TestCalibration:
    def test_temperature_scaling_of_many_classes_by_hand(self):
        found = scale(np.array([[0.5, 0.25, 0.25]]), 0.5)
        np.testing.assert_allclose(found, [[4 / 6, 1 / 6, 1 / 6]])
        np.testing.assert_allclose(
            Calibration(method="temperature", temperature=2.0).apply([[0.9, 0.1]]), [[0.75, 0.25]]
        )
        assert Calibration(method="none").apply([[0.9, 0.1]]).tolist() == [[0.9, 0.1]]

    def test_an_isotonic_line_is_straight_between_corners_and_level_beyond(self):
        fit = Calibration(method="isotonic", positive=0, knots=((0.2, 0.1), (0.6, 0.5)))
        found = fit.apply([[0.1, 0.9], [0.4, 0.6], [0.9, 0.1]])
        np.testing.assert_allclose(found, [[0.1, 0.9], [0.3, 0.7], [0.5, 0.5]])

    def test_the_bounds_of_the_temperature(self):
        assert (LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE) == (0.05, 20.0)
        wrong = np.array([[0.9, 0.1], [0.1, 0.9]])
        assert best_temperature(np.array([1, 0]), wrong) == pytest.approx(20, rel=1e-3)
        almost = np.array([[0.51, 0.49]] * 99 + [[0.49999, 0.50001]])
        assert best_temperature(np.zeros(100, int), almost) == pytest.approx(0.05, rel=1e-3)

    def test_by_hand_three_right_one_wrong(self):
        """Odds of 9 that hold three times in four: T = log 9 / log 3."""
        truth = np.array([1, 1, 1, 1, 0])
        sure = np.array([[0.1, 0.9]] * 3 + [[0.9, 0.1]] + [[0.5, 0.5]])
        assert best_temperature(truth, sure) == pytest.approx(2.0, rel=1e-4)
        alone = fit_calibration(truth, sure, method="temperature")
        assert alone.temperature == pytest.approx(2.0, rel=1e-4) and alone.remarks == ()
        fit = fit_calibration(truth, sure, method="temperature", patients=list("aabbb"))
        assert fit.temperature == pytest.approx(2 ** (2 / 12), rel=1e-4)
        first, second = fit.remarks
        assert first.kind == Kind.TEMPERATURE_SHRUNK and first.values["weight"] == 2 / 12
        assert first.values["alone"] == pytest.approx(2.0, rel=1e-4)
        assert second == remark(Kind.FEW_PATIENTS_FITTED, patients=2)

    @pytest.mark.parametrize(("patients", "few"), [(9, True), (10, False)])
    @pytest.mark.parametrize("method", ["temperature", "isotonic"])
    def test_ten_patients_are_not_few(self, patients, few, method):
        images = scored(3, patients=patients, images=1200)
        fit = fit_calibration(
            images.truth, images.probabilities, method=method, positive=1, patients=images.patients
        )
        said = remark(Kind.FEW_PATIENTS_FITTED, patients=patients)
        assert (said in fit.remarks) == few
        assert len(fit.remarks) == (0 if not few else 2 if method == "temperature" else 1)

    @pytest.mark.parametrize(("images", "few"), [(999, True), (1000, False)])
    def test_a_thousand_images_are_not_few_for_an_isotonic_line(self, images, few):
        split = scored(3, images=images)
        fit = fit_calibration(split.truth, split.probabilities, method="isotonic", positive=1)
        said = remark(Kind.FEW_IMAGES_FITTED, images=images)
        assert fit.remarks == ((said,) if few else ())

    def test_isotonic_corners_by_hand(self):
        truth, score = np.array([0, 1, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
        expected = [(0.1, 0.0), (0.2, 1 / 3), (0.4, 1 / 3), (0.5, 1.0), (0.6, 1.0)]
        np.testing.assert_allclose(isotonic_knots(truth, score), expected)
        assert isotonic_knots(np.array([0, 1]), np.array([0.5, 0.5])) == ((0.5, 0.5),)


class TestPatients:
    def test_of_equally_accurate_patients_more_images_then_the_name(self):
        rows = patient_rows(Calls([1, 1, 0, 0, 1], [0.9] * 5, 0.5, ["c", "b", "b", "a", "a"]))
        assert [(row.patient, row.accuracy) for row in rows] == [("a", 0.5), ("b", 0.5), ("c", 1)]
        rows = patient_rows(Calls([0, 0, 0], [0.9] * 3, 0.5, ["a", "b", "b"]))
        assert [row.patient for row in rows] == ["b", "a"]
        assert (rows[0].positives, rows[0].called_positive, rows[0].images) == (0, 2, 2)

    def test_the_highest_scores_are_averaged(self):
        found = patient_scores(Calls([0] * 12, np.arange(12) / 20, 0.5, ["a"] * 12))
        assert found.scores["mean of the top 10"] == pytest.approx([np.arange(2, 12).mean() / 20])
        one = patient_scores(Calls([0, 1], [0.2, 0.6], 0.6, ["a", "a"]), top=1)
        assert one.scores["mean of the top 1"].tolist() == [0.6]
        assert one.scores["area fraction"].tolist() == [0.5]


class TestComparison:
    def test_limits_by_hand(self):
        """One image of each class a patient; the second run misses patients 0 to 4."""
        patients, truth = np.repeat(np.arange(20), 2), np.tile([0, 1], 20)
        first = np.where(truth == 1, 0.9, 0.1)
        second = np.where((truth == 1) & (patients < 5), 0.2, first)
        runs = [
            Scored(
                paths=[str(k) for k in range(40)],
                patients=patients,
                truth=truth,
                probabilities=np.stack([1 - score, score], axis=1),
            )
            for score in (first, second)
        ]
        found = compare(*runs, classes=BOTH, thresholds=(0.5, 0.5), resamples=4000)
        assert found.difference["sensitivity"] == -0.25 and found.resamples == 4000
        error = math.sqrt(0.25 * 0.75 / 20)
        reach = stdtrit(19, 0.975) * math.sqrt(20 / 19) * error
        low, high = found.limits["sensitivity"]
        assert (low + high) / 2 == pytest.approx(-0.25)
        assert (high - low) / 2 == pytest.approx(reach, rel=0.04)
        assert np.isnan(found.limits["specificity"]).all()
        assert found.patients == 20 and found.remarks == ()

    @pytest.mark.parametrize(("patients", "few"), [(9, True), (10, False)])
    def test_ten_patients_are_not_few(self, patients, few):
        truth, names = np.tile([0, 1], patients), np.repeat(np.arange(patients), 2)
        score = np.random.default_rng(1).random(2 * patients)
        run = Scored(
            paths=[str(k) for k in range(2 * patients)],
            patients=names,
            truth=truth,
            probabilities=np.stack([1 - score, score], axis=1),
        )
        other = dataclasses.replace(run, probabilities=run.probabilities[:, ::-1])
        found = compare(run, other, classes=BOTH, thresholds=(0.5, 0.5), resamples=20)
        said = remark(Kind.FEW_PATIENTS_COMPARED, patients=patients)
        assert found.remarks == ((said,) if few else ())

    @pytest.mark.parametrize("rare", [0, 1])
    def test_the_rarer_class_decides_whether_patients_are_few(self, rare):
        truth = np.where(np.arange(20) < 3, rare, 1 - rare)
        score = np.random.default_rng(1).random(20)
        run = Scored(
            paths=[str(k) for k in range(20)],
            patients=np.arange(20),
            truth=truth,
            probabilities=np.stack([1 - score, score], axis=1),
        )
        other = dataclasses.replace(run, probabilities=run.probabilities[:, ::-1])
        found = compare(run, other, classes=BOTH, thresholds=(0.5, 0.5), resamples=20)
        assert found.remarks == (remark(Kind.FEW_PATIENTS_COMPARED, patients=20),)

    def test_a_threshold_of_every_image_follows_its_image(self):
        run = scored(4, images=50)
        order = np.random.default_rng(2).permutation(50)
        turned = Scored(
            paths=np.array(run.paths)[order],
            patients=np.array(run.patients)[order],
            truth=run.truth[order],
            probabilities=run.probabilities[order],
        )
        own = np.random.default_rng(5).random(50)
        options = {"classes": BOTH, "resamples": 20}
        straight = compare(run, run, thresholds=(0.5, own), **options)
        again = compare(run, turned, thresholds=(0.5, own[order]), **options)
        assert repr(straight) == repr(again)  # equal, NaN too
        by_itself = binary_metrics(Calls(run.truth, run.probabilities[:, 1], own))
        assert straight.second["accuracy"] == pytest.approx(by_itself.accuracy)
        assert straight.first["accuracy"] != straight.second["accuracy"]


class TestPredictiveRows:
    def test_limits_rest_on_the_class_of_fewer_effective_patients(self):
        split = scored(2, patients=15)
        score, arguments = split.probabilities[:, 1], {"resamples": 400, "seed": 3}
        [row] = predictive_rows(Calls(split.truth, score, 0.5, split.patients), [0.1], **arguments)
        sensitivity = (score >= 0.5)[split.truth == 1].mean()
        specificity = (score < 0.5)[split.truth == 0].mean()
        hits, alarms = 0.1 * sensitivity, 0.9 * (1 - specificity)
        assert row.positive_predictive_value == pytest.approx(hits / (hits + alarms))
        misses, rejected = 0.1 * (1 - sensitivity), 0.9 * specificity
        assert row.negative_predictive_value == pytest.approx(rejected / (rejected + misses))
        assert row.calls_per_hundred == pytest.approx(100 * (hits + alarms))
        assert row.prevalence == 0.1
        # Where nothing is missed a negative call is always right, and there is no spread.
        [sure] = predictive_rows(Calls(split.truth, score, 0.0, split.patients), [0.1], **arguments)
        assert math.isnan(sure.negative_predictive_value) and math.isnan(sure.negative_limits[0])
        assert sure.calls_per_hundred == pytest.approx(100)


class TestThresholdSpread:
    def test_the_middle_of_what_resampled_patients_choose(self):
        """Two kinds of patients in equal number ask for 0.3 or for 0.7."""
        truth = np.tile([0, 1], 40)
        score = np.where(np.arange(80) < 40, np.tile([0.2, 0.4], 40), np.tile([0.6, 0.8], 40))
        found = threshold_spread(
            Calls(truth, score, 0.5, np.repeat(np.arange(40), 2)), Rule("youden")
        )
        assert 0.2 < found.threshold[0] < 0.4 and 0.6 < found.threshold[1] < 0.8
        assert found.resamples == 500 and found.reason is None and found.note == ""

    def test_draws_without_a_class_are_left_out(self):
        found = threshold_spread(
            Calls([0, 1, 1], [0.1, 0.4, 0.9], 0.5, ["a", "a", "b"]), Rule("youden"), resamples=400
        )
        # One in four draws takes patient b twice, who has positives only.
        assert 400 * 0.68 < found.resamples < 400 * 0.82

    @pytest.mark.parametrize("rare", [0, 1])
    def test_a_draw_with_one_image_of_a_class_counts(self, rare):
        truth = np.array([0, 1, 0]) if rare else np.array([1, 0, 1])
        found = threshold_spread(
            Calls(truth, [0.4, 0.6, 0.2], 0.5, ["a", "a", "b"]), Rule("youden"), resamples=400
        )
        assert 400 * 0.68 < found.resamples < 400 * 0.82
        assert not np.isnan(found.sensitivity).any() and not np.isnan(found.specificity).any()
