"""Who goes to which split: whole patients, every class everywhere, near the ratios."""

import dataclasses
import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cancernet.base.errors import CancerNetError, SplitError
from cancernet.catalog import Reason, dataset
from cancernet.config import SPLITS, split_ratios
from cancernet.dataset import nearest_split as search
from cancernet.dataset import splitting
from cancernet.dataset.build_record import Unlisted
from cancernet.dataset.find_leaks import find_leaks
from cancernet.dataset.images import Images
from cancernet.dataset.notices import NoticeKind
from cancernet.dataset.split_lists import check_lists, read_lists, split_by_lists
from cancernet.dataset.splitting import (
    WAYS_OUT,
    split_as_shipped,
    split_by_image,
    split_by_patient,
)

RATIOS = split_ratios()
SHARES = np.array([RATIOS[name] for name in SPLITS])
IDC = dataset("idc")


def images_of(counts, names=None):
    """Images with these counts, (patients, classes)."""
    counts = np.asarray(counts)
    names = names or [f"p{i:04}" for i in range(len(counts))]
    patient, label = [], []
    for place, row in enumerate(counts.tolist()):
        for index, count in enumerate(row):
            patient += [place] * count
            label += [index] * count
    total = len(patient)
    return Images(
        sources=[f"{names[p]}/{label[i]}/{i}.png" for i, p in enumerate(patient)],
        patients=names,
        patient=np.array(patient, np.int32),
        label=np.array(label, np.int8),
        x=np.full(total, -1),
        y=np.full(total, -1),
        common_name=np.zeros(total, bool),
        part=np.full(total, -1, np.int8),
    )


def weights_of(counts):
    table = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)
    return table / table.sum(axis=0)


def every_division(has):
    """All divisions that put every class into every split."""
    for division in itertools.product(range(len(SPLITS)), repeat=len(has)):
        found = np.array(division)
        if all(has[found == split].any(axis=0).all() for split in range(len(SPLITS))):
            yield found


@st.composite
def small_counts(draw, classes=2, most=7):
    patients = draw(st.integers(1, most))
    cell = st.sampled_from([0, 0, 1, 2, 5, 40])
    rows = draw(st.lists(st.lists(cell, min_size=classes, max_size=classes),
                         min_size=patients, max_size=patients))  # fmt: skip
    return np.array([row if any(row) else [1, *row[1:]] for row in rows])


@settings(max_examples=75, deadline=None)
@given(small_counts(), st.integers(0, 5))
def test_a_split_is_found_exactly_when_there_is_one(counts, seed):
    possible = next(every_division(counts > 0), None) is not None
    images = images_of(counts)
    if not possible:
        with pytest.raises(SplitError):
            split_by_patient(images, IDC, RATIOS, seed=seed)
        return
    splits = split_by_patient(images, IDC, RATIOS, seed=seed)
    assert len(splits) == len(images) and set(splits.tolist()) <= {0, 1, 2}
    assert find_leaks(images, splits, "patient") == []
    for split in range(3):
        assert set(images.label[splits == split].tolist()) == {0, 1}


@settings(max_examples=75, deadline=None)
@given(small_counts(), st.integers(0, 5))
def test_the_local_search_keeps_every_class_in_every_split(counts, seed):
    if next(every_division(counts > 0), None) is None:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "EXHAUSTIVE", 0)
        splits = search.nearest_split(counts, SHARES, seed=seed)
    for split in range(3):
        assert (counts[splits == split] > 0).any(axis=0).all()


