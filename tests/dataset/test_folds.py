"""Folds of whole patients: every patient once, every class in each, pixels decoded once."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from cancernet.base.errors import SplitError
from cancernet.config import TrainConfig
from cancernet.cross_validation.plan import fold_dataset, plan_folds
from cancernet.dataset.folds import equal_groups, patient_folds
from cancernet.dataset.nearest_split import deviation
from cancernet.planning.begin import limited
from cancernet.training.data import pixel_cache
from cancernet.training.data.batches import plain_batches
from tests.helpers.numbered_images import numbered_images


@pytest.fixture
def dataset(tmp_path):
    return numbered_images(tmp_path)


def numbers(fold, split, config):
    batches = plain_batches(fold, split, config)
    pairs = [batches[index] for index in range(len(batches))]
    return np.concatenate([images[:, 0, 0, 2] for images, _ in pairs]).tolist()


def named(fold, split):
    return [int(Path(path).stem) for path in fold.split(split).paths]


@settings(max_examples=50)
@given(st.integers(2, 5), st.integers(0, 20), st.integers(0, 3))
def test_groups_hold_every_patient_once_and_every_class(groups, more, seed):
    rng = np.random.default_rng(seed)
    patients = groups + more
    counts = rng.integers(0, 30, (patients, 3))
    counts[:groups] += 1
    found = equal_groups(counts, groups, seed=seed)
    assert sorted(place for group in found for place in group) == list(range(patients))
    assert all((counts[group] > 0).any(axis=0).all() for group in found)
    again = equal_groups(counts, groups, seed=seed)
    assert all((one == other).all() for one, other in zip(found, again, strict=True))


def test_groups_are_as_alike_as_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    for _ in range(10):
        counts = rng.integers(1, 60, (20, 2))
        weights = np.c_[counts, counts.sum(axis=1)] / [*counts.sum(axis=0), counts.sum()]
        of_patient = np.repeat(np.arange(20), counts.sum(axis=1))
        labels = np.concatenate([np.repeat([0, 1], row) for row in counts])
        theirs, ours = np.zeros(20, int), np.zeros(20, int)
        for number, (_, rows) in enumerate(
            StratifiedGroupKFold(5).split(labels, labels, of_patient)
        ):
            theirs[of_patient[rows]] = number
        for number, group in enumerate(equal_groups(counts, 5, seed=0)):
            ours[group] = number
        shares = np.full(5, 0.2)
        assert deviation(ours, weights, shares) <= deviation(theirs, weights, shares) + 1e-9


def test_a_class_that_nobody_has_is_no_hindrance():
    assert len(equal_groups(np.array([[3, 0, 2], [4, 0, 1]]), 2, seed=0)) == 2


def test_too_few_patients_of_a_class():
    with pytest.raises(SplitError, match=r"one class has 1 patient\).*fewer --folds"):
        equal_groups(np.array([[3, 0], [4, 0], [1, 1]]), 2, seed=0)


@settings(max_examples=50)
@given(st.integers(3, 6), st.lists(st.integers(1, 5), min_size=1, max_size=3), st.integers(0, 3))
def test_scarce_classes_are_dealt_out_and_a_lone_patient_is_not(groups, having, seed):
    rng = np.random.default_rng(seed)
    having = [min(number, groups - 1) for number in having]
    counts = np.zeros((3 * groups, 2 + len(having)), int)
    counts[:, :2] = rng.integers(1, 30, (3 * groups, 2))
    for label, number in enumerate(having, start=2):
        holders = rng.permutation(3 * groups)[:number]
        counts[holders, label] = 5
        counts[holders[::2], :2] = 0  # some have nothing else
    scarce = range(2, counts.shape[1])
    found = equal_groups(counts, groups, seed=seed, scarce=scarce)
    lone = (counts[:, 2:] > 0).sum(axis=0) == 1
    left = np.flatnonzero((counts[:, 2:][:, lone] > 0).any(axis=1))
    everyone = sorted([place for group in found for place in group] + left.tolist())
    assert everyone == list(range(len(counts)))
    for group in found:
        assert (counts[group, :2] > 0).any(axis=0).all()
        rest = np.delete(counts, group, axis=0)
        assert (rest > 0).any(axis=0).all(), "nobody is left to train on a class"


def test_hundreds_of_folds_are_divided_or_refused_in_a_sentence():
    with pytest.raises(SplitError, match="500 folds are too many"):
        equal_groups(np.tile(np.eye(2, dtype=int), (700, 1)), 500, seed=7)


def test_nine_patients_in_eight_folds_are_not_divided_in_every_way(monkeypatch):
    """There are 8 ** 9 ways: 134 million rows were 10 GB."""
    from cancernet.dataset import nearest_split as search

    monkeypatch.setattr(search, "_try_all", None)
    assert len(equal_groups(np.ones((9, 2), int), 8, seed=0)) == 8


def test_every_patient_validates_once_and_testing_is_out_of_reach(dataset):
    folds = patient_folds(dataset, 3, seed=7)
    validating = [set(fold.split("validation").patients) for fold in folds]
    assert sorted(patient for each in validating for patient in each) == sorted("abcdef")
    for fold in folds:
        training, validation = fold.split("training"), fold.split("validation")
        assert not set(training.patients) & set(validation.patients)
        assert len(training.paths) + len(validation.paths) == 33
        assert "testing" not in fold.parts
        with pytest.raises(KeyError):
            fold.split("testing")
    again = patient_folds(dataset, 3, seed=7)
    assert [f.split("validation").paths for f in again] == [
        f.split("validation").paths for f in folds
    ]
    with pytest.raises(SplitError, match="fewer --folds"):
        patient_folds(dataset, 7, seed=7)


@pytest.mark.parametrize("cache", [True, False])
def test_the_pixels_of_a_fold_are_those_of_its_paths(dataset, cache):
    fold = patient_folds(dataset, 2, seed=1)[1]
    for split in ("training", "validation"):
        config = TrainConfig(image_size=16, batch_size=5, cache=cache)
        assert numbers(fold, split, config) == named(fold, split)
        batches = plain_batches(fold, split, config)
        labels = np.concatenate([batches[place][1].argmax(1) for place in range(len(batches))])
        assert np.array_equal(labels, fold.split(split).labels)


def test_a_fold_trains_like_a_data_set(dataset, tmp_path, untraced):
    from tests.helpers.training_runs import fitted

    heard = []
    config = TrainConfig(
        model="simple-cnn", image_size=16, epochs=1, batch_size=16, precision="float32"
    )
    fold = patient_folds(dataset, 2, seed=1)[0]
    _, state = fitted(fold, config, tmp_path / "work", after_epoch=lambda s: heard.append(s.epochs))
    assert heard == [1] and 0 <= state.history[0]["val_auc"] <= 1


def test_all_folds_read_the_pixels_that_the_data_set_keeps(dataset, monkeypatch):
    config = TrainConfig(image_size=16, batch_size=5)
    for split in dataset.parts:
        numbers(dataset, split, config)
    files = sorted((dataset.folder / pixel_cache.FOLDER).glob("*.npy"))
    assert len(files) == 3
    monkeypatch.setattr(pixel_cache, "prepare", None)  # nothing is decoded again
    for plan in plan_folds(dataset, "patients", seed=7)[:2]:
        fold = fold_dataset(dataset, plan)
        for split in fold.parts:
            assert numbers(fold, split, config) == named(fold, split)
    assert sorted((dataset.folder / pixel_cache.FOLDER).glob("*.npy")) == files


def test_a_search_does_not_decode_testing(dataset):
    for fold in patient_folds(dataset, 2, seed=1):
        numbers(fold, "training", TrainConfig(image_size=16))
    kept = (dataset.folder / pixel_cache.FOLDER).glob("*.npy")
    assert {path.name.split("-")[0] for path in kept} == {"training", "validation"}


def test_a_fold_of_few_images_has_their_pixels(dataset):
    fold = limited(fold_dataset(dataset, plan_folds(dataset, "2", seed=7)[0]), 4, seed=3)
    config = TrainConfig(image_size=16, batch_size=3, limit=4)
    for split in fold.parts:
        assert len(fold.split(split).paths) == 4
        assert numbers(fold, split, config) == named(fold, split)
