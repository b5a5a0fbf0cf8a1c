"""Leaks as values, of this version's records and of older ones."""

import dataclasses
import json

import pytest

from cancernet.dataset.leaks import Leak, LeakKind, read_leaks
from cancernet.dataset.words import say_leaks

COPIES = Leak(kind=LeakKind.COPIES, unit="image", count=9, total=10, examples=("a", "b"))


def test_leaks_come_back_from_json():
    record = json.loads(json.dumps({"leaks": [dataclasses.asdict(COPIES)]}))
    assert read_leaks(record) == (COPIES,)
    assert read_leaks({"leaks": []}) == read_leaks({"leak": ""}) == ()


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"split": "image"}, LeakKind.BY_IMAGE),
        ({"split": "shipped"}, LeakKind.AS_SHIPPED),
        ({"split": "lists"}, LeakKind.SENTENCE),
        ({"split": "image", "include_masks": True}, LeakKind.SENTENCE),
    ],
)
def test_the_sentences_of_0_1_0_are_kept(settings, kind):
    old = {"leak": "LEAK: all.", "leaks": ["18 of 19 patients."], "settings": settings}
    (leak,) = read_leaks(old)
    assert leak.kind is kind and say_leaks([leak]) == "LEAK: all."


def test_the_sentence_of_an_old_run_is_kept():
    (leak,) = read_leaks({"leak": "LEAK: 3 of 9."})
    assert leak == Leak(kind=LeakKind.SENTENCE, sentence="LEAK: 3 of 9.")


@pytest.mark.parametrize(
    "record",
    [
        {"leaks": "all"},
        {"leak": 3},
        {"leaks": [{"kind": "unknown"}]},
        {"leaks": [{"kind": "units", "count": "3"}]},
        {"leaks": [{"kind": "units", "examples": "abc"}]},
        {"leaks": [{"kind": "units", "more": 1}]},
    ],
)
def test_what_is_no_leak_is_refused(record):
    with pytest.raises((TypeError, ValueError)):
        read_leaks(record)


@pytest.mark.parametrize("kind", list(LeakKind))
def test_every_kind_has_a_sentence(kind):
    leak = dataclasses.replace(COPIES, kind=kind, sentence="Old." if kind == "sentence" else "")
    said = say_leaks([leak])
    assert said.endswith(".") and (said == "Old." or "9 of 10" in said)
