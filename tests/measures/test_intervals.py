"""Patient bootstrap: against a plain loop, its edges, its honesty."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from cancernet.measures import intervals, ranking
from cancernet.measures.calls import Calls
from cancernet.measures.intervals import (
    Evidence,
    draw_weights,
    effective_patients,
    evidence,
    interval_of,
    judge_once,
    judge_weighted,
    patient_intervals,
    strata,
)
from cancernet.measures.metrics import METRICS, binary_metrics
from cancernet.measures.remarks import Kind, remark


def study(seed, *, patients=8, images=200, digits=2):
    """Images of patients with own shares and shifts; rounded scores, so that ties occur."""
    generator = np.random.default_rng(seed)
    patient = generator.integers(0, patients, images)
    truth = (generator.random(images) < generator.random(patients)[patient]).astype(int)
    odds = 1.5 * truth - 1 + generator.normal(0, 1, patients)[patient]
    odds = odds + generator.normal(0, 1, images)
    return truth, np.round(1 / (1 + np.exp(-odds)), digits), np.array(list("abcdefghij"))[patient]


@pytest.mark.parametrize("seed", range(4))
def test_like_a_loop_that_copies_the_images_of_every_drawn_patient(seed):
    truth, score, patients = study(seed)
    sums = Calls(truth, score, 0.4, patients)
    weights = draw_weights(strata(sums), 30, seed)
    fast = judge_weighted(sums, weights)
    names = np.unique(patients)
    for draw, row in enumerate(weights):
        drawn = np.repeat(names, row)
        picked = np.concatenate([np.flatnonzero(patients == name) for name in drawn])
        slow = binary_metrics(Calls(truth[picked], score[picked], 0.4))
        for name in METRICS:
            assert fast[name][draw] == pytest.approx(slow[name], abs=1e-12, nan_ok=True), name


@pytest.mark.parametrize("positives", [0.5, 0.002, 1.0, 0.0])
def test_a_long_ranking_is_coarsened_where_that_does_not_matter(positives):
    generator = np.random.default_rng(3)
    truth = (generator.random(30_000) < positives).astype(int)
    score = 1 / (1 + np.exp(-generator.normal(2 * truth - 1)))
    patients = generator.integers(0, 40, len(truth))
    calls = Calls(truth, score, 0.5, patients)
    coarse = ranking.coarsened(calls.ranking)
    assert len(coarse.ends) <= ranking.MOST_STEPS < len(calls.ranking.ends)
    assert coarse.ends[-1] == len(truth) - 1
    weights = draw_weights(strata(calls), 50, 1)
    exact = ranking.weighted_areas(calls.ranking, calls.patient_index, weights)
    for drawn, name in zip(exact, ("roc_auc", "pr_auc"), strict=True):
        found = judge_weighted(calls, weights)[name]
        np.testing.assert_allclose(found, drawn, atol=1e-3)
        if 0 < positives < 1:
            assert np.std(found) == pytest.approx(np.std(drawn), rel=0.01)
            assert judge_once(calls)[name] == pytest.approx(
                {"roc_auc": roc_auc_score, "pr_auc": average_precision_score}[name](truth, score)
            )


def test_draws_that_miss_a_class_are_undefined_and_not_zero():
    sums = Calls([1, 0, 0], [0.9, 0.2, 0.3], 0.5, ["a", "b", "c"])
    found = judge_weighted(sums, np.array([[0, 2, 1], [3, 0, 0]]))
    assert np.isnan(found["sensitivity"][0])
    assert np.isnan(found["specificity"][1])
    assert np.isnan(found["roc_auc"]).all()


def test_the_same_seed_gives_the_same_intervals():
    arguments = study(1)
    one, two = (
        patient_intervals(Calls(*arguments[:2], 0.4, arguments[2]), resamples=200, seed=5)
        for _ in range(2)
    )
    other = patient_intervals(Calls(*arguments[:2], 0.4, arguments[2]), resamples=200, seed=6)
    assert one == two
    assert one.limits != other.limits


def test_draws_keep_the_number_of_patients_and_of_each_stratum():
    group = np.array([0, 0, 0, 1, 1])
    weights = draw_weights(group, 50, 1)
    assert (weights[:, group == 0].sum(axis=1) == 3).all()
    assert (weights[:, group == 1].sum(axis=1) == 2).all()


def test_strata_only_where_every_patient_has_one_class():
    pure = Calls([1, 1, 0, 0], [0.9, 0.8, 0.1, 0.2], 0.5, ["a", "b", "c", "d"])
    mixed = Calls([1, 1, 0, 0], [0.9, 0.8, 0.1, 0.2], 0.5, ["a", "b", "a", "d"])
    assert strata(pure).tolist() == [1, 1, 0, 0]
    assert strata(mixed).tolist() == [0, 0, 0]


def test_patches_of_one_patient_are_not_counted_as_independent():
    """Every patch ten times over says nothing new, so the interval must not shrink."""
    truth, score, patients = study(3)
    once = patient_intervals(Calls(truth, score, 0.4, patients), resamples=300)
    many = patient_intervals(
        Calls(np.tile(truth, 10), np.tile(score, 10), 0.4, np.tile(patients, 10)), resamples=300
    )
    assert many.limits["sensitivity"] == pytest.approx(once.limits["sensitivity"])
    assert many.limits["roc_auc"] == pytest.approx(once.limits["roc_auc"])
    each_own = patient_intervals(Calls(truth, score, 0.4, np.arange(len(truth))), resamples=300)
    assert np.ptp(each_own.limits["roc_auc"]) < 0.6 * np.ptp(once.limits["roc_auc"])


def test_limits_surround_the_figure_and_stay_in_range():
    truth, score, patients = study(2)
    found = patient_intervals(Calls(truth, score, 0.4, patients), resamples=300)
    figures = binary_metrics(Calls(truth, score, 0.4))
    for name, (low, high) in found.limits.items():
        assert (-1 if name == "mcc" else 0) <= low <= figures[name] <= high <= 1, name


def test_no_error_at_all_is_no_certainty():
    truth = [0, 1] * 12
    score = [0.1, 0.9] * 12
    found = patient_intervals(Calls(truth, score, 0.5, np.repeat(np.arange(12), 2)), resamples=100)
    assert np.isnan(found.limits["sensitivity"]).all()
    assert np.isnan(found.limits["roc_auc"]).all()
    assert "not certainty" in " ".join(found.notes)


def test_one_patient_gets_no_interval():
    found = patient_intervals(Calls([0, 1, 1], [0.1, 0.9, 0.2], 0.5, ["a"] * 3), resamples=100)
    assert all(math.isnan(low) and math.isnan(high) for low, high in found.limits.values())
    assert found.patients == 1


@pytest.mark.parametrize(("patients", "warns"), [(9, True), (10, False)])
def test_few_patients_are_told(patients, warns):
    generator = np.random.default_rng(1)
    truth = np.tile([0, 1], 5 * patients)
    score = generator.random(len(truth))
    found = patient_intervals(
        Calls(truth, score, 0.5, np.repeat(np.arange(patients), 10)), resamples=100
    )
    assert any(each.kind == Kind.FEW_PATIENTS for each in found.remarks) == warns


def test_few_with_positives_count_as_few():
    truth, score = np.zeros(40, int), np.random.default_rng(1).random(40)
    truth[:3] = 1
    found = patient_intervals(Calls(truth, score, 0.5, np.arange(40)), resamples=200)
    assert found.patients_with_positives == 3
    assert "3 with positives" in found.notes[0]


def test_mostly_undefined_draws_give_no_interval():
    draws = np.array([np.nan] * 11 + [0.1] * 45 + [0.2] * 44)
    rests_on = Evidence(patients=20, step=0.001)
    assert np.isnan(interval_of(0.15, draws, rests_on)).all()
    assert not np.isnan(interval_of(0.15, draws[2:], rests_on)).any()
    assert np.isnan(interval_of(math.nan, draws[11:], rests_on)).all()


def test_interval_by_hand():
    # Log odds of the draws are +-0.5 around 0: standard error 0.5. t(0.975; 9) = 2.262157.
    draws = 1 / (1 + np.exp(-np.array([-0.5, 0.5] * 10)))
    reach = 0.5 * 2.262157 * math.sqrt(10 / 9)
    low, high = interval_of(0.5, draws, Evidence(patients=10, step=1e-6))
    assert low == pytest.approx(1 / (1 + math.exp(reach)), abs=1e-6)
    assert high == pytest.approx(1 - low)


def test_effective_patients():
    assert effective_patients(np.array([5, 5, 5, 0])) == pytest.approx(3)
    assert effective_patients(np.array([100, 1, 1])) == pytest.approx(102**2 / 10002)
    assert effective_patients(np.array([0, 0])) == 0


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="least"):
        patient_intervals(Calls([0, 1], [0.1, 0.9], 0.5, ["a", "b"]), resamples=1)


def test_coverage_of_a_known_truth():
    """A small version of benchmarks/interval_coverage.py: 30 patients, sensitivity."""
    generator = np.random.default_rng(7)
    covered = 0
    for _ in range(150):
        own = generator.beta(6, 2, 30)  # sensitivity of every patient, 0.75 on average
        hits = (generator.random((30, 20)) < own[:, np.newaxis]).astype(float)
        truth = np.ones(600, int)
        found = patient_intervals(
            Calls(
                np.append(truth, 0),
                np.append(hits.ravel(), 0.0),
                0.5,
                np.append(np.repeat(np.arange(30), 20), 0),
            ),
            resamples=200,
        )
        low, high = found.limits["sensitivity"]
        covered += low <= 0.75 <= high
    assert 0.90 <= covered / 150 <= 0.99


def test_the_spread_of_draws_is_that_of_scipys_bootstrap():
    """One image a patient: then a draw of patients is SciPy's draw of values."""
    from scipy.stats import bootstrap

    generator = np.random.default_rng(12)
    truth = generator.integers(0, 2, 120)
    score = np.clip(0.5 + 0.3 * (truth - 0.5) + generator.normal(0, 0.25, 120), 0, 1)
    sums = Calls(truth, score, 0.5, np.arange(120))
    draws = judge_weighted(sums, draw_weights(np.zeros(120, np.int64), 4000, 1))
    right = ((score >= 0.5) == truth).astype(float)
    squares = (score - truth) ** 2
    for name, values in (("accuracy", right), ("brier", squares)):
        theirs = bootstrap((values,), np.mean, n_resamples=4000, rng=2, vectorized=True)
        assert np.std(draws[name]) == pytest.approx(theirs.standard_error, rel=0.05)
        low, high = np.quantile(draws[name], (0.025, 0.975))
        percentile = bootstrap(
            (values,), np.mean, n_resamples=4000, rng=3, vectorized=True, method="percentile"
        ).confidence_interval
        assert (low, high) == pytest.approx(
            tuple(percentile), abs=0.009
        )  # of 120 images one is 0.008


