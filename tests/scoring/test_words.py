"""What a person is told of a prediction."""

import dataclasses
import math
import types

import numpy as np
import pytest

from cancernet.base.words import score_text
from cancernet.images.formats import Oddity
from cancernet.runs import run_folder
from cancernet.scoring.prediction import Prediction, Score, Side, interpret
from cancernet.scoring.words import NO_POINT, as_text, call_word, point_text, reading_notes


@pytest.fixture
def run(tiny_run):
    return run_folder.open_run(tiny_run)


@pytest.fixture
def three(run):
    """The same with three classes, of which the first and the last are positive."""
    record = dataclasses.replace(
        run.record, classes=("a", "b", "c"), words=("A", "B", "C"), positive=("c", "a")
    )
    return dataclasses.replace(run, record=record)


def called(run, row, threshold=0.4) -> Prediction:
    return interpret(run, "x", Score(np.array(row)), threshold)


def test_of_two_classes_the_call_is_the_class(run):
    above, below = (called(run, [1 - score, score]) for score in (0.4, 0.25))
    assert as_text(above, run) == (
        "x: IDC (class 1)\n  probability of IDC 0.4, at or above the operating point 0.4"
    )
    assert as_text(below, run) == (
        "x: no IDC (class 0)\n  probability of IDC 0.250, below the operating point 0.400"
    )
    sick = dataclasses.replace(above, label="sick", word="sick")
    assert as_text(sick, run).startswith("x: sick\n")
    near = dataclasses.replace(below, positive_probability=0.39999996)
    assert point_text(near, run) == "probability of IDC 0.39999996, below the operating point 0.4"


@pytest.mark.parametrize(
    ("row", "call", "last"),
    [
        ([0.3, 0.45, 0.25], "positive", "B 0.450, although the call is positive"),
        ([0.45, 0.3, 0.25], "positive", "A 0.450"),
        ([0.1, 0.8, 0.1], "negative", "B 0.800"),
    ],
)
def test_of_more_the_call_comes_first_and_a_contradiction_is_said(three, row, call, last):
    said = as_text(called(three, row), three).splitlines()
    assert said[0] == f"x: {call}" and said[-1] == f"  most probable class: {last}"
    assert said[1].startswith("  probability of C or A ") and len(said) == 3


def test_a_low_probability_may_be_a_negative_call_of_a_positive_class(three):
    found = called(three, [0.4, 0.35, 0.25], 0.9)
    assert as_text(found, three).endswith("class: A 0.400, although the call is negative")


def test_without_a_point_the_most_probable_class_is_told(three):
    found = called(three, [0.3, 0.45, 0.25], math.nan)
    assert as_text(found, three) == (
        f"x: B (class b)\n  probability of C or A 0.550, {NO_POINT}\n  A 0.300, B 0.450, C 0.250"
    )


def test_the_word_of_a_call(run, three):
    assert call_word(called(run, [0.5, 0.5])) == "IDC"
    assert call_word(called(three, [0.5, 0.5, 0])) == Side.POSITIVE


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"), (1.0, "1.000"), (0.5, "0.500"), (0.0005, "0.001"),
        (0.00049, "below 0.001"), (0.9994, "0.999"), (0.9995, "above 0.999"),
        (0.99999, "above 0.999"), (math.nan, "nan"),
    ],
)  # fmt: skip
def test_a_score_never_reads_as_certain(value, text):
    assert score_text(value) == text


def test_what_was_chosen_to_read_images_is_said():
    chose = types.SimpleNamespace(oddities=Oddity.PAGE | Oddity.SUFFIX, guessed_depths={12, 10})
    page, suffix, depth = reading_notes(chose)
    assert page == "some images: of several pages, the largest was taken"
    assert "the content counts" in suffix and "10, 12 bits were assumed" in depth
    assert reading_notes(types.SimpleNamespace(oddities=Oddity(0), guessed_depths=set())) == []
