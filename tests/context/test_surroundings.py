"""Means over neighbouring patches, by hand and against a plain double loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cancernet.context.neighbours import SPREAD, Places, neighbourhood, surroundings

REACH, FULL_WEIGHT = neighbourhood(SPREAD).reach, neighbourhood(SPREAD).full_weight


def places(slides, columns, rows):
    return Places(slides, np.array(columns), np.array(rows))


def test_a_lone_patch_keeps_its_value():
    around = surroundings(np.array([2.5]), places(["a"], [7], [3]))
    assert (around.mean[0], around.weight[0], around.touching[0]) == (2.5, 0, 0)


def test_two_patches_side_by_side():
    share = np.exp(-1 / (2 * SPREAD**2))
    around = surroundings(np.array([1.0, 4.0]), places(["a", "a"], [0, 1], [0, 0]))
    np.testing.assert_allclose(around.mean, [(1 + 4 * share) / (1 + share),
                                             (4 + 1 * share) / (1 + share)])  # fmt: skip
    np.testing.assert_allclose(around.weight, share / FULL_WEIGHT)
    assert around.touching.tolist() == [1, 1]


def test_a_patch_amid_a_whole_slide_has_all_its_neighbours():
    side = 2 * REACH + 1
    rows, columns = np.mgrid[:side, :side].reshape(2, -1)
    around = surroundings(np.ones(side**2), places(["a"] * side**2, columns, rows))
    middle = side**2 // 2
    assert around.touching[middle] == 8 and around.touching[0] == 3
    assert around.weight[middle] == pytest.approx(1)
    np.testing.assert_allclose(around.mean, 1)


def test_other_slides_and_patches_without_a_place_are_no_neighbours():
    found = surroundings(
        np.array([1.0, 5.0, 9.0, 9.0]), places(["a", "b", "a", "a"], [0, 1, -1, -1], [0, 0, -1, -1])
    )
    np.testing.assert_array_equal(found.mean, [1, 5, 9, 9])
    np.testing.assert_array_equal(found.weight, 0)


def test_the_end_of_one_row_is_not_beside_the_start_of_the_next():
    found = surroundings(np.array([1.0, 5.0]), places(["a", "a"], [9, 0], [0, 1]))
    np.testing.assert_array_equal(found.weight, 0)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.integers(0, 9)),
        min_size=1,
        unique=True,
    ),
    st.integers(0, 2**31),
)
def test_as_a_double_loop(patches, seed):
    values = np.random.default_rng(seed).normal(size=len(patches))
    slides, columns, rows = zip(*patches, strict=True)
    found = surroundings(values, places(slides, columns, rows))
    for number, (slide, column, row) in enumerate(patches):
        total, weight = values[number], 0.0
        for value, other in zip(values, patches, strict=True):
            across, down = abs(other[1] - column), abs(other[2] - row)
            if other[0] == slide and 0 < max(across, down) <= REACH:
                share = np.exp(-(across**2 + down**2) / (2 * SPREAD**2))
                total, weight = total + share * value, weight + share
        assert found.mean[number] == pytest.approx(total / (1 + weight))
        assert found.weight[number] == pytest.approx(weight / FULL_WEIGHT)