@settings(max_examples=75, deadline=None)
@given(small_counts(classes=3, most=6), st.integers(0, 5))
def test_cover_finds_a_placing_of_three_classes_exactly_when_there_is_one(counts, seed):
    has = counts > 0
    possible = next(every_division(has), None) is not None
    cover = search.cover_every_class(has, 3, rng=np.random.default_rng(seed))
    assert (cover is not None) == possible
    if cover is not None:
        for split in range(3):
            assert has[[p for p, s in cover.items() if s == split]].any(axis=0).all()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "has",
    [
        [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [1, 0, 1]],
        [[0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 1, 0], [1, 0, 0], [1, 0, 1]],
    ],
)
def test_cover_takes_a_wrong_choice_back(has, seed):
    assert search.cover_every_class(np.array(has) > 0, 3, rng=np.random.default_rng(seed))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_search_is_as_near_as_trying_all(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 60, (7, 2)) * (rng.random((7, 2)) < 0.75)
    counts[counts.sum(axis=1) == 0, 0] = 1
    divisions = list(every_division(counts > 0))
    if not divisions:
        return
    weights = weights_of(counts)
    best = min(search.deviation(d, weights, SHARES) for d in divisions)
    exact = search.nearest_split(counts, SHARES, seed=1)
    assert search.deviation(exact, weights, SHARES) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_local_search_is_as_near_as_trying_all(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 200, (9, 2)) * (rng.random((9, 2)) < 0.8)
    counts[counts.sum(axis=1) == 0, 0] = 1
    weights = weights_of(counts)
    exact = search.nearest_split(counts, SHARES, seed=1)
    monkeypatch.setattr(search, "EXHAUSTIVE", 0)
    found = search.nearest_split(counts, SHARES, seed=1)
    least = search.deviation(exact, weights, SHARES)
    assert search.deviation(found, weights, SHARES) <= least * 1.05 + 1e-9


@pytest.mark.parametrize(("patients", "classes"), [(60, 2), (279, 2), (60, 8), (5000, 2)])
def test_many_patients_come_near(patients, classes):
    rng = np.random.default_rng(patients + classes)
    counts = (rng.lognormal(6, 1, (patients, 1)) * rng.dirichlet(np.ones(classes), patients)
              ).astype(int)  # fmt: skip
    splits = search.nearest_split(counts, SHARES, seed=7)
    shares = np.zeros((3, classes + 1))
    np.add.at(shares, splits, weights_of(counts))
    tolerance = 0.002 if classes == 2 else 0.03
    assert np.abs(shares - SHARES[:, None]).max() < tolerance
    again = search.nearest_split(counts, SHARES, seed=7)
    assert (splits == again).all()


def test_the_seed_decides_among_many_and_the_order_of_files_does_not():
    rng = np.random.default_rng(5)
    images = images_of(rng.integers(1, 90, (40, 2)))
    one = split_by_patient(images, IDC, RATIOS, seed=1)
    assert (one != split_by_patient(images, IDC, RATIOS, seed=2)).any()
    shuffled = rng.permutation(len(images))
    assert (split_by_patient(images.take(shuffled), IDC, RATIOS, seed=1) == one[shuffled]).all()


def test_names_of_patients_do_not_matter():
    counts = np.random.default_rng(5).integers(1, 90, (25, 2))
    one = split_by_patient(images_of(counts), IDC, RATIOS, seed=7)
    renamed = images_of(counts, [f"x{i:05}" for i in range(25)])
    assert (split_by_patient(renamed, IDC, RATIOS, seed=7) == one).all()


def test_swapping_the_classes_swaps_the_table_only():
    counts = np.random.default_rng(6).integers(0, 90, (8, 2))
    one = search.nearest_split(counts, SHARES, seed=7)
    other = search.nearest_split(counts[:, ::-1], SHARES, seed=7)
    assert search.deviation(one, weights_of(counts), SHARES) == pytest.approx(
        search.deviation(other, weights_of(counts), SHARES)
    )


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([[5, 5]], "one patient"),
        ([[5, 0], [7, 0], [9, 0]], "none of class 1 (IDC)"),
        ([[0, 5], [0, 7], [0, 9]], "none of class 0 (no IDC)"),
        ([[5, 5], [7, 0], [9, 3]], "only 2 patients have images of class 1 (IDC)"),
        ([[5, 5], [7, 0], [9, 0]], "only 1 patient has images of class 1 (IDC)"),
    ],
)
def test_impossible_splits_are_refused_in_words(counts, words):
    with pytest.raises(SplitError, match=re.escape(words)):
        split_by_patient(images_of(counts), IDC, RATIOS, seed=7)


