"""A run folder is read only when it is finished, whole and unaltered."""

import datetime
import hashlib
import json
import math
import re
from pathlib import Path

import pytest

from cancernet.base.errors import RunError
from cancernet.measures.decisions import NONE
from cancernet.report import rendering
from cancernet.runs import run_folder
from cancernet.runs.run_record import Input
from tests.conftest import write_tiny_run


def test_a_finished_run_opens(tiny_run):
    run = run_folder.open_run(tiny_run)
    assert run.classes == ("0", "1") and run.positive == ("1",)
    assert run.threshold == 0.4 and run.drawn and run.positive_words == "IDC"


def test_an_altered_threshold_is_noticed(tiny_run):
    path = tiny_run / run_folder.RUN_FILE
    path.write_text(path.read_text().replace('"threshold": 0.4', '"threshold": 0.5'))
    with pytest.raises(RunError, match="altered"):
        run_folder.open_run(tiny_run)


def test_an_altered_model_is_noticed(tiny_run):
    with open(tiny_run / run_folder.MODEL_ONNX, "ab") as file:
        file.write(b"x")
    with pytest.raises(RunError, match="altered or damaged"):
        run_folder.open_run(tiny_run)


def test_a_missing_model_is_named(tiny_run):
    (tiny_run / run_folder.MODEL_ONNX).unlink()
    with pytest.raises(RunError, match=r"lacks model\.onnx"):
        run_folder.open_run(tiny_run)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"status": "finished"}', "\0\0"])
def test_a_garbled_run_file(tiny_run, content):
    (tiny_run / run_folder.RUN_FILE).write_text(content)
    with pytest.raises(RunError):
        run_folder.open_run(tiny_run)


def test_a_lacking_entry_is_named(tiny_run):
    content = json.loads((tiny_run / run_folder.RUN_FILE).read_text())
    del content["classes"]
    run_folder.write_run_file(tiny_run, content)
    with pytest.raises(RunError, match="classes"):
        run_folder.open_run(tiny_run)


def test_an_unfinished_run_says_how_to_go_on(tiny_run):
    content = json.loads((tiny_run / run_folder.RUN_FILE).read_text())
    run_folder.write_run_file(tiny_run, {**content, "status": "training"})
    with pytest.raises(RunError, match="--resume"):
        run_folder.open_run(tiny_run)


def test_no_folder_a_file_and_an_empty_folder(tmp_path):
    with pytest.raises(RunError, match="train_model"):
        run_folder.open_run(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="is a file"):
        run_folder.open_run(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=r"no run\.json"):
        run_folder.open_run(tmp_path / "empty")


def test_the_newest_finished_run_is_found_past_damaged_ones(tmp_path):
    write_tiny_run(tmp_path / "a", finished="2026-01-01T00:00:00+00:00")
    write_tiny_run(tmp_path / "b", finished="2026-03-01T00:00:00+00:00")
    write_tiny_run(tmp_path / "c", finished="2026-02-01T00:00:00+00:00")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / run_folder.RUN_FILE).write_text("damaged")
    assert run_folder.newest_run(tmp_path) == tmp_path / "b"


def test_no_run_says_which_command_makes_one(tmp_path):
    with pytest.raises(RunError, match=r"train_model\.py"):
        run_folder.newest_run(tmp_path)


def changed(folder, **entries):
    """Writes the record of a run with other entries, and a checksum that fits."""
    content = json.loads((folder / run_folder.RUN_FILE).read_text())
    run_folder.write_run_file(folder, {**content, **entries})
    return folder


def test_what_prediction_reads_of_a_run(tiny_run, monkeypatch):
    run = run_folder.open_run(tiny_run)
    assert run.onnx == tiny_run / "model.onnx"
    assert run.record.input == Input(width=48, height=48, interpolation="bilinear")
    assert (run.rule, run.leak, run.calibration) == ("fixed threshold 0.4", "", NONE)
    assert [run.word(label) for label in run.classes] == list(run.words) == ["no IDC", "IDC"]
    monkeypatch.chdir(tiny_run)
    assert run_folder.open_run(Path()).name == tiny_run.name


