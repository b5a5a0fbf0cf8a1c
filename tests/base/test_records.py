"""Records are read from JSON strictly, and written so that every language reads them."""

import dataclasses
import json
import math
from collections.abc import Mapping

import pytest

from cancernet.base.files import json_text, read_json, write_json
from cancernet.base.records import EntryError, Record, as_json, from_json


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner(Record):
    score: float
    pair: tuple[int, str] = (0, "")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer(Record):
    name: str
    sure: bool
    inner: Inner
    many: tuple[Inner, ...] = ()
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    cores: int | str = 1
    patients: int | None
    later: str | None = None

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise ValueError("it is bad")


SOUND = {"name": "a", "sure": True, "patients": None, "inner": {"score": 0.5, "pair": [1, "x"]}}


def test_what_is_written_is_read():
    made = Outer(
        name="a",
        sure=False,
        patients=1,
        inner=Inner(score=1),
        many=(Inner(score=2.5),),
        cores="many",
    )
    assert from_json(Outer, json.loads(json_text(made))) == made


def test_undefined_is_null_in_the_file_and_nan_in_memory(tmp_path):
    write_json(tmp_path / "a.json", Inner(score=math.nan))
    assert '"score": null' in (tmp_path / "a.json").read_text()
    assert math.isnan(from_json(Inner, read_json(tmp_path / "a.json")).score)
    assert as_json({"a": [math.inf, -math.inf, math.nan, 1.5, (True, None)]}) == {
        "a": [None, None, None, 1.5, [True, None]]
    }


def test_an_absent_entry_is_not_written_and_an_empty_one_is():
    written = as_json(Outer(name="a", sure=True, patients=None, inner=Inner(score=1)))
    assert "later" not in written and written["patients"] is None


def test_unknown_entries_survive_at_every_level():
    content = {**SOUND, "new": [1], "inner": {"score": 0.5, "pair": [1, "x"], "newer": {"a": None}}}
    read = from_json(Outer, content)
    changed = as_json(dataclasses.replace(read, name="b"))
    assert changed["new"] == [1] and changed["inner"]["newer"] == {"a": None}
    assert "others" not in changed and "others" not in changed["inner"]


@pytest.mark.parametrize(
    ("entry", "value", "sentence"),
    [
        ("name", 1, "`name` is 1, not text"),
        ("name", None, "`name` is None, not text"),
        ("name", "bad", "it is bad"),
        ("sure", 1, "`sure` is 1, not true or false"),
        ("inner", [], r"`inner` is \[\], not an object"),
        ("inner", {}, "`inner.score` is missing"),
        ("inner", {"score": True}, "`inner.score` is True, not a number"),
        ("inner", {"score": "1"}, "`inner.score` is '1', not a number"),
        ("inner", {"score": 10**400}, "`inner.score` is too large a number"),
        ("inner", {"score": 1, "pair": [1]}, "`inner.pair` has 1 values, not 2"),
        ("inner", {"score": 1, "pair": ["1", "x"]}, r"`inner.pair\[0\]` is '1', not a whole"),
        ("many", [{"score": 1}, {}], r"`many\[1\].score` is missing"),
        ("counts", {"a": 1.5}, "`counts.a` is 1.5, not a whole number"),
        ("cores", 1.5, "`cores` is 1.5, not text"),
        ("later", 3, "`later` is 3, not text"),
        ("name", ["x" * 1000], "`name` is .{60}…, not text"),
    ],
)
def test_a_wrong_entry_is_named(entry, value, sentence):
    with pytest.raises(EntryError, match=sentence):
        from_json(Outer, {**SOUND, entry: value})


@pytest.mark.parametrize("content", [None, [], "x", 1.5])
def test_what_is_not_an_object_is_refused(content):
    with pytest.raises(EntryError, match=r"the content is .*, not an object"):
        from_json(Outer, content)