def test_three_patients_with_both_classes_are_enough():
    splits = split_by_patient(images_of([[5, 5], [7, 1], [1, 3]]), IDC, RATIOS, seed=7)
    assert len(set(splits.tolist())) == 3


def with_classes(*names):
    return dataclasses.replace(IDC, classes=names, words=names, positive=names[:1])


def test_patients_of_a_scarce_class_count_for_their_other_classes():
    # a in patients 1-8, b in 1-4, c in 1 and 2 only.
    counts = np.array([[5, 5, 5]] * 2 + [[5, 5, 0]] * 2 + [[5, 0, 0]] * 4)
    images = images_of(counts)
    for seed in range(8):
        splits = split_by_patient(images, with_classes("a", "b", "c"), RATIOS, seed=seed)
        assert find_leaks(images, splits, "patient") == []
        for split in range(3):
            assert {0, 1} <= set(images.label[splits == split].tolist())
        assert set(splits[images.label == 2].tolist()) == {0, 2}


@settings(max_examples=60, deadline=None)
@given(small_counts(classes=3, most=7), st.integers(0, 5), st.booleans())
def test_fixed_patients_stay_and_count(counts, seed, exhaustive):
    rng = np.random.default_rng(seed)
    fixed = np.where(rng.random(len(counts)) < 0.4, rng.integers(0, 3, len(counts)), -1)
    fits = [d for d in every_division(counts > 0) if (d == fixed)[fixed >= 0].all()]
    cover = search.cover_every_class(counts > 0, 3, rng=rng, fixed=fixed)
    assert (cover is not None) == bool(fits)
    if not fits:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "EXHAUSTIVE", 10**6 if exhaustive else 0)
        found = search.nearest_split(counts, SHARES, seed=seed, fixed=fixed)
    assert any((found == division).all() for division in fits)
    if exhaustive:
        weights = weights_of(counts)
        best = min(search.deviation(division, weights, SHARES) for division in fits)
        assert search.deviation(found, weights, SHARES) == pytest.approx(best, abs=1e-9)


def test_another_placing_of_scarce_classes_is_tried():
    # c in 0 and 1, d in 2 and 3: 0 and 2, the only ones with b besides 4, must not be together.
    counts = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [1, 0, 0, 1], [1, 1, 0, 0]])
    images = images_of(counts)
    for seed in range(8):
        splits = split_by_patient(images, with_classes("a", "b", "c", "d"), RATIOS, seed=seed)
        assert all((images.label[splits == s] == 1).any() for s in range(3))


def test_shuffling_images_keeps_the_shares_and_leaks():
    images = images_of(np.random.default_rng(1).integers(5, 60, (12, 2)))
    splits = split_by_image(images, IDC, RATIOS, seed=7)
    for label in (0, 1):
        inside = splits[images.label == label]
        for split in range(3):
            assert abs((inside == split).sum() - SHARES[split] * len(inside)) <= 1
    (leak,) = find_leaks(images, splits, "patient")
    assert (leak.count, leak.total) == (12, 12)
    assert (splits == split_by_image(images, IDC, RATIOS, seed=7)).all()
    assert (splits != split_by_image(images, IDC, RATIOS, seed=8)).any()


def test_shuffling_few_images_still_fills_every_split():
    splits = split_by_image(images_of([[3, 4]]), IDC, RATIOS, seed=7)
    assert set(splits[:3].tolist()) == set(splits[3:].tolist()) == {0, 1, 2}
    with pytest.raises(SplitError, match="only 2 images"):
        split_by_image(images_of([[2, 4]]), IDC, RATIOS, seed=7)


