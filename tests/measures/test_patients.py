"""Patients as units: their scores, two runs compared, subgroups, other prevalences."""

import dataclasses
import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cancernet.base.errors import CancerNetError
from cancernet.evaluation.subgroups import read_columns, subgroup_rows
from cancernet.measures.call_value import predictive_rows, predictive_values
from cancernet.measures.calls import Calls
from cancernet.measures.comparison import compare
from cancernet.measures.decisions import Rule
from cancernet.measures.metrics import binary_metrics
from cancernet.measures.patients import patient_metrics, patient_scores
from cancernet.measures.scored import Classes, Scored
from cancernet.measures.threshold_spread import threshold_spread
from tests.helpers.evaluation_examples import scored

BOTH = Classes(classes=("0", "1"), words=("no", "yes"), positive=("1",))


class TestPatientScores:
    def test_by_hand(self):
        found = patient_scores(
            Calls([1, 0, 0, 1, 0], [0.9, 0.1, 0.6, 0.4, 0.2], 0.5, list("aaabb")), top=2
        )
        assert found.patients.tolist() == ["a", "b"]
        assert found.images.tolist() == [3, 2]
        np.testing.assert_allclose(found.true_share, [1 / 3, 1 / 2])
        np.testing.assert_allclose(found.scores["area fraction"], [2 / 3, 0])
        np.testing.assert_allclose(found.scores["mean score"], [1.6 / 3, 0.3])
        np.testing.assert_allclose(found.scores["mean of the top 2"], [0.75, 0.3])

    def test_top_like_a_loop(self):
        split = scored(1, patients=9, images=100)
        found = patient_scores(
            Calls(split.truth, split.probabilities[:, 1], 0.5, split.patients), top=7
        )
        for number, name in enumerate(found.patients):
            own = split.probabilities[np.array(split.patients) == name, 1]
            expected = np.sort(own)[::-1][:7].mean()
            assert found.scores["mean of the top 7"][number] == pytest.approx(expected)

    def test_metrics_of_patients(self):
        generator = np.random.default_rng(3)
        patients = np.repeat(np.arange(40), 5)
        ill = np.arange(40) % 2
        truth = np.repeat(ill, 5) * (generator.random(200) < 0.7)
        score = np.clip(0.3 * truth + 0.6 * generator.random(200), 0, 1)
        found = patient_scores(Calls(truth, score, 0.5, patients))
        metrics = patient_metrics(found, resamples=200)
        positive = found.true_share > 0
        assert metrics["positive_patients"] == positive.sum()
        for name, row in metrics["scores"].items():
            assert row["roc_auc"] == pytest.approx(roc_auc_score(positive, found.scores[name]))
            assert row["limits"][0] <= row["roc_auc"] <= row["limits"][1]
        gap = found.scores["area fraction"] - found.true_share
        assert metrics["area_error"]["mean_absolute"] == pytest.approx(np.abs(gap).mean())

    def test_patients_who_are_all_alike_have_no_ranking(self):
        found = patient_scores(Calls([1, 0, 1, 0], [0.9, 0.1, 0.8, 0.3], 0.5, list("aabb")))
        metrics = patient_metrics(found, resamples=50)
        assert "All 2 patients are positive" in metrics.note
        assert math.isnan(metrics["scores"]["mean score"]["roc_auc"])

    def test_top_must_be_positive(self):
        with pytest.raises(ValueError, match="top"):
            patient_scores(Calls([1], [0.5], 0.5, ["a"]), top=0)


class TestPredictiveValues:
    @pytest.mark.parametrize(
        ("prevalence", "positive", "negative"),
        # Sensitivity 0.9, specificity 0.8 among 1000.
        [(0.5, 450 / 550, 400 / 450), (0.01, 9 / (9 + 198), 792 / 793), (0, 0, 1), (1, 1, 0)],
    )
    def test_by_hand(self, prevalence, positive, negative):
        found = predictive_values(0.9, 0.8, prevalence)
        assert [float(value) for value in found] == pytest.approx([positive, negative])

    def test_no_call_is_nan(self):
        positive, negative = predictive_values(0.0, 1.0, 0.3)
        assert math.isnan(positive)
        assert negative == pytest.approx(0.7)
        assert math.isnan(predictive_values(math.nan, 0.5, 0.3)[0])

    def test_own_prevalence_gives_the_precision(self):
        split = scored(2)
        truth, score = split.truth, split.probabilities[:, 1]
        metrics = binary_metrics(Calls(truth, score, 0.5))
        own, rare, rarest = predictive_rows(
            Calls(truth, score, 0.5, split.patients), [truth.mean(), 0.01, 0.0001], resamples=200
        )
        assert own["positive_predictive_value"] == pytest.approx(metrics["precision"])
        assert own["calls_per_hundred"] == pytest.approx(100 * (score >= 0.5).mean())
        assert rare["positive_predictive_value"] < 0.1
        for row in (own, rare, rarest):
            for side in ("positive", "negative"):
                low, high = row[f"{side}_limits"]
                assert low < row[f"{side}_predictive_value"] < high

    def test_prevalence_out_of_range(self):
        with pytest.raises(ValueError, match="prevalence"):
            predictive_values(0.9, 0.9, 1.2)


