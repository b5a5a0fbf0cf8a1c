"""Every entry of run.json that prediction relies on, wrong in every way that one check catches."""

import json

import pytest

from cancernet.base.errors import RunError
from cancernet.runs import run_folder


def opened_with(run, **changes):
    """Opens a run whose record says something else, with a checksum that fits."""
    content = json.loads((run / run_folder.RUN_FILE).read_text())
    for name, value in changes.items():
        entry, _, key = name.partition("__")
        if key:
            content[entry][key] = value
        else:
            content[entry] = value
    # Not by `write_run_file`, which knows no infinity.
    content["checksum"] = run_folder._checksum(content)
    (run / run_folder.RUN_FILE).write_text(json.dumps(content))
    return run_folder.open_run(run)


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ["0"], "words": ["no IDC"], "positive": ["0"]},
        {"classes": ["0", "0"]},
        {"classes": ["0", ""], "positive": ["0"]},
        {"classes": ["0", 1], "positive": ["0"]},
        {"classes": "01"},
        {"words": ["no IDC"]},
        {"words": ["no IDC", "IDC", "more"]},
        {"words": ["no IDC", ""]},
        {"words": ["no IDC", 1]},
        {"positive": []},
        {"positive": ["0", "1"]},
        {"positive": ["2"]},
        {"positive": ["1", "2"]},
        {"positive": [1]},
        {"input__width": 0},
        {"input__height": 0},
        {"input__width": -1},
        {"input__width": 4097},
        {"input__height": 4097},
        {"input__width": 32.0},
        {"input__height": True},
        {"input__width": "32"},
        {"input__interpolation": "magic"},
        {"operating_point__threshold": "high"},
        {"operating_point__rule": 1},
        {"calibration": {"method": "magic"}},
        {"calibration": {"method": "temperature", "temperature": 0}},
        {"calibration": {"method": "temperature", "temperature": -1}},
        {"calibration": {"method": "temperature", "shares": [0.5, 0.3, 0.2]}},
        {"calibration": {"method": "temperature", "shares": [0, 1]}},
    ],
    ids=str,
)
def test_an_entry_that_prediction_would_stumble_over_is_refused(tiny_run, changes):
    with pytest.raises(RunError):
        opened_with(tiny_run, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"input__width": 1, "input__height": 1},
        {"input__width": 4096, "input__height": 4096},
        {"positive": ["0"]},
        {"words": ["the same", "the same"]},
        {"operating_point__threshold": 0},
        {"operating_point__threshold": 1},
    ],
    ids=str,
)
def test_an_entry_at_its_limit_is_read(tiny_run, changes):
    assert opened_with(tiny_run, **changes).classes == ("0", "1")


def test_of_three_classes_two_may_be_positive(tiny_run):
    three = {"classes": ["a", "b", "c"], "words": ["A", "B", "C"]}
    run = opened_with(tiny_run, **three, positive=["c", "a"])
    assert set(run.positive) == {"a", "c"}
    with pytest.raises(RunError):
        opened_with(tiny_run, **three, positive=["a", "b", "c"])
