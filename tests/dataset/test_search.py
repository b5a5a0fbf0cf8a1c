"""The search for the nearest division, step by step: each gain is what it claims to be."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cancernet.dataset import nearest_split as search

RATIOS = np.array([0.6, 0.15, 0.25])


def task_of(counts, fixed=None):
    counts = np.asarray(counts)
    weights = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)
    places = np.full(len(counts), -1) if fixed is None else np.asarray(fixed)
    return search._Task(counts > 0, weights / weights.sum(axis=0), RATIOS, places)


def drawn(seed, patients=7):
    """A task with two fixed patients, and a division that keeps to them."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 30, (patients, 2)) * (rng.random((patients, 2)) < 0.7)
    counts[:3] += 1  # one in each split has both classes
    fixed = np.full(patients, -1)
    fixed[:2] = 0, 1
    splits = np.concatenate([[0, 1, 2], rng.integers(0, 3, patients - 3)])
    return task_of(counts, fixed), splits, rng


def steps(task, splits):
    """What `_improve` hands to its two steps."""
    gap = search._sums(task.weights, splits, 3) - RATIOS[:, None]
    holders = search._sums(task.has.astype(int), splits, 3)
    return gap, task.has & (holders[splits] == 1)


def has_every_class(task, splits):
    """Whether every split has as many classes as there are."""
    return all(task.has[splits == split].any(axis=0).all() for split in range(3))


def changed(splits, to):
    """The division with these patients in other splits."""
    found = splits.copy()
    found[list(to)] = list(to.values())
    return found


def miss(task, splits):
    return search.deviation(splits, task.weights, RATIOS)


def test_the_deviation_by_hand():
    weights = np.array([[0.5, 0.25], [0.5, 0.75]])
    # Shares 0.5 and 0.25 for 0.6; nothing for 0.15; 0.5 and 0.75 for 0.25.
    expected = (0.1**2 + 0.35**2) / 0.6 + 2 * 0.15**2 / 0.15 + (0.25**2 + 0.5**2) / 0.25
    assert search.deviation(np.array([0, 2]), weights, RATIOS) == pytest.approx(expected)


@given(st.integers(0, 10**6))
def test_the_best_move_is_the_best_that_keeps_every_class(seed):
    task, splits, _ = drawn(seed)
    now = miss(task, splits)
    options = {
        (patient, split): miss(task, changed(splits, {patient: split})) - now
        for patient in range(2, len(splits))
        for split in range(3)
        if split != splits[patient] and has_every_class(task, changed(splits, {patient: split}))
    }
    gain, patient, split = search._best_move(splits, task, *steps(task, splits))
    if not options:
        assert gain == np.inf
        return
    assert gain == pytest.approx(min(options.values()), abs=1e-9)
    assert options[patient, split] == pytest.approx(gain, abs=1e-9)


@given(st.integers(0, 10**6))
def test_the_best_exchange_is_the_best_that_keeps_every_class(seed):
    task, splits, _ = drawn(seed)
    now, some = miss(task, splits), task.free
    options = {}
    for one, other in itertools.combinations(some.tolist(), 2):
        after = changed(splits, {one: splits[other], other: splits[one]})
        if splits[one] != splits[other]:
            options[one, other] = miss(task, after) - now
    # Two who have the same classes may always change places.
    like = [value for (a, b), value in options.items() if (task.has[a] == task.has[b]).all()]
    gain, *pair = search._best_exchange(splits, task, *steps(task, splits), some)
    assert gain <= min(like, default=np.inf) + 1e-9
    if gain < np.inf:
        one, other = sorted(pair)
        assert options[one, other] == pytest.approx(gain, abs=1e-9)
        after = changed(splits, {one: splits[other], other: splits[one]})
        assert has_every_class(task, after)


def test_two_of_one_split_are_not_exchanged():
    task = task_of([[1, 1], [5, 5], [2, 2]])
    splits = np.array([0, 0, 0])
    gain, *_ = search._best_exchange(splits, task, *steps(task, splits), np.arange(3))
    assert gain == np.inf


@given(st.integers(0, 10**6))
def test_an_improved_division_cannot_be_improved_by_a_step(seed):
    task, splits, rng = drawn(seed, patients=9)
    found = search._improve(splits, task, rng)
    assert (found[:2] == [0, 1]).all() and has_every_class(task, found)
    assert miss(task, found) <= miss(task, splits) + 1e-12
    assert search._best_move(found, task, *steps(task, found))[0] >= -search.LEAST_GAIN
    gain, *_ = search._best_exchange(found, task, *steps(task, found), task.free)
    assert gain >= -search.LEAST_GAIN
    assert (splits == drawn(seed, patients=9)[1]).all()  # what was given is not changed