def test_a_run_of_three_classes_without_an_operating_point(tiny_run):
    wide = {"width": 32, "height": 16, "interpolation": "nearest"}
    leak = {"drawn": False, "leak": "LEAK: all."}
    three = {"classes": ["a", "b", "c"], "words": ["A", "B", "C"], "positive": ["c", "a"]}
    calibration = {"method": "temperature", "temperature": 2.0}
    changed(tiny_run, **three, input=wide, dataset=leak, calibration=calibration)
    changed(tiny_run, operating_point=None)
    run = run_folder.open_run(tiny_run)
    assert math.isnan(run.threshold) and run.rule == "" and run.positive_words == "C or A"
    assert run.record.input == Input(width=32, height=16, interpolation="nearest")
    assert (run.leak, run.drawn, run.calibration.temperature) == ("LEAK: all.", False, 2.0)


def test_only_the_named_files_are_compared(tiny_run):
    (tiny_run / run_folder.MODEL_ONNX).unlink()
    assert run_folder.open_run(tiny_run, check=()).folder == tiny_run
    (tiny_run / run_folder.MODEL_KERAS).write_bytes(b"x")
    with pytest.raises(RunError, match="altered or damaged"):  # the record has no hash of it
        run_folder.open_run(tiny_run, check=(run_folder.MODEL_KERAS,))


def test_a_record_of_another_format_names_both(tiny_run):
    with pytest.raises(RunError, match="has format 2, this program reads format 1"):
        run_folder.open_run(changed(tiny_run, format=2))


def test_the_checksum_is_of_all_other_entries_whatever_their_order():
    text = '{"a": 1, "b": "ü\\udcff"}'
    expected = hashlib.sha256(text.encode()).hexdigest()
    for content in ({"a": 1, "b": "ü\udcff"}, {"b": "ü\udcff", "checksum": "x", "a": 1}):
        assert run_folder._checksum(content) == expected


def test_the_fold_of_a_cross_validation_is_resumed_as_a_whole(tiny_run):
    changed(tiny_run, status="training")
    with pytest.raises(RunError, match=re.escape(f"--resume --run {tiny_run}`")):
        run_folder.open_run(tiny_run)
    (tiny_run.parent / run_folder.CROSS_VALIDATION).write_text("{}")
    with pytest.raises(RunError, match=re.escape(f"--resume --run {tiny_run.parent}`")):
        run_folder.open_run(tiny_run)
    with pytest.raises(RunError, match=re.escape(f"such as {tiny_run.parent / 'fold-01'}")):
        run_folder.open_run(tiny_run.parent)


def test_an_unfinished_run_is_not_the_newest(tmp_path, monkeypatch):
    write_tiny_run(tmp_path / "output" / "a", finished="2026-01-01T00:00:00+00:00")
    late = write_tiny_run(tmp_path / "output" / "b", finished="2026-03-01T00:00:00+00:00")
    changed(late, status="training")
    monkeypatch.chdir(tmp_path)
    assert run_folder.newest_run() == Path("output/a")
    changed(tmp_path / "output" / "a", finished=None)
    assert run_folder.newest_run() == Path("output/a")


def test_the_time_is_in_utc_and_sorts_as_text():
    before = datetime.datetime.now(datetime.UTC)
    said = run_folder.now()
    assert len(said) == 32 and said.endswith("+00:00")
    assert before <= datetime.datetime.fromisoformat(said) <= datetime.datetime.now(datetime.UTC)


def test_heat_maps_are_found_by_the_name_of_their_image(tmp_path):
    lines = {
        "a": ['{"path": "x/one.png", "overlay": "else/1.png"}', "{cut", "[]", '{"path": "no.png"}'],
        "b": [
            '{"path": "x/one.png", "overlay": "2.png"}',  # explained again: the last holds
            '{"path": "x/two.png", "overlay": "3.png"}',
            '{"path": "y/two.png", "overlay": "3.png"}',  # whose is it?
            '{"path": "gone.png", "overlay": "4.png"}',
        ],
    }
    for name, each in lines.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "explanations.jsonl").write_bytes(
            "\n".join(each).encode()
            + b'\n\xff\n{"path": "%s.png", "overlay": "5.png"}' % name.encode()
        )
        for number in (1, 2, 3, 5):
            (tmp_path / name / f"{number}.png").touch()
    look_up = rendering.heat_map_of(tmp_path)
    assert look_up("one.png") == look_up("z/one.png") == tmp_path / "b" / "2.png"
    assert look_up("a.png") == tmp_path / "a" / "5.png"
    for name in ("x/two.png", "gone.png", "no.png", "other.png"):
        assert look_up(name) is None
