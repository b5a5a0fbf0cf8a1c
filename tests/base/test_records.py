"""Records are read from JSON strictly, and written so that every language reads them."""

import dataclasses
import enum
import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from cancernet.base.files import json_text, read_json, write_json
from cancernet.base.records import EntryError, Record, Sparse, as_json, from_json


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


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grown(Record):
    """What an earlier version called `old` and wrote as one number."""

    colours: list[Colour] = dataclasses.field(default_factory=list)
    sizes: dict[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    any: object = None
    free: Any = None
    either: Inner | int | None = None
    made: int = dataclasses.field(default=3, init=False)

    @classmethod
    def upgraded(cls, entries: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"sizes": {"old": [entries["old"]]}} if "old" in entries else entries

    def __post_init__(self) -> None:
        if self.free == "bad":
            raise ValueError("it is bad")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Holder:
    """No `Record`: what it does not know is forgotten."""

    grown: Grown
    many: tuple[Grown, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Few(Sparse):
    kind: Colour
    count: int = 0
    names: tuple[str, ...] = ()
    more: str | None = None
    most: int = 5


def test_lists_objects_choices_and_anything_are_read():
    entries = {
        "colours": ["red", "blue"], "sizes": {"a": [1, None], "b": []}, "any": {"x": [1]},
        "free": [None], "either": {"score": 2}, "later": 1,
    }  # fmt: skip
    read = from_json(Grown, entries)
    assert read.colours == [Colour.RED, Colour.BLUE] and isinstance(read.colours, list)
    assert read.sizes["a"][0] == 1.0 and math.isnan(read.sizes["a"][1]) and read.sizes["b"] == ()
    assert (read.any, read.free, read.either) == ({"x": [1]}, [None], Inner(score=2))
    assert read.others == {"later": 1} and read.made == 3
    assert json.loads(json_text(read)) == {
        **entries,
        "either": {"score": 2, "pair": [0, ""]},
        "made": 3,
    }
    assert from_json(Grown, {"either": 4}).either == 4
    assert from_json(Grown, {"either": None}).either is None


def test_the_entries_of_an_earlier_version_are_brought_into_form():
    assert from_json(Grown, {"old": 2}).sizes == {"old": (2.0,)}
    read = from_json(Holder, {"grown": {"old": 1}, "many": [{"old": 3}], "unknown": 1})
    assert read == Holder(grown=Grown(sizes={"old": (1.0,)}), many=(Grown(sizes={"old": (3.0,)}),))


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({}, "`grown` is missing"),
        ({"grown": 1}, "`grown` is 1, not an object"),
        ({"grown": {"free": "bad"}}, "`grown`: it is bad"),
        ({"grown": {}, "many": [{}, {"free": "bad"}]}, "`many[1]`: it is bad"),
        ({"grown": {"colours": "red"}}, "`grown.colours` is 'red', not a list"),
        ({"grown": {"colours": ["red", 1]}}, "`grown.colours[1]` is 1, not text"),
        (
            {"grown": {"colours": ["green"]}},
            "`grown.colours[0]` is 'green', not one of red, blue",
        ),
        ({"grown": {"sizes": []}}, "`grown.sizes` is [], not an object"),
        ({"grown": {"sizes": {"a": {}}}}, "`grown.sizes.a` is {}, not a list"),
        ({"grown": {"sizes": {"a": [1, True]}}}, "`grown.sizes.a[1]` is True, not a number"),
        ({"grown": {"either": True}}, "`grown.either` is True, not a whole number"),
    ],
)
def test_the_place_of_a_wrong_entry_is_its_whole_name(entries, sentence):
    with pytest.raises(EntryError) as refused:
        from_json(Holder, entries)
    assert str(refused.value) == sentence


def test_a_wrong_value_is_shown_up_to_sixty_characters():
    for length, shown in ((58, repr("x" * 58)), (59, f"'{'x' * 59}…")):
        with pytest.raises(EntryError) as refused:
            from_json(int, "x" * length)
        assert str(refused.value) == f"the content is {shown}, not a whole number"
    with pytest.raises(EntryError) as refused:
        from_json(Colour, "x" * 99)
    assert str(refused.value) == f"`` is '{'x' * 59}, not one of red, blue"


def test_of_a_sparse_record_only_what_is_not_empty_is_written():
    assert as_json(Few(kind=Colour.RED)) == {"kind": "red", "most": 5}
    assert as_json(Few(kind=Colour.RED, count=2, names=("a",), more="", most=0)) == {
        "kind": "red", "count": 2, "names": ["a"], "more": "", "most": 0,
    }  # fmt: skip


def test_an_undefined_number_of_a_record_is_null_also_where_nothing_may_be_absent():
    assert as_json(Outer(name="a", sure=True, patients=None, inner=Inner(score=math.inf)))[
        "inner"
    ] == {"score": None, "pair": [0, ""]}
