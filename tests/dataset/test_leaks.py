"""Leaks as values, of this version's records and of older ones."""

import dataclasses
import json

import pytest

from cancernet.base.files import json_text
from cancernet.base.records import EntryError, as_json, from_json
from cancernet.dataset.notices import Leak, LeakKind, say_leaks, upgraded_leaks
from cancernet.runs.run_record import DatasetFacts

COPIES = Leak(kind=LeakKind.COPIES, unit="image", count=9, total=10, examples=("a", "b"))


def facts(**entries) -> DatasetFacts:
    return from_json(DatasetFacts, {"drawn": False, "leak": "", **entries})


def test_leaks_come_back_from_json():
    stored = json.loads(json_text(facts(leak="LEAK: all.", leaks=as_json([COPIES]))))
    assert from_json(DatasetFacts, stored).leaks == (COPIES,)
    assert facts().leaks == facts(leaks=[]).leaks == ()


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
    (leak,) = upgraded_leaks(old)["leaks"]
    assert leak == {"kind": kind.value, "sentence": "LEAK: all."}


def test_the_sentence_of_an_old_run_is_kept():
    (leak,) = facts(leak="LEAK: 3 of 9.").leaks
    assert leak == Leak(kind=LeakKind.SENTENCE, sentence="LEAK: 3 of 9.")
    assert say_leaks([leak]) == "LEAK: 3 of 9."


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"leaks": "all"}, "`leaks` is 'all', not a list"),
        ({"leaks": [{"kind": "unknown"}]}, r"`leaks\[0\].kind` is 'unknown', not one of units"),
        ({"leaks": [{"kind": "units", "count": "3"}]}, "count` is '3', not a whole number"),
        ({"leaks": [{"kind": "units", "examples": "abc"}]}, "examples` is 'abc', not a list"),
    ],
)
def test_what_is_no_leak_is_refused(record, words):
    with pytest.raises(EntryError, match=words):
        facts(**record)


@pytest.mark.parametrize("kind", list(LeakKind))
def test_every_kind_has_a_sentence(kind):
    leak = dataclasses.replace(COPIES, kind=kind, sentence="Old." if kind == "sentence" else "")
    said = say_leaks([leak])
    assert said.endswith(".") and (said == "Old." or "9 of 10" in said)
