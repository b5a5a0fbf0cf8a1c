"""Images and parts as columns: taken, counted, joined, told apart by their names."""

import dataclasses
import hashlib

import numpy as np
import pytest

from cancernet.base.errors import SplitError
from cancernet.dataset import folds
from cancernet.dataset.find_leaks import base_name, families, find_leaks
from cancernet.dataset.images import Images, first_alike
from cancernet.dataset.manifest import Part
from cancernet.dataset.notices import LeakKind
from tests.dataset.test_splitting import images_of
from tests.helpers.numbered_images import numbered_images

ONE = Part(["a", "b", "c"], np.array([0, 1, 1]), ["p", "q", "p"], np.arange(3), np.arange(3) + 10)
TWO = Part(["d"], np.array([0]), ["r"], np.array([7]), np.array([8]))


def columns(part):
    return [part.paths, part.labels.tolist(), part.patients, part.x.tolist(), part.y.tolist()]


def test_taken_images_keep_their_columns_and_only_their_patients():
    images = Images(
        sources=["a", "b", "c"],
        patients=["p", "q", "r"],
        patient=np.array([2, 0, 2], np.int32),
        label=np.array([1, 0, 1], np.int8),
        x=np.array([1, 2, 3]),
        y=np.array([4, 5, 6]),
        common_name=np.array([True, False, False]),
        part=np.array([0, 1, -1], np.int8),
    )
    taken = images.take(np.array([2, 0]))
    assert (len(taken), taken.sources, taken.patients) == (2, ["c", "a"], ["r"])
    assert taken.patient.tolist() == [0, 0] and taken.patient.dtype == np.int32
    assert (taken.label.tolist(), taken.x.tolist(), taken.y.tolist()) == ([1, 1], [3, 1], [6, 4])
    assert (taken.common_name.tolist(), taken.part.tolist()) == ([False, True], [-1, 0])
    assert images.counts(3).tolist() == [[1, 0, 0], [0, 0, 0], [0, 2, 0]]


def test_first_alike_compares_beyond_the_first_bytes():
    rows = np.zeros((6, 16), np.uint8)
    rows[[1, 4], 15], rows[[2, 5], 0] = 1, 1
    assert first_alike(rows).tolist() == [0, 1, 2, 0, 1, 2]
    assert first_alike(rows[:3]).tolist() == [0, 1, 2] and not len(first_alike(rows[:0]))
    generator = np.random.default_rng(1)
    rows = generator.integers(0, 3, (60, 1)).astype(np.uint8).repeat(24, axis=1)
    rows[generator.random(60) < 0.5, 20] = 9
    expected = [next(i for i, o in enumerate(rows) if (o == row).all()) for row in rows]
    assert first_alike(rows).tolist() == expected


def test_rows_are_chosen_and_joined_with_all_their_columns():
    assert columns(ONE.at(np.array([2, 0]))) == [
        ["c", "a"], [1, 0], ["p", "p"], [2, 0], [12, 10],
    ]  # fmt: skip
    assert columns(folds.join_parts([TWO, ONE])) == [
        ["d", "a", "b", "c"], [0, 0, 1, 1], ["r", "p", "q", "p"], [7, 0, 1, 2], [8, 10, 11, 12],
    ]  # fmt: skip
    names, counts = folds.patient_counts(ONE, 3)
    assert names == ["p", "q"] and counts.tolist() == [[1, 1, 0], [0, 1, 0]]
    assert type(names[0]) is str and counts.dtype == np.int64


def test_folds_are_of_training_and_validation_and_know_the_whole(tmp_path):
    dataset = numbered_images(tmp_path)
    found = folds.patient_folds(dataset, 6, seed=7)
    assert sorted(fold.split("validation").patients[0] for fold in found) == list("abcdef")
    for fold in found:
        validating = sorted(set(fold.split("validation").patients))
        assert len(validating) == 1 and len(set(fold.split("training").patients)) == 5
        key = f"{dataset.fingerprint} {tuple(validating)}"
        assert fold.fingerprint == hashlib.sha256(key.encode()).hexdigest()
        assert fold.whole is dataset and set(fold.parts) == {"training", "validation"}
    with pytest.raises(SplitError) as refused:
        folds.patient_folds(dataset, 7, seed=7)
    assert str(refused.value) == (
        f"{tmp_path} has 6 patients for training and validation, too few for 7 folds; choose "
        "fewer --folds"
    )


def test_who_is_in_which_part_is_in_the_fingerprint_of_a_fold(tmp_path):
    dataset = dataclasses.replace(numbered_images(tmp_path), fingerprint="f")
    one, other = (folds.fold_fingerprint(dataset, *p) for p in ([["a", "b"]], [["a"], ["b"]]))
    assert one == hashlib.sha256(b"f ('a', 'b')").hexdigest() != other