@given(st.integers(0, 10**6))
def test_the_last_patients_are_placed_where_they_fit_best_the_larger_first(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(5, 30, (6, 2))
    counts[4:] = [[40, 35], [2, 9]]
    task = task_of(counts)
    cover = {0: 0, 1: 1, 2: 2, 3: 0}
    expected = np.array([0, 1, 2, 0])
    for _ in range(2):
        options = [np.append(expected, split) for split in range(3)]
        within = task.weights[: len(expected) + 1]
        expected = min(options, key=lambda each: search.deviation(each, within, RATIOS))
    assert search._fill_up(cover, task, rng).tolist() == expected.tolist()


def test_of_equally_good_divisions_the_first_is_taken():
    even = np.full(3, 1 / 3)
    found = search.nearest_split(np.ones((3, 2), int), even, seed=5)
    assert found.tolist() == [0, 1, 2] and found.dtype == np.int64
    fixed = np.array([-1, 0, -1])
    assert search.nearest_split(np.ones((3, 2), int), even, seed=5, fixed=fixed).tolist() == [
        1,
        0,
        2,
    ]


@pytest.mark.parametrize("exhaustive", [0, 9, 10**6])
def test_what_cannot_be_divided_is_a_value_error(exhaustive, monkeypatch):
    monkeypatch.setattr(search, "EXHAUSTIVE", exhaustive)
    for counts in ([[1, 1], [1, 1]], [[1, 0], [1, 0], [1, 0], [0, 1], [0, 1]]):
        with pytest.raises(ValueError, match="not every split can have every class"):
            search.nearest_split(np.array(counts), RATIOS, seed=1)


def test_as_many_divisions_as_the_limit_are_all_tried(monkeypatch):
    def refuses(*arguments):
        raise AssertionError("not this way")

    monkeypatch.setattr(search, "EXHAUSTIVE", 27)
    counts = np.array([[1, 1], [2, 2], [3, 3]])
    with monkeypatch.context() as patch:
        patch.setattr(search, "_improve", refuses)
        assert sorted(search.nearest_split(counts, RATIOS, seed=1)) == [0, 1, 2]
        fixed = np.array([0, -1, -1, -1])
        four = np.array([[4, 4], *counts.tolist()])
        assert search.nearest_split(four, RATIOS, seed=1, fixed=fixed)[0] == 0
    monkeypatch.setattr(search, "EXHAUSTIVE", 26)
    monkeypatch.setattr(search, "_try_all", refuses)
    assert sorted(search.nearest_split(counts, RATIOS, seed=1)) == [0, 1, 2]


@pytest.mark.parametrize(("patients", "starts"), [(99, 24), (100, 6)])
def test_so_many_starts_until_one_is_near_enough(patients, starts, monkeypatch):
    counts = np.ones((patients, 2), int)
    made = []
    monkeypatch.setattr(search, "_fill_up", lambda cover, *rest: made.append(cover))
    monkeypatch.setattr(search, "_improve", lambda *rest: np.full(patients, len(made) % 3))
    monkeypatch.setattr(search, "deviation", lambda *rest: 1.0)
    found = search.nearest_split(counts, RATIOS, seed=1)
    assert len(made) == starts and (found == 1).all()  # no better one came after the first
    made.clear()
    monkeypatch.setattr(search, "deviation", lambda *rest: 1 / len(made) if len(made) < 3 else 9e-8)
    found = search.nearest_split(counts, RATIOS, seed=1)
    assert len(made) == 3 and (found == 0).all()


def test_a_cover_holds_the_fixed_patients_and_gives_up_in_time(monkeypatch):
    has = np.array([[1, 0], [0, 1], [1, 1], [1, 1]]) > 0
    rng = np.random.default_rng(0)
    fixed = np.array([2, -1, -1, -1])
    cover = search.cover_every_class(has, 3, rng=rng, fixed=fixed)
    assert cover == {0: 2, 1: 2, **{p: s for p, s in cover.items() if p > 1}}
    assert sorted(cover.values()) == [0, 1, 2, 2]
    assert all(type(each) is int for pair in cover.items() for each in pair)
    monkeypatch.setattr(search, "NODES", 1)
    assert search.cover_every_class(has, 3, rng=rng, fixed=fixed) is None
