"""The operating point: its rules, its robustness, and what it says of bad news."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from cancernet.base.files import json_text
from cancernet.base.records import from_json
from cancernet.config import RULES, TrainConfig
from cancernet.measures.calls import Calls
from cancernet.measures.decisions import SHIFT, STAND_IN, OperatingPoint, Rule
from cancernet.measures.operating_point import (
    MARGIN,
    Candidates,
    best_candidate,
    candidates,
    choose_operating_point,
    goal,
    log_odds,
    smoothed_youden,
)
from cancernet.measures.remarks import Kind, remark

TRUTH = [0, 0, 0, 1, 0, 1, 1, 1]
CHOOSING = [rule for rule in RULES if rule != "fixed"]
SCORE = [0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 0.9]


def sensitivity_and_specificity(truth, score, threshold):
    truth, called = np.array(truth), np.array(score) >= threshold
    return called[truth == 1].mean(), (~called)[truth == 0].mean()


def test_youden_by_hand():
    # 0.4-0.6 gives 3/4 + 1, 0.2-0.3 gives 1 + 3/4: equal. In log odds the second gap is
    # 0.539 wide, the first 0.811: the first is taken, in its middle, which is 0.5.
    point = choose_operating_point(Calls(TRUTH, SCORE), Rule("youden"))
    assert point.threshold == pytest.approx(0.5, abs=1e-9)
    assert (point.sensitivity, point.specificity) == (0.75, 1.0)
    assert "Youden" in point.rule


@pytest.mark.parametrize(
    ("target", "between", "reached"),
    [
        (0.75, (0.4, 0.6), 0.75),
        (0.7, (0.4, 0.6), 0.75),
        (0.76, (0.2, 0.3), 1.0),
        (1, (0.2, 0.3), 1),
    ],
)
def test_target_sensitivity_takes_the_highest_threshold_that_reaches_it(target, between, reached):
    point = choose_operating_point(
        Calls(TRUTH, SCORE), Rule("sensitivity", target_sensitivity=target)
    )
    assert between[0] < point.threshold < between[1]
    assert point.sensitivity == reached


def test_ties_that_overshoot_the_target_are_stated():
    truth = [0, 0, 1, 1, 1, 1]
    score = [0.1, 0.2, 0.5, 0.5, 0.5, 0.9]
    point = choose_operating_point(Calls(truth, score), Rule("sensitivity", target_sensitivity=0.5))
    assert point.sensitivity == 1
    assert point.remarks == (remark(Kind.TIED_SCORES, following=0.25, sensitivity=1.0),)
    assert "only 0.2500" in point.note and "reaches 1.0000" in point.note
    usual = choose_operating_point(Calls(TRUTH, SCORE), Rule("sensitivity", target_sensitivity=0.7))
    assert usual.remarks == () and usual.note == ""


@pytest.mark.parametrize(("ratio", "misses", "alarms"), [(10, 0, 1), (0.1, 1, 0)])
def test_cost_weighs_misses_against_false_alarms(ratio, misses, alarms):
    point = choose_operating_point(Calls(TRUTH, SCORE), Rule("cost", cost_ratio=ratio))
    assert point.sensitivity == 1 - misses / 4
    assert point.specificity == 1 - alarms / 4


def test_fixed_is_taken_as_it_is():
    point = choose_operating_point(Calls(TRUTH, SCORE), Rule("fixed", threshold=0.35))
    assert point.threshold == 0.35
    assert (point.sensitivity, point.specificity) == (0.75, 0.75)


@pytest.mark.parametrize("rule", CHOOSING)
@pytest.mark.parametrize("only", [0, 1])
def test_one_class_falls_back_and_says_so(rule, only):
    point = choose_operating_point(Calls([only] * 3, [0.1, 0.2, 0.9]), Rule(rule))
    assert point.threshold == 0.5
    assert point.is_fallback
    assert (point.rule_name, point.chosen_on) == (STAND_IN, None)
    assert point.rule == "none: 0.5 stands in, because validation had one class only"
    word = "positive" if only else "negative"
    assert point.remarks == (remark(Kind.VALIDATION_OF_ONE_CLASS, only=word, threshold=0.5),)
    assert f"All validation images are {word}" in point.note
    assert math.isnan(point.specificity if only else point.sensitivity)


def test_worse_than_chance_is_stated():
    point = choose_operating_point(Calls([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]), Rule("youden"))
    assert "no better than chance" in point.note


def test_constant_scores_do_not_pretend():
    point = choose_operating_point(Calls([1, 0, 1, 0], [0.5] * 4), Rule("youden"))
    assert "no better than chance" in point.note
    assert point.sensitivity + point.specificity == 1


def test_few_patients_are_stated():
    point = choose_operating_point(Calls(TRUTH, SCORE, patients=list("aabbccdd")))
    assert point.patients == 4
    assert "positives of 3 patients and negatives of 3 patients" in point.note
    fixed = choose_operating_point(Calls(TRUTH, SCORE, patients=list("aabbccdd")), Rule("fixed"))
    assert fixed.note == ""


def test_saturated_scores():
    truth, score = [0, 0, 0, 1, 1], [0.0, 1e-12, 1e-7, 1.0, 1 - 1e-9]
    point = choose_operating_point(Calls(truth, score))
    assert (point.sensitivity, point.specificity) == (1, 1)
    assert 0.1 < point.threshold < 0.9


def test_scores_nearer_than_the_margin_are_not_told_apart():
    truth, score = [0, 0, 1, 1], [0.2, 0.5, 0.5 + MARGIN, 0.8]
    point = choose_operating_point(Calls(truth, score))
    assert not 0.5 <= point.threshold <= 0.5 + MARGIN


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"name": "best"}, "unknown rule 'best'; known are smoothed"),
        ({"target_sensitivity": 0}, "target sensitivity"),
        ({"target_sensitivity": 1.1}, "target sensitivity"),
        ({"target_sensitivity": math.nan}, "target sensitivity"),
        ({"cost_ratio": 0}, "cost ratio"),
        ({"name": "fixed", "threshold": 2}, "threshold"),
    ],
)
def test_nonsense_is_refused(choices, words):
    with pytest.raises(ValueError, match=words):
        choose_operating_point(Calls(TRUTH, SCORE), Rule(**choices))


def test_it_is_stored_with_its_origin_and_read_back():
    point = choose_operating_point(Calls(TRUTH, SCORE, patients=list("aabbccdd")))
    found = json.loads(json_text(point))
    assert found["chosen_on"] == "validation"
    assert found["threshold"] == point.threshold
    assert found["rule_name"] == "youden"
    assert from_json(OperatingPoint, found) == point


def test_every_rule_of_the_configuration_works():
    config = TrainConfig()
    for rule in RULES:
        point = choose_operating_point(
            Calls(TRUTH, SCORE),
            Rule(
                rule,
                target_sensitivity=config.target_sensitivity,
                cost_ratio=config.cost_ratio,
                threshold=config.threshold,
            ),
        )
        assert 0 <= point.threshold <= 1


# Scores crowd at the ends and tie, as those of a network do.
crowded = st.one_of(
    st.floats(0, 1),
    st.integers(0, 10).map(lambda k: k / 10),
    st.floats(-30, 30).map(lambda x: 1 / (1 + math.exp(-x))),
    st.integers(0, 30).map(lambda k: 1e-6 * k),
)
rows = st.lists(st.tuples(st.integers(0, 1), crowded), min_size=2, max_size=40).filter(
    lambda found: len({truth for truth, _ in found}) == 2
)


@settings(max_examples=150, deadline=None)
@given(
    rows, st.sampled_from([rule for rule in RULES if rule != "fixed"]), st.integers(0, 2**32 - 1)
)
def test_rounding_flips_no_decision_on_validation(found, rule, seed):
    truth, score = (np.array(column) for column in zip(*found, strict=True))
    point = choose_operating_point(Calls(truth, score), Rule(rule))
    moved = score + np.random.default_rng(seed).uniform(-1e-6, 1e-6, len(score))
    moved = np.clip(moved, 0, 1)
    assert ((moved >= point.threshold) == (score >= point.threshold)).all()
    assert ((np.round(score, 6) >= point.threshold) == (score >= point.threshold)).all()
    assert (point.sensitivity, point.specificity) == sensitivity_and_specificity(
        truth, score, point.threshold
    )


@settings(max_examples=100, deadline=None)
@given(rows)
def test_candidates_keep_clear_of_every_score_and_call_what_they_say(found):
    truth, score = (np.array(column) for column in zip(*found, strict=True))
    offered = candidates(Calls(truth, score))
    assert len(offered.threshold) >= 1
    for threshold, *shares in zip(
        offered.threshold, offered.sensitivity, offered.specificity, strict=True
    ):
        assert shares == pytest.approx(sensitivity_and_specificity(truth, score, threshold))
        if threshold > 0:
            assert np.abs(score - threshold).min() >= 0.99 * MARGIN


@settings(max_examples=100, deadline=None)
@given(rows)
def test_no_threshold_does_better_when_scores_are_apart(found):
    """Against trying every cut, for scores that stand at least 1e-4 apart."""
    truth = np.array([row[0] for row in found])
    score = np.round([row[1] for row in found], 4) * 0.98 + 0.01
    cuts = [0, *np.unique(score), 1]
    tried = [sensitivity_and_specificity(truth, score, cut) for cut in cuts]
    youden = choose_operating_point(Calls(truth, score), Rule("youden"))
    assert youden.sensitivity + youden.specificity == pytest.approx(max(map(sum, tried)))
    for target, ratio in itertools.product((0.5, 0.9, 1), (0.2, 5)):
        screen = choose_operating_point(
            Calls(truth, score), Rule("sensitivity", target_sensitivity=target)
        )
        best = max(spec for sens, spec in tried if sens >= target)
        assert screen.sensitivity >= target
        assert screen.specificity == pytest.approx(best)
        cheap = choose_operating_point(Calls(truth, score), Rule("cost", cost_ratio=ratio))
        share = truth.mean()

        def cost(pair, ratio=ratio, share=share):
            return ratio * share * (1 - pair[0]) + (1 - share) * (1 - pair[1])

        assert cost((cheap.sensitivity, cheap.specificity)) == pytest.approx(min(map(cost, tried)))


def test_the_smoothed_rule_is_the_expected_youden_index_under_shifts():
    """Against a plain average over many shifts of the scores."""
    rng = np.random.default_rng(4)
    truth = np.repeat([0, 1], 150)
    score = 1 / (1 + np.exp(-rng.normal(2.0 * truth - 0.5, 1.0)))
    found = candidates(Calls(truth, score))
    values = smoothed_youden(found)
    odds = log_odds(score)
    uniform = (np.arange(4000) + 0.5) / 4000
    shifts = SHIFT * np.log(uniform / (1 - uniform))
    for place in range(0, len(values), 25):
        threshold = log_odds(found.threshold)[place]
        called = odds[:, None] + shifts[None, :] >= threshold
        expected = called[truth == 1].mean() + (~called[truth == 0]).mean() - 1
        assert values[place] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("shift", [0.5, 1.0, 3.0])
def test_the_smoothed_index_is_the_integral_over_the_logistic_distribution(shift):
    """Tightly, at both ends too: the index between candidates is straight in log odds."""
    odds = np.array([-6.0, -2.0, -1.5, 0.0, 0.5, 4.0])
    youden = np.array([0.0, 0.6, 0.3, 0.8, 0.5, -0.1])
    found = Candidates(
        threshold=1 / (1 + np.exp(-odds)),
        sensitivity=np.full(6, 1.0),
        specificity=youden,
        width=np.ones(6),
        prevalence=0.5,
    )
    uniform = (np.arange(200_000) + 0.5) / 200_000
    shifts = shift * np.log(uniform / (1 - uniform))
    expected = [np.interp(each + shifts, odds, youden).mean() for each in odds]
    assert smoothed_youden(found, shift) == pytest.approx(expected, abs=3e-4)


def test_the_shift_of_the_rule_is_one_in_log_odds():
    assert SHIFT == 1.0


def test_of_equally_good_candidates_the_widest_gap_then_the_lowest():
    found = Candidates(
        threshold=np.array([0.1, 0.2, 0.3, 0.4, 0.5]),
        sensitivity=np.ones(5),
        specificity=np.zeros(5),
        width=np.array([9.0, 1.0, 2.0, 2.0, 1.0]),
        prevalence=0.5,
    )
    value = np.array([0.5, 1.0, 1.0 - 1e-13, 1.0, 0.9])
    assert best_candidate(value, found) == 2


def test_a_fixed_rule_does_not_choose():
    with pytest.raises(ValueError, match="does not choose"):
        goal(Rule("fixed"), candidates(Calls(TRUTH, SCORE)))


def test_the_smoothed_rule_does_not_follow_one_odd_image():
    truth = np.array([0] * 50 + [1] * 50)
    score = np.concatenate([np.linspace(0.05, 0.45, 50), np.linspace(0.55, 0.95, 50)])
    plain = choose_operating_point(Calls(truth, score), Rule("smoothed")).threshold
    odd = np.append(score, 0.97)
    moved = choose_operating_point(Calls(np.append(truth, 0), odd), Rule("smoothed")).threshold
    assert abs(plain - 0.5) < 0.06 and abs(moved - plain) < 0.06


def test_few_patients_pull_the_smoothed_threshold_towards_one_half():
    truth = np.repeat([0, 1], 200)
    score = np.concatenate([np.linspace(0.5, 0.85, 200), np.linspace(0.8, 0.99, 200)])
    thresholds = {}
    for patients in (1, 2, 40):
        names = np.tile(np.arange(patients).astype(str), 400)[:400]
        thresholds[patients] = choose_operating_point(
            Calls(truth, score, patients=names), Rule("smoothed")
        ).threshold
    alone = log_odds(choose_operating_point(Calls(truth, score), Rule("smoothed")).threshold)
    for patients, threshold in thresholds.items():
        expected = alone * patients / (patients + 1)
        assert log_odds(threshold) == pytest.approx(expected, abs=0.05), patients


@pytest.mark.parametrize("patients", [1, 3, 40])
@pytest.mark.parametrize("rule", ["youden", "smoothed", "sensitivity", "cost"])
def test_scores_that_lie_lower_as_a_whole_are_called_alike(rule, patients):
    """As where class weights are taken out: the expected threshold lies lower by as much."""
    random, moved = np.random.default_rng(1), expit(-0.7)
    truth = random.integers(0, 2, 400)
    odds = random.normal(2.0 * truth, 1.0)
    names = np.arange(400) % patients
    calls = [
        Calls(truth, score, choose_operating_point(Calls(truth, score, 0.5, names), each).threshold)
        for score, each in (
            (expit(odds), Rule(rule)),
            (expit(odds - 0.7), Rule(rule, expected=moved)),
        )
    ]
    assert (calls[0].called == calls[1].called).all()


def test_the_expected_threshold_stands_in():
    assert choose_operating_point(Calls([0, 0], [0.1, 0.4]), Rule(expected=0.2)).threshold == 0.2
