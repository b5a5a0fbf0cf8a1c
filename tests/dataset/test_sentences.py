"""Leaks, notices and splits in words, each entry of a value in its place."""

import dataclasses

import pytest

from cancernet.base.patch_name import Respelled
from cancernet.config import split_ratios
from cancernet.dataset.notices import (
    Leak,
    LeakKind,
    Notice,
    NoticeKind,
    name_leak,
    notice_respelled,
    say_leaks,
    say_notice,
    say_split,
    upgraded_leaks,
)

GOOD = "so every result is better than it would be for new patients."
UNITS = Leak(
    kind=LeakKind.UNITS, unit="source", count=1200, total=3400, examples=("a", "b"), tested=5000,
    siblings=4000,
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "said", "named"),
    [
        (LeakKind.UNITS, "LEAK: 1,200 of 3,400 sources are in more than one split: a, b and 1,198 "
         "more.", None),
        (LeakKind.COPIES, "LEAK: 1,200 of 3,400 families of copies, by their names, are in more "
         "than one split: a, b and 1,198 more.", None),
        (LeakKind.BY_IMAGE, "LEAK: the images were divided without regard to sources (--split "
         f"image); 1,200 of 3,400 sources are in more than one split, {GOOD}",
         "1,200 of 3,400 sources are in more than one split: a, b and 1,198 more."),
        (LeakKind.AS_SHIPPED, "LEAK: the split is the one that the data set was shipped with; "
         "1,200 of 3,400 sources are in more than one of its parts, and 4,000 of 5,000 testing "
         f"images have a sibling in training or validation, {GOOD}",
         "1,200 of 3,400 sources are in more than one split: a, b and 1,198 more."),
        (LeakKind.MASKS, "MASKS AS IMAGES: 1,200 of 3,400 images are segmentation masks "
         "(--include-masks), which give the label away, and duplicates are kept; this repeats the "
         "fault of a published system, and no result says anything about scans.", ""),
    ],
)  # fmt: skip
def test_a_leak_in_words(kind, said, named):
    leak = dataclasses.replace(UNITS, kind=kind)
    assert say_leaks([leak]) == said and say_leaks([leak, leak]) == f"{said} {said}"
    expected = said.removeprefix("LEAK: ") if named is None else named or said
    assert name_leak(leak) == expected


def test_one_leak_has_no_more_examples():
    one = Leak(kind=LeakKind.UNITS, count=1, total=2, examples=("a",))
    assert name_leak(one) == "1 of 2 patients is in more than one split: a."
    old = Leak(kind=LeakKind.BY_IMAGE, sentence="Old.", count=3)
    assert name_leak(old) == say_leaks([old]) == "Old." and say_leaks([]) == ""


FULL = Notice(
    kind=NoticeKind.FEW_IMAGES, split="testing", classes=("0 (no IDC)", "1 (IDC)"), counts=(3, 4),
    count=1200, unit="source", splits=("training", "testing"), examples=("a", "b"),
    sentence="Said.",
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (NoticeKind.SAME_NUMBER, "Ids that are the same number are one patient: a; b; and 1,198 "
         "more."),
        (NoticeKind.NO_IMAGES, "testing has no image of class 0 (no IDC): figures of this class "
         "are undefined there. Change the lists, send unlisted patients there with "
         "--unlisted testing, or use --split patient."),
        (NoticeKind.FEW_UNITS, "Class 0 (no IDC) has only 1,200 sources: it is in training and "
         "testing, not in validation, so its figures rest on a single source there."),
        (NoticeKind.FEW_IMAGES, "2 classes have fewer than 50 testing images (fewest: 0 (no "
         "IDC), 3); figures of these classes are uncertain."),
        (NoticeKind.TWO_LABELS, "1,200 groups of images that look alike have more than one label "
         "(first a; b): one of the labels is wrong, or the images differ in a way that the "
         "comparison does not see."),
        (NoticeKind.DISPUTED, "1,200 images are left out because the same image is there under two "
         "labels, and which one is right is unknown (a; b)."),
        (NoticeKind.GROUPING, "Said."),
        (NoticeKind.TRIAL, "--limit 1200 leaves out most images: this is a trial, not a result"),
        (NoticeKind.SENTENCE, "Said."),
    ],
)  # fmt: skip
def test_a_notice_in_words(kind, said):
    assert say_notice(dataclasses.replace(FULL, kind=kind)) == said


