"""A run folder is read only when it is finished, whole and unaltered."""

import json

import pytest

from cancernet.base.errors import RunError
from cancernet.runs import run_folder
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


def test_two_processes_cannot_train_into_one_folder(tmp_path):
    with (
        run_folder.locked(tmp_path),
        pytest.raises(RunError, match="another process"),
        run_folder.locked(tmp_path),
    ):
        pass
    with run_folder.locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())