@pytest.fixture
def lists(tmp_path):
    def write(*contents):
        files = [tmp_path / f"{split}.txt" for split in SPLITS]
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content)
        return tuple(files)

    return write


def test_lists_may_have_comments_blank_lines_and_any_line_ends(lists):
    files = lists(
        b"\xef\xbb\xbf8001\r\n\r\n# ours\r\n8002 # left\r\n8001\r\n", b"  8003\t", b"9 a\n"
    )
    assert read_lists(files) == {
        "8001": "training",
        "8002": "training",
        "8003": "validation",
        "9 a": "testing",
    }


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ((b"1\n2\n", b"3\n", b"2\n"), "patient 2 is on two lists, training and testing"),
        ((b"1\n", b"# none\n", b"2\n"), "names no patient"),
        ((b"1\n", b"\xff\xfe\x00", b"2\n"), "not a text file"),
    ],
)
def test_wrong_lists_are_refused(lists, contents, words):
    with pytest.raises(CancerNetError, match=words):
        read_lists(lists(*contents))


def test_missing_list_is_named(tmp_path):
    with pytest.raises(CancerNetError, match=r"no list .*gone\.txt"):
        read_lists((tmp_path / "gone.txt",) * 3)
    with pytest.raises(CancerNetError, match="is a folder"):
        read_lists((tmp_path,) * 3)


def test_lists_decide_and_tell_what_does_not_fit():
    images = images_of([[2, 2], [3, 1], [1, 1], [4, 4]], ["a", "b", "c", "d"])
    split_of = {"a": "training", "b": "validation", "c": "testing", "ghost": "testing"}
    listed = split_by_lists(images, split_of)
    assert listed.images.patients == ["a", "b", "c"]
    assert [SPLITS[s] for s in listed.splits] == (
        ["training"] * 4 + ["validation"] * 4 + ["testing"] * 2
    )
    assert listed.without_images == ["ghost"]
    assert listed.unlisted == Unlisted(patients=1, images=8)
    assert {file.detail for file in listed.left_out} == {"d"} and len(listed.left_out) == 8
    sent = split_by_lists(images, split_of, "validation")
    assert not sent.left_out and (sent.splits == 1).sum() == 12


def test_lists_that_lack_a_class_are_refused_or_warned_of():
    images = images_of([[2, 2], [3, 0], [1, 1]])
    splits = images.patient.astype(np.int8)
    with pytest.raises(SplitError, match="have no positive image, so no operating point can be"):
        check_lists(images, splits, IDC)
    (warning,) = check_lists(images, splits, IDC, one_sided=True)
    assert (warning.kind, warning.split) == (NoticeKind.NO_IMAGES, "validation")
    assert warning.classes == ("1 (IDC)",)
    with pytest.raises(SplitError, match="training list have no image of class 1"):
        check_lists(images, np.array([1, 0, 2], np.int8)[images.patient], IDC)
    with pytest.raises(SplitError, match="testing list has an image"):
        check_lists(images, np.array([0, 1, 0], np.int8)[images.patient], IDC, one_sided=True)


def shipped(parts, **more):
    """Images of six patients with both classes, two images each; `parts` is one a patient."""
    images = images_of([[1, 1]] * len(parts), **more)
    return dataclasses.replace(images, part=np.repeat(np.array(parts, np.int8), 2))


def test_a_set_shipped_in_three_parts_stays_as_it_is():
    images = shipped([0, 1, 2, 2])
    splits = split_as_shipped(images, IDC, 0.25, seed=7)
    assert splits.tolist() == images.part.tolist() and splits is not images.part
    assert splits.dtype == np.int8