def test_a_notice_of_one():
    one = dataclasses.replace(FULL, count=1, examples=("a",), splits=("training",))
    say = {kind: say_notice(dataclasses.replace(one, kind=kind)) for kind in NoticeKind}
    assert say[NoticeKind.SAME_NUMBER].endswith("one patient: a.")
    assert say[NoticeKind.FEW_UNITS] == (
        "Class 0 (no IDC) has only 1 source: it is in training, not in validation or testing, so "
        "it is not judged, and the averages over classes leave it out."
    )
    assert say[NoticeKind.TWO_LABELS].startswith("1 group of images that look alike has more")
    assert say[NoticeKind.DISPUTED].startswith("1 image is left out because")


def test_only_notices_of_splits_and_leaks_of_units_say_so():
    splits = {kind for kind in NoticeKind if kind.of_splits}
    assert splits == {NoticeKind.NO_IMAGES, NoticeKind.FEW_UNITS, NoticeKind.FEW_IMAGES}
    units = {kind for kind in LeakKind if kind.of_units}
    assert units == {LeakKind.UNITS, LeakKind.BY_IMAGE, LeakKind.AS_SHIPPED}


def test_the_first_five_respelled_patients_are_examples():
    assert notice_respelled([]) == []
    several = [Respelled(str(n), (f"0{n}", f"{n}.0")) for n in range(7)]
    (notice,) = notice_respelled(several)
    assert (notice.kind, notice.count) == (NoticeKind.SAME_NUMBER, 7)
    assert notice.examples == tuple(f"{n} and 0{n} and {n}.0" for n in range(5))


@pytest.mark.parametrize(
    ("split", "leaks", "said"),
    [
        ("lists", False, "by lists of patients: a.txt, b.txt"),
        ("shipped", True, "as shipped by its authors, validation from its training part by source"),
        ("image", True, "by image, without regard to sources (LEAK), 72 % / 8 % / 20 %, seed 7"),
        ("image", False, "by image, without regard to sources, 72 % / 8 % / 20 %, seed 7"),
        ("patient", False, "by source, nearest to 72 % / 8 % / 20 %, seed 7"),
    ],
)
def test_how_the_splits_were_made(split, leaks, said):
    lists = ("a.txt", "b.txt")
    found = say_split(split, "source", lists=lists, ratios=split_ratios(), seed=7, leaks=leaks)
    assert found == said


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {"leaks": [], "leak": ""},
        {"leaks": [{"kind": "units"}], "leak": "LEAK: all."},
        {"leaks": ["a", {"kind": "units"}], "leak": "LEAK: all."},
        {"leaks": "a", "leak": "LEAK: all."},
        {"leaks": ["a"]},
        {"leaks": ["a"], "leak": 3},
    ],
    ids=str,
)
def test_what_no_earlier_version_wrote_is_left_as_it_is(entries):
    assert upgraded_leaks(entries) == entries


@pytest.mark.parametrize(
    ("entries", "kinds"),
    [
        ({"leaks": ["a"], "leak": ""}, []),
        ({"leaks": [], "leak": "L."}, ["sentence"]),
        ({"leaks": ["a"], "leak": "L.", "settings": {"split": "image"}}, ["by-image"]),
        ({"leaks": ["a", "b"], "leak": "L.", "settings": {"split": "image"}}, ["sentence"]),
        ({"leaks": ["a"], "leak": "L.", "settings": {"split": "patient"}}, ["sentence"]),
        ({"leaks": ["a"], "leak": "L.", "settings": "image"}, ["sentence"]),
    ],
)
def test_sentences_of_an_earlier_version_become_one_leak(entries, kinds):
    found = upgraded_leaks({**entries, "more": 1})
    assert found["leaks"] == [{"kind": kind, "sentence": "L."} for kind in kinds]
    assert found["more"] == 1 and found["leak"] == entries["leak"]
