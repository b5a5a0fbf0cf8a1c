"""Notices as values, of this version's records and of older ones."""

import dataclasses
import json

import pytest

from cancernet.base.records import as_json, from_json
from cancernet.dataset.build_record import BuildRecord
from cancernet.dataset.notices import Notice, NoticeKind, say_notice

FULL = Notice(
    kind=NoticeKind.FEW_IMAGES, split="testing", classes=("0 (no IDC)", "1 (IDC)"), counts=(3, 4),
    count=5, unit="source", splits=("training", "testing"), examples=("a", "b"), sentence="Said.",
)  # fmt: skip


def test_notices_come_back_from_json():
    notices = (FULL, Notice(kind=NoticeKind.TRIAL))
    entries = json.loads(json.dumps(as_json(notices)))
    assert from_json(tuple[Notice, ...], entries) == notices


def test_the_sentences_of_0_1_0_are_kept():
    (entry,) = BuildRecord.upgraded({"warnings": ["Few images."]})["notices"]
    notice = from_json(Notice, entry)
    assert say_notice(notice) == "Few images." and not notice.kind.of_splits


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_every_kind_has_a_sentence(kind):
    said = say_notice(dataclasses.replace(FULL, kind=kind))
    assert said and "{" not in said