class TestCompare:
    def runs(self, noise=0.0):
        first = scored(4, patients=20, images=600)
        odds = np.log(first.probabilities) + noise * np.random.default_rng(1).normal(
            0, 1, first.probabilities.shape
        )
        probabilities = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
        return first, dataclasses.replace(first, probabilities=probabilities)

    def test_differences_and_pairing(self):
        first, second = self.runs(noise=2.0)
        found = compare(first, second, classes=BOTH, thresholds=(0.5, 0.4), resamples=300)
        one = binary_metrics(Calls(first.truth, first.probabilities[:, 1], 0.5))
        two = binary_metrics(Calls(second.truth, second.probabilities[:, 1], 0.4))
        for name, value in found.difference.items():
            assert value == pytest.approx(two[name] - one[name]), name
            low, high = found.limits[name]
            assert low < value < high
        # Noise costs AUC, and the pairing is sharp enough to see it.
        assert found.limits["roc_auc"][1] < 0

    def test_the_order_of_images_does_not_matter(self):
        first, second = self.runs(noise=1.0)
        turned = Scored(
            paths=second.paths[::-1],
            patients=second.patients[::-1],
            truth=second.truth[::-1],
            probabilities=second.probabilities[::-1],
        )
        options = {"classes": BOTH, "thresholds": (0.5, 0.5), "resamples": 50}
        assert compare(first, second, **options) == compare(first, turned, **options)

    def test_the_same_run_twice(self):
        first, _ = self.runs()
        found = compare(first, first, classes=BOTH, thresholds=(0.5, 0.5), resamples=50)
        assert set(found.difference.values()) == {0.0}
        assert np.isnan(found.limits["roc_auc"]).all()
        assert "same probabilities" in found.notes[0]

    def test_other_images_or_labels_are_refused(self):
        first, second = self.runs()
        options = {"classes": BOTH, "thresholds": (0.5, 0.5)}
        with pytest.raises(CancerNetError, match="599 in common"):
            compare(
                first,
                dataclasses.replace(second, paths=["other", *second.paths[1:]]),
                **options,
            )
        with pytest.raises(CancerNetError, match="label or the patient"):
            compare(first, dataclasses.replace(second, truth=1 - second.truth), **options)

    def test_coverage_of_a_known_difference(self):
        """Paired intervals hold the true difference of two sensitivities about 95 %."""
        generator = np.random.default_rng(5)
        covered, studies, patients, images = 0, 100, 30, 20
        for _ in range(studies):
            base = generator.beta(6, 2, (patients, 1))
            one = generator.random((patients, images)) < base
            two = generator.random((patients, images)) < base - 0.1
            runs = [self.of_hits(hits) for hits in (one, two)]
            low, high = compare(*runs, classes=BOTH, thresholds=(0.5, 0.5), resamples=200).limits[
                "sensitivity"
            ]
            # base - 0.1 is cut at 0 hardly ever (beta(6, 2) below 0.1: 6e-6).
            covered += low <= -0.1 <= high
        assert 0.88 <= covered / studies <= 1.0

    @staticmethod
    def of_hits(hits):
        score = np.append(hits.ravel() * 0.8 + 0.1, 0.1)
        return Scored(
            paths=[str(number) for number in range(len(score))],
            patients=[*np.repeat(np.arange(len(hits)), hits.shape[1]), 0],
            truth=np.append(np.ones(hits.size, int), 0),
            probabilities=np.stack([1 - score, score], axis=1),
        )