def test_what_was_shipped_for_validation_tests_where_nothing_else_does():
    images = shipped([0, 0, 0, 0, 1])
    for seed in range(5):
        splits = split_as_shipped(images, IDC, 0.25, seed=seed)
        assert splits[8:].tolist() == [2, 2] and images.part[8:].tolist() == [1, 1]
        assert sorted(splits[:8].tolist()) == [0] * 6 + [1] * 2
        assert find_leaks(images, splits, "patient") == []
    half = split_as_shipped(images, IDC, 0.5, seed=1)
    assert (half == 1).sum() == 4
    tested = split_as_shipped(shipped([0, 0, 2]), IDC, 0.5, seed=1)
    assert sorted(tested[:4].tolist()) == [0, 0, 1, 1] and tested[4:].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (shipped([0, -1, 2]), "idc was not shipped in parts here (p0001/0/2.png is in no folder "
         "train, val or test); use --split patient"),
        (shipped([0, 2]), "all images are of one patient (p0000), which cannot be in training and "
         "in testing; at least 2 patients are needed: add patients"),
        (dataclasses.replace(images_of([[1, 1], [1, 0], [1, 1]]), part=np.array([0, 0, 0, 2, 2])),
         "only 1 patient has images of class 1 (IDC), but 2 are needed, one each for training, "
         f"validation; {WAYS_OUT}"),
        (dataclasses.replace(images_of([[1, 1], [1, 1], [1, 0]]), part=np.array([0, 0, 1, 1, 2])),
         "the part shipped for testing has no image of 1; use --split patient"),
        (dataclasses.replace(images_of([[1, 0], [1, 1], [1, 1]]), part=np.array([0, 1, 1, 2, 2])),
         "the part shipped for training has no image of 1; use --split patient"),
    ],
)  # fmt: skip
def test_what_cannot_be_split_as_shipped_is_said(images, said):
    with pytest.raises(SplitError) as refused:
        split_as_shipped(images, IDC, 0.5, seed=1)
    assert str(refused.value) == said


