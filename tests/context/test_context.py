"""Scores in context: what they are made of."""

import numpy as np
import pytest

from cancernet.context.context import Context
from cancernet.context.neighbours import SPREAD, Places, neighbourhood
from cancernet.measures.decisions import both_classes, log_odds

CONTEXT = Context(gain=1.0, offset=0.5, slides=3, spread=SPREAD)


def test_a_lone_patch_keeps_its_probability():
    alone = np.array([0.0, 0.3, 1.0])
    found = CONTEXT.judge(alone, Places(["a", "b", "c"], np.array([0, 0, 9]), np.array([0, 0, 9])))
    np.testing.assert_array_equal(found.probability, alone)


def test_two_patches_by_hand():
    share = np.exp(-1 / (2 * SPREAD**2))
    weight = share / neighbourhood(SPREAD).full_weight
    mean = (np.log(3) + share * np.log(1 / 3)) / (1 + share)
    expected = (1 + weight) * mean - 0.5 * weight
    found = CONTEXT.judge(
        np.array([0.75, 0.25]), Places(["a", "a"], np.array([4, 4]), np.array([1, 2]))
    )
    first = found.probability[0]
    assert np.log(first / (1 - first)) == pytest.approx(expected)


@pytest.mark.parametrize(("positive", "expected"), [(0, [0.3, 0.7]), (1, [0.7, 0.3])])
def test_both_classes_add_up_to_one(positive, expected):
    assert both_classes(np.array([0.3]), positive)[0] == pytest.approx(expected)


def test_log_odds_are_finite_at_the_ends():
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()
    assert log_odds(np.array([0.5]))[0] == 0
    assert log_odds(np.float32([0.3])).dtype == np.float64  # sums over neighbours stay exact


@pytest.mark.parametrize(
    "change", [{"gain": -0.1}, {"offset": np.inf}, {"gain": np.nan}, {"spread": 0.1}]
)
def test_numbers_that_no_fit_gives_are_refused(change):
    with pytest.raises(ValueError, match=r"gain|offset|spread"):
        Context(**{"gain": 1.0, "offset": 0.0, "slides": 1, **change})