class TestSubgroups:
    def test_each_group_by_itself(self):
        split = scored(6)
        truth, score = split.truth, split.probabilities[:, 1]
        names = sorted(set(split.patients))
        group = {name: ("north" if place % 2 else "south") for place, name in enumerate(names)}
        del group[names[0]]
        rows = subgroup_rows(
            Calls(truth, score, 0.5, split.patients), group, keys=split.patients, seed=7
        )
        assert [row["group"] for row in rows] == ["north", "not given", "south"]
        assert sum(row["images"] for row in rows) == len(truth)
        assert sum(row["patients"] for row in rows) == len(names)
        part = np.array([group.get(name) == "north" for name in split.patients])
        expected = binary_metrics(Calls(truth[part], score[part], 0.5))
        assert rows[0]["sensitivity"] == expected["sensitivity"]
        assert rows[0]["confusion_matrix"] == expected.confusion_matrix
        assert rows[0]["limits"]["roc_auc"][0] < rows[0]["roc_auc"]

    def test_by_path(self):
        rows = subgroup_rows(
            Calls([0, 1], [0.1, 0.9], 0.5, ["p", "p"]),
            {"a.png": "x"},
            keys=["a.png", "b.png"],
            seed=7,
        )
        assert [row["group"] for row in rows] == ["not given", "x"]

    def test_reading_a_table(self, tmp_path):
        table = tmp_path / "sites.csv"
        table.write_text("patient,site,age\n1,A,young\n2,B,\n1,A,young\n", encoding="utf-8-sig")
        assert read_columns(table) == (
            "patient",
            {"site": {"1": "A", "2": "B"}, "age": {"1": "young", "2": "not given"}},
        )

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("", "needs a column `patient` or `path`"),
            ("patient\n1\n", "one more to group by"),
            ("who,site\n1,A\n", "needs a column"),
            ("patient,site,site\n1,A,B\n", "two columns 'site'"),
            ("patient,site\n1,A\n 1 ,B\n", "patient 1 has two values of site, A and B"),
        ],
    )
    def test_bad_tables(self, tmp_path, content, words):
        (tmp_path / "t.csv").write_text(content)
        with pytest.raises(CancerNetError, match=words):
            read_columns(tmp_path / "t.csv")
        with pytest.raises(CancerNetError, match="no table"):
            read_columns(tmp_path / "none.csv")
        (tmp_path / "b.csv").write_bytes(b"patient,site\n\xff\xfe,1\n")
        with pytest.raises(CancerNetError, match="is not a CSV file in UTF-8"):
            read_columns(tmp_path / "b.csv")


class TestThresholdSpread:
    def test_shrinks_with_patients_who_differ(self):
        generator = np.random.default_rng(2)
        widths = []
        for count in (6, 200):
            shift = np.repeat(generator.normal(0, 1.5, count), 10)
            truth = np.tile([0, 1], 5 * count)
            score = 1 / (
                1 + np.exp(-(2 * truth - 1 + shift + generator.normal(0, 0.5, 10 * count)))
            )
            patients = np.repeat(np.arange(count), 10)
            spread = threshold_spread(Calls(truth, score, 0.5, patients), Rule("youden"))
            assert spread == threshold_spread(Calls(truth, score, 0.5, patients), Rule("youden"))
            assert spread.resamples == 500
            widths.append(
                np.ptp(np.log(np.array(spread.threshold) / (1 - np.array(spread.threshold))))
            )
        assert 0 < widths[1] < widths[0]

    @pytest.mark.parametrize("rule", ["youden", "sensitivity", "cost"])
    def test_like_choosing_on_copied_images(self, rule):
        """Each draw chooses as if its images stood there as often as they were drawn."""
        from cancernet.measures.intervals import draw_weights, strata
        from cancernet.measures.operating_point import candidates, cost
        from cancernet.measures.threshold_spread import _resampled

        split = scored(9, patients=6, images=60)
        truth, score = split.truth, np.round(split.probabilities[:, 1], 2)
        sums = Calls(truth, score, 0.5, split.patients)
        weights = draw_weights(strata(sums), 20, 3)
        once = candidates(sums)
        draws = _resampled(once, sums, weights)
        for row, found in zip(weights, draws, strict=True):
            copies = np.repeat(np.arange(len(truth)), row[sums.patient_index])
            for threshold, sensitivity, specificity in zip(
                once.threshold, found.sensitivity, found.specificity, strict=True
            ):
                slow = binary_metrics(Calls(truth[copies], score[copies], threshold))
                assert sensitivity == pytest.approx(slow["sensitivity"])
                assert specificity == pytest.approx(slow["specificity"])
            assert found.prevalence == pytest.approx(truth[copies].mean())
            assert (cost(found, 2.0) >= 0).all()
        spread = threshold_spread(
            Calls(truth, score, 0.5, split.patients), Rule(rule), resamples=50
        )
        assert 0 <= spread.threshold[0] <= spread.threshold[1] <= 1

    @pytest.mark.parametrize(
        ("truth", "patients", "rule", "words"),
        [
            ([0, 0], ["a", "b"], "youden", "of one class"),
            ([0, 1], ["a", "a"], "youden", "One patient"),
            ([0, 1], ["a", "b"], "fixed", "fixed threshold"),
        ],
    )
    def test_no_figures_without_a_reason(self, truth, patients, rule, words):
        found = threshold_spread(Calls(truth, [0.1, 0.9], 0.5, patients), Rule(rule))
        assert words in found.note
        assert np.isnan(found.threshold).all()
        assert found.resamples == 0