def test_a_shipped_part_whose_patients_have_one_class_each_may_not_divide():
    three = with_classes("a", "b", "c")
    images = images_of([[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    images = dataclasses.replace(images, part=np.array([0] * 6 + [2] * 3))
    with pytest.raises(SplitError, match="training part cannot be divided so that training and"):
        split_as_shipped(images, three, 0.5, seed=1)


@pytest.mark.parametrize(
    ("total", "ratios", "quotas"),
    [
        (10, [0.72, 0.08, 0.2], [7, 1, 2]),
        (3, [0.72, 0.08, 0.2], [1, 1, 1]),
        (4, [0.72, 0.08, 0.2], [2, 1, 1]),
        (100, [0.72, 0.08, 0.2], [72, 8, 20]),
        (101, [0.72, 0.08, 0.2], [73, 8, 20]),
        (97, [0.72, 0.08, 0.2], [70, 8, 19]),
        (5, [0.9, 0.05, 0.05], [3, 1, 1]),
    ],
)
def test_quotas_are_the_nearest_whole_numbers(total, ratios, quotas):
    assert splitting._quotas(total, ratios).tolist() == quotas


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([[5, 5]], "all images are of one patient (p0000), which cannot be in training and in "
         "testing; at least 3 patients are needed: add patients"),
        ([[500, 0], [700, 0], [9, 0]], "all 1,209 images are of class 0 (no IDC), none of class 1 "
         "(IDC); a network needs images of every class: add some"),
        ([[5, 5], [7, 0], [9, 3]], "only 2 patients have images of class 1 (IDC), but 3 are "
         f"needed, one each for training, validation, testing; {WAYS_OUT}"),
    ],
)  # fmt: skip
def test_a_refusal_is_a_whole_sentence(counts, said):
    with pytest.raises(SplitError) as refused:
        split_by_patient(images_of(counts), IDC, RATIOS, seed=7)
    assert str(refused.value) == said


def test_shuffled_images_need_every_class_and_as_many_images_as_splits():
    with pytest.raises(SplitError, match=r"none of class 1 \(IDC\)"):
        split_by_image(images_of([[5, 0]]), IDC, RATIOS, seed=7)
    with pytest.raises(SplitError) as refused:
        split_by_image(images_of([[3, 2]]), IDC, RATIOS, seed=7)
    assert str(refused.value) == (
        "class 1 (IDC) has only 2 images, fewer than the 3 splits; add images"
    )
    splits = split_by_image(images_of([[50, 50]]), IDC, RATIOS, seed=7)
    assert splits.dtype == np.int8 and (np.diff(splits[:50]) < 0).any()  # shuffled


def test_patients_who_cannot_be_divided_are_said_to_have_several_classes():
    counts = [[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]
    with pytest.raises(SplitError) as refused:
        split_by_patient(images_of(counts), with_classes("a", "b", "c"), RATIOS, seed=1)
    assert str(refused.value).startswith("each class has enough patients, but they cannot be divi")
    assert str(refused.value).endswith(WAYS_OUT)


def test_of_a_scarce_class_one_patient_trains_and_the_next_tests():
    rng = np.random.default_rng(0)
    counts = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    seen = set()
    for _ in range(30):
        place = splitting._place_scarce(counts > 0, rng)
        assert place[3] == -1 and sorted(place[:2].tolist()) == [0, 2] and place[2] == 0
        seen.add(int(place[0]))
    assert seen == {0, 2}  # by chance
    alone = splitting._place_scarce(counts[:, []] > 0, rng)
    assert alone.tolist() == [-1] * 4


def test_lists_in_other_spellings_name_the_same_patients(lists):
    images = images_of([[1, 1], [1, 0], [0, 2]], ["7", "08", "x"])
    split_of = read_lists(lists(b"7.0\n9\n", b"8\n", b"x\n"))
    found = split_by_lists(images, split_of)
    assert found.splits.tolist() == [0, 0, 1, 2, 2] and found.splits.dtype == np.int8
    assert found.without_images == ["9"] and found.unlisted == Unlisted()
    assert [(one.kept, one.others) for one in found.respelled] == [("7", ("7.0",)), ("8", ("08",))]
    with pytest.raises(CancerNetError) as refused:
        read_lists(lists(b"7\n", b"8\n", b"07\n"))
    assert str(refused.value) == (
        "patient 7 is on two lists, training and testing (as 7 and as 07); nobody may be in two "
        "splits: take the id out of one"
    )
    assert read_lists(lists(b"7\n07\n", b"8\n", b"9\n")) == {
        "7": "training", "8": "validation", "9": "testing",
    }  # fmt: skip


@pytest.mark.parametrize("split", SPLITS)
def test_unlisted_patients_may_be_sent_to_any_split(split):
    images = images_of([[2, 0], [1, 1]], ["a", "b"])
    found = split_by_lists(images, {"a": "testing"}, split)
    assert found.splits.tolist() == [2, 2, *[SPLITS.index(split)] * 2] and not found.left_out
    assert found.unlisted == Unlisted(patients=1, images=2)
    alone = split_by_lists(images, {"a": "testing"})
    assert [(file.source, file.reason, file.detail) for file in alone.left_out] == [
        (source, Reason.UNLISTED, "b") for source in images.sources[2:]
    ]


def test_every_missing_class_of_the_lists_is_noticed():
    three = with_classes("a", "b", "c")
    images = images_of([[1, 1, 1], [1, 0, 0], [0, 1, 1]])
    splits = images.patient.astype(np.int8)
    noticed = check_lists(images, splits, three, one_sided=True)
    found = [(notice.split, *notice.classes) for notice in noticed]
    assert found == [("validation", "b"), ("validation", "c"), ("testing", "a")]
    with pytest.raises(SplitError, match="on the validation list has an image here"):
        check_lists(images, np.where(splits == 1, 0, splits), three)
