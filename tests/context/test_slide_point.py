"""The operating point of a whole slide: which slides have one, and where it lies."""

import dataclasses

import numpy as np
import pytest

from cancernet.context.context import (
    FURTHEST,
    LEAST_PATCHES,
    Context,
    is_whole,
    operating_points,
    slide_point,
)
from cancernet.context.neighbours import SPREAD, Places
from cancernet.measures.decisions import log_odds

CONTEXT = Context(gain=1.0, offset=0.0, slides=3, spread=SPREAD, slide_points=True, raised=0.5)
ALONE, CHOSEN = 0.4, 0.5


def sigmoid(score):
    return 1 / (1 + np.exp(-np.asarray(score, float)))


def slide(side, *, shift=0.0, name="a"):
    """A slide with a tumour on its left third, all its scores shifted by as much."""
    random = np.random.default_rng(7)
    rows, columns = np.mgrid[:side, :side].reshape(2, -1)
    positive = columns < side // 3
    scores = np.where(positive, 1.5, -1.5) + shift + random.normal(0, 0.3, side**2)
    return sigmoid(scores), positive, Places([name] * side**2, columns, rows)


def points_of(context, probability, places):
    judged = context.judge(probability, places)
    found = operating_points(context, judged, places, alone=ALONE, chosen=CHOSEN)
    return judged, *found


@pytest.mark.parametrize("shift", [-0.4, 0.4])
def test_a_slide_whose_scores_are_shifted_is_parted_where_its_two_kinds_part(shift):
    probability, positive, places = slide(24, shift=shift)
    judged, points, own = points_of(CONTEXT, probability, places)
    assert own.all() and len(set(points.tolist())) == 1
    moved = (judged.probability >= points) == positive
    assert moved.mean() > 0.98
    assert np.sign(points[0] - CHOSEN) == np.sign(shift)


def test_it_stays_near_the_point_of_validation():
    high, low = sigmoid([4, 5] * 300), sigmoid([-5, -4] * 300)
    for scores, end in ((high, FURTHEST), (low, -FURTHEST)):
        assert slide_point(scores, CHOSEN, CONTEXT) == pytest.approx(float(sigmoid(end)))


def test_scores_that_are_all_the_same_part_nowhere():
    assert slide_point(np.full(600, 0.3), CHOSEN, CONTEXT) == CHOSEN


def test_between_two_clouds_by_hand():
    for raised in (0.0, 0.5):  # a run's own; older ones have 0
        context = dataclasses.replace(CONTEXT, raised=raised)
        point = slide_point(sigmoid([-1.0] * 30 + [0.5] * 10), CHOSEN, context)
        # Of all thresholds between the clouds, which part equally well, the lowest.
        assert -1.0 < float(log_odds(np.array(point))) - raised < -0.9


def test_small_slides_samples_and_runs_without_keep_the_point_of_validation():
    small, _, near = slide(20)
    assert len(small) < LEAST_PATCHES
    probability, _, places = slide(40)
    few = np.random.default_rng(1).permutation(1600)[:500]  # a third of the places
    without = dataclasses.replace(CONTEXT, slide_points=False)
    for context, scores, where in (
        (CONTEXT, small, near),
        (CONTEXT, probability[few], places.of(few)),
        (without, probability, places),
    ):
        _, points, own = points_of(context, scores, where)
        assert not own.any() and set(points.tolist()) == {CHOSEN}


def test_a_whole_slide_beside_lone_patches():
    probability, _, places = slide(24, shift=0.4)
    lone = Places(
        [*places.slides, "b", "c"],
        np.append(places.columns, [0, -1]),
        np.append(places.rows, [0, -1]),
    )
    _, points, own = points_of(CONTEXT, np.append(probability, [0.5, 0.5]), lone)
    assert own[:-2].all() and not own[-2:].any()
    assert points[-2:].tolist() == [ALONE, ALONE]


@pytest.mark.parametrize(
    ("amid", "total", "whole"), [(225, 450, True), (224, 450, False), (449, 449, False)]
)
def test_what_counts_as_whole(amid, total, whole):
    weight = np.where(np.arange(total) < amid, 0.5, 0.49)
    assert is_whole(weight) is whole