@pytest.mark.parametrize(("positives", "negatives"), [(1200, 12), (12, 1200), (600, 600)])
def test_lopsided_classes_are_surrounded_too(positives, negatives):
    """A ratio may lie nearer to 1 than one image of the smaller class moves it."""
    truth = np.repeat([1, 0], [positives, negatives])
    score = np.where(truth == 1, 0.9, 0.1)
    score[[0, -1]] = 0.2, 0.7  # one of each class called wrongly
    patients = np.tile(np.arange(12), len(truth) // 12)
    found = patient_intervals(Calls(truth, score, 0.5, patients), resamples=300)
    figures = binary_metrics(Calls(truth, score, 0.5))
    for name, (low, high) in found.limits.items():
        assert low < figures[name] < high, name


def test_few_positives_leave_average_precision_an_interval_that_says_something():
    generator = np.random.default_rng(3)
    truth = np.tile([1, *[0] * 60], 30)
    score = np.clip(generator.normal(0.2 + 0.6 * truth, 0.13), 0, 1)
    found = patient_intervals(Calls(truth, score, 0.5, np.repeat(np.arange(30), 61)), resamples=500)
    low, high = found.limits["pr_auc"]
    value = binary_metrics(Calls(truth, score, 0.5))["pr_auc"]
    assert 0.9 < value < 1 and low > 0.6 and high > value


def test_an_interval_of_a_figure_from_minus_one_by_hand():
    """As above on the scale -1 to 1: the share is (value + 1) / 2."""
    shares = 1 / (1 + np.exp(-np.array([-0.5, 0.5] * 10)))
    rests_on = Evidence(patients=10, step=1e-6)
    reach = 0.5 * 2.262157 * math.sqrt(10 / 9)
    low, high = interval_of(0.0, 2 * shares - 1, rests_on, lowest=-1.0)
    assert low == pytest.approx(2 / (1 + math.exp(reach)) - 1, abs=1e-6)
    assert high == pytest.approx(-low)


@pytest.mark.parametrize("value", [-0.999, -0.9, 0.9, 0.999])
def test_a_figure_from_minus_one_near_its_ends_by_hand(value):
    share = (value + 1) / 2
    middle = math.log(share / (1 - share))
    draws = 2 / (1 + np.exp(-(middle + np.array([-0.3, 0.3] * 10)))) - 1
    reach = 0.3 * 2.262157 * math.sqrt(10 / 9)
    found = interval_of(value, draws, Evidence(patients=10, step=1e-9), lowest=-1.0)
    expected = [2 / (1 + math.exp(-middle - side * reach)) - 1 for side in (-1, 1)]
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_calling_the_opposite_mirrors_the_matthews_interval(seed):
    truth, score, patients = study(seed)
    score = np.where(score == 0.5, 0.51, score)
    usual, opposite = (
        patient_intervals(Calls(truth, each, 0.5, patients), resamples=200).limits["mcc"]
        for each in (score, 1 - score)
    )
    assert usual == pytest.approx((-opposite[1], -opposite[0]))


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0.25), (1.0, 0.75)])
def test_a_figure_at_its_end_is_taken_a_step_away(value, expected):
    """Draws of 0.25 and 0.75 have log odds of -1.0986 and 1.0986, and so has the figure."""
    draws = np.array([0.25, 0.75] * 10)
    spread = math.log(3)
    reach = spread * 2.262157 * math.sqrt(10 / 9)
    found = interval_of(value, draws, Evidence(patients=10, step=0.25))
    middle = math.log(expected / (1 - expected))
    assert found == pytest.approx(
        [1 / (1 + math.exp(-middle - s * reach)) for s in (-1, 1)], abs=1e-6
    )