def test_groups_are_places_that_rise():
    found = folds.equal_groups(np.array([[2, 0, 2]] * 4), 2, seed=1)
    assert sorted(np.concatenate(found).tolist()) == [0, 1, 2, 3]
    assert all(group.tolist() == sorted(group.tolist()) and len(group) == 2 for group in found)
    with pytest.raises(SplitError) as refused:
        folds.equal_groups(np.array([[3, 2], [4, 1], [1, 0]]), 3, seed=0)
    assert "one class has 2 patients)" in str(refused.value)


def test_leaks_are_counted_with_their_first_examples():
    images = images_of([[2, 0]] * 10 + [[1, 0]] * 2)
    splits = np.array([0, 1] * 10 + [2, 2], np.int8)
    (leak,) = find_leaks(images, splits, "source")
    assert (leak.kind, leak.unit, leak.count, leak.total) == (LeakKind.UNITS, "source", 10, 12)
    assert leak.examples == tuple(images.patients[:8])
    assert find_leaks(images, np.zeros(22, np.int8), "source") == []


@pytest.mark.parametrize(
    ("unit", "alone", "found"),
    [("patient", False, []), ("group", False, [1]), ("image", False, [1]), ("patient", True, [1])],
)
def test_copies_are_known_by_name_where_nothing_says_whose_they_are(unit, alone, found):
    images = images_of([[1, 0]] * 4 if alone else [[1, 0], [3, 0]])
    images = dataclasses.replace(
        images, sources=["a/s7.png", "b/s7_rot90.png", "a/t.png", "a/u.png"]
    )
    splits = np.array([0, 1, 1, 1], np.int8)
    leaks = find_leaks(images, splits, unit)
    assert [(leak.kind, leak.count) for leak in leaks] == [(LeakKind.COPIES, n) for n in found]
    if leaks:
        assert (leaks[0].total, leaks[0].examples, leaks[0].unit) == (1, ("s7",), unit)


def test_families_keep_to_a_label_and_a_group():
    paths = ["x/S7.png", "y/s7_flip.png", "x/s7-bright.png", "x/t.png", "y/T_rot90 (2).jpg"]
    family, names = families(paths, np.zeros(5))
    assert (family.tolist(), names) == ([0, 0, 0, 1, 1], ["s7", "t"])
    family, names = families(paths, np.array([0, 0, 1, 0, 1]))
    assert (family.tolist(), names) == ([0, 0, -1, -1, -1], ["s7"])
    family, names = families(paths, np.zeros(5), np.array([4, 5, 4, 5, 5]))
    assert (family.tolist(), names) == ([0, -1, 0, 1, 1], ["s7", "t"])
    # Two files of one name are not copies of each other by that.
    assert families(["x/s7.png", "y/s7.png"], np.zeros(2))[1] == []


@pytest.mark.parametrize(
    ("stem", "base"),
    [
        ("s7 (1)", "s7"), ("s (1)", "s (1)"), ("there (1)", "there"), ("There (1)", "There"),
        ("s7_rot90_flip", "s7"), ("_rot90", "_rot90"), (" (1)", " (1)"), ("s7 (1) (2)", "s7"),
        ("s7.rf.0123456789ABCDEF", "s7"), ("s7.rf.0123456789abcde", "s7.rf.0123456789abcde"),
    ],
)  # fmt: skip
def test_the_name_without_its_changes(stem, base):
    assert base_name(stem, {"there"}) == base
    assert base_name("s7 (1)", {"there"}, digits_tell=False) == "s7 (1)"


@pytest.mark.parametrize(
    ("names", "labels", "copies"),
    [
        (["c1 (1)", "c1 (2)", "c2 (1)", "c2 (2)"], [0, 0, 1, 1], 0),
        (["c1 (1)", "c1 (2)", "c2 (1)", "c2 (2)", "x", "y"], [0, 0, 1, 1, 0, 0], 2),  # half of it
        (["c1 (1)", "c1 (2)", "c2 (1)", "c2 (2)", "x"], [0, 0, 1, 1, 0], 0),  # more than half
        (["c1 (1)", "c1 (2)", "c1", "c2 (1)", "c2 (2)"], [0, 0, 0, 1, 1], 2),  # the name alone
        (["c1 (1)", "c1 (2)", "c2 (1)", "c2 (2)", "c2"], [0, 0, 1, 1, 0], 0),  # in another class
        (["c1 (1)", "c1 (2)", "d1 (1)", "d1 (2)"], [0, 0, 0, 0], 2),
        (["C1 (1)", "c1 (2)", "(x", "c2 (1)_rot", "c2 (2)"], [0, 0, 0, 1, 1], 0),
    ],
)
def test_names_that_only_number_a_folder(names, labels, copies):
    found = families([f"{name}.png" for name in names], np.array(labels))[1]
    assert len(found) == copies