def test_what_every_figure_rests_on_by_hand():
    """Patient a: 3 positives and 1 negative; b: 1 and 4; c: 5 negatives."""
    truth = [1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    sums = Calls(truth, [0.5] * 14, 0.5, list("aaaabbbbbccccc"))
    positives, negatives = 4**2 / (9 + 1), 10**2 / (1 + 16 + 25)
    everything = 14**2 / (16 + 25 + 25)
    expected = {
        "accuracy": (everything, 0.5 / 14),
        "brier": (everything, 0.5 / 14),
        "sensitivity": (positives, 0.5 / 4),
        "specificity": (negatives, 0.5 / 10),
        "balanced_accuracy": (positives, 0.5 / 4),
        "precision": (positives, 0.5 / 4),
        "f1": (positives, 0.5 / 4),
        "mcc": (positives, 0.5 / 4),
        "roc_auc": (positives, 0.5 / 40),
        "pr_auc": (positives, 0.5 / 20),
    }
    assert set(expected) == set(METRICS)
    for name, (patients, step) in expected.items():
        found = evidence(sums, name)
        assert (found.patients, found.step) == pytest.approx((patients, step)), name


def test_evidence_without_a_class_does_not_divide_by_nothing():
    sums = Calls([0, 0], [0.1, 0.2], 0.5, ["a", "b"])
    assert (evidence(sums, "sensitivity").patients, evidence(sums, "sensitivity").step) == (0, 0.5)
    assert evidence(sums, "roc_auc").patients == 0
    assert evidence(sums, "specificity").step == 0.25


def test_without_a_spread_of_one_half_there_is_none_of_the_mean():
    truth, score, patients = study(5)
    score = np.where(truth == 1, 0.9, score)  # no positive is missed
    limits = patient_intervals(Calls(truth, score, 0.4, patients), resamples=100).limits
    assert np.isnan(limits["sensitivity"]).all() and np.isnan(limits["balanced_accuracy"]).all()
    assert not np.isnan(limits["specificity"]).any()


@pytest.mark.parametrize("block", [1, 7, 100])
def test_work_in_blocks_gives_the_same(monkeypatch, block):
    truth, score, patients = study(4)
    sums = Calls(truth, score, 0.4, patients)
    weights = draw_weights(strata(sums), 25, 1)
    whole = judge_weighted(sums, weights)
    monkeypatch.setattr(intervals, "BLOCK", block * len(sums.counts))
    monkeypatch.setattr(ranking, "BLOCK", block * len(truth))
    for name, values in judge_weighted(sums, weights).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-12, err_msg=name)
    again = draw_weights(strata(sums), 25, 1)
    assert again.shape == weights.shape and (again.sum(axis=1) == len(sums.counts)).all()


def test_every_patient_is_drawn_as_often_as_the_others():
    """2000 draws of four patients: each is drawn once on average, and not at all 0.316 of times."""
    weights = draw_weights(np.zeros(4, np.int64), 2000, 1)
    assert weights.mean(axis=0) == pytest.approx(np.ones(4), abs=0.06)
    assert (weights == 0).mean(axis=0) == pytest.approx(np.full(4, 0.75**4), abs=0.04)
    other = draw_weights(np.zeros(4, np.int64), 2000, 2)
    assert (weights != other).any()


def test_what_a_patients_images_add_up_to():
    sums = Calls([1, 1, 0, 0, 1], [0.9, 0.2, 0.7, 0.1, 0.5], 0.5, list("aabbb"))
    assert sums.counts.tolist() == [[0, 0, 1, 1], [1, 1, 0, 1]]  # tn, fp, fn, tp
    assert sums.squares == pytest.approx([0.01 + 0.64, 0.49 + 0.01 + 0.25])
    assert sums.positives.tolist() == [2, 1] and sums.negatives.tolist() == [0, 2]
    assert sums.patient_index.tolist() == [0, 0, 1, 1, 1]
    own = Calls([1, 0], [0.6, 0.6], [0.7, 0.5], ["a", "b"])
    assert own.counts.tolist() == [[0, 0, 1, 0], [0, 1, 0, 0]]


def test_what_intervals_say_of_themselves():
    truth, score, patients = study(1)
    found = patient_intervals(Calls(truth, score, 0.4, patients), resamples=50, seed=11)
    assert (found.level, found.resamples, found.seed) == (0.95, 50, 11)
    assert found.patients == len(set(patients)) == 8
    with_positives = len(set(patients[truth == 1]))
    assert found.patients_with_positives == with_positives
    assert found.remarks[0] == remark(
        Kind.FEW_PATIENTS,
        patients=8,
        with_positives=with_positives,
        with_negatives=len(set(patients[truth == 0])),
        level=0.95,
    )
    assert found.notes[0].startswith("The 95 % intervals rest on 8 patients")


def test_figures_without_an_interval_are_named():
    found = patient_intervals(
        Calls([0, 0, 0], [0.1, 0.9, 0.2], 0.5, ["a", "b", "c"]), resamples=100
    )
    [last] = [each for each in found.remarks if each.kind == Kind.NO_INTERVAL]
    assert {"sensitivity", "roc_auc", "balanced_accuracy"} <= set(last.values["figures"])
    assert "accuracy" not in last.values["figures"]
