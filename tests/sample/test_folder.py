"""The folder of a drawn sample: complete or not there, marked, and nothing of others touched."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError
from cancernet.sample import folder as sample_folder
from cancernet.sample.folder import MARKER, draw_folder, drawn_marker, save
from cancernet.sample.layouts import SAMPLES, VERSION, draw_sample


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_only_a_drawing_is_announced(tmp_path, caplog):
    caplog.set_level("INFO", "cancernet")
    for _ in range(2):
        draw_folder(tmp_path / "sample", {"seed": 1}, [], subject="tissue")
    with pytest.raises(CancerNetError):
        draw_sample("folder", tmp_path / "other")
    assert caplog.messages == [f"Drawing the sample into {tmp_path / 'sample'} ..."]


def draw_nothing(folder: Path) -> None:
    draw_folder(folder, {"seed": 1}, [], subject="tissue")


@pytest.fixture
def sample(tmp_path):
    draw_sample("idc", tmp_path / "sample", patients=1)
    return tmp_path / "sample"


def test_marker(sample):
    marker = json.loads((sample / MARKER).read_text(encoding="utf-8"))
    assert marker == drawn_marker(sample)
    assert marker["drawn"] is True and "finished" not in marker
    assert (marker["sample"], marker["version"], marker["seed"]) == ("idc", VERSION, 7)
    assert (marker["cases"], marker["files"]) == (1, len(list(sample.rglob("*.png"))))


def test_drawing_again_does_nothing(sample):
    before = {path: path.stat().st_mtime_ns for path in sample.rglob("*")}
    draw_sample("idc", sample, patients=1)
    assert before == {path: path.stat().st_mtime_ns for path in sample.rglob("*")}


def test_other_settings_and_changed_samples_are_left_alone(sample):
    for other in ({"patients": 1, "seed": 8}, {"patients": 2}):
        with pytest.raises(CancerNetError, match="other settings or by another version"):
            draw_sample("idc", sample, **other)
    with pytest.raises(CancerNetError, match="other settings"):
        draw_sample("busi", sample)
    next(sample.rglob("*.png")).unlink()
    before = content(sample)
    with pytest.raises(CancerNetError, match="other settings or by another version"):
        draw_sample("idc", sample, patients=1)
    assert content(sample) == before


@pytest.mark.parametrize("name", ["note.txt", MARKER, "8863/0/8863_idx5_x1_y1_class0.png"])
@pytest.mark.parametrize("dataset", SAMPLES)
def test_a_foreign_folder_is_refused(tmp_path, dataset, name):
    folder = tmp_path / "mine"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("mine", encoding="utf-8")
    with pytest.raises(CancerNetError, match="not a drawn sample"):
        draw_sample(dataset, folder)
    assert content(folder) == {name: b"mine"}
    assert list(tmp_path.iterdir()) == [folder]


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "sample").write_text("mine", encoding="utf-8")
    with pytest.raises(CancerNetError, match="is not a folder"):
        draw_sample("idc", tmp_path / "sample", patients=1)
    assert (tmp_path / "sample").read_text(encoding="utf-8") == "mine"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "sample").mkdir()
    draw_nothing(tmp_path / "sample")
    assert drawn_marker(tmp_path / "sample") is not None


def test_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sample_folder, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        draw_sample("idc", tmp_path / "sample", patients=2)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_drawing_left_is_removed(tmp_path):
    left = tmp_path / ".sample.drawing"
    (left / "90001").mkdir(parents=True)
    (left / MARKER).write_text("", encoding="utf-8")  # killed while it was written
    draw_nothing(tmp_path / "sample")
    assert list(tmp_path.iterdir()) == [tmp_path / "sample"]


def test_what_is_not_ours_is_not_removed(tmp_path):
    other = tmp_path / ".sample.drawing"
    other.mkdir()
    (other / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(CancerNetError, match="move it away"):
        draw_nothing(tmp_path / "sample")
    assert content(other) == {"mine.txt": b"mine"}


def test_two_do_not_draw_into_one_folder(tmp_path):
    def draw_inside():
        with pytest.raises(CancerNetError, match="another program is drawing"):
            draw_nothing(tmp_path / "sample")
        return []

    draw_folder(tmp_path / "sample", {"seed": 1}, [draw_inside], subject="tissue")
    assert drawn_marker(tmp_path / "sample") is not None


def test_every_picture_says_that_it_is_drawn(sample, tmp_path):
    for path in sample.rglob("*.png"):
        with Image.open(path) as image:
            assert image.info["Software"] == "CancerNet drawn sample"
            assert image.info["Description"] == "Drawn by a program; not a photograph of tissue."
    save(tmp_path / "grey.png", np.full((4, 5), 9, np.uint8), subject="a breast")
    with Image.open(tmp_path / "grey.png") as image:
        assert image.mode == "L" and image.size == (5, 4)
        assert image.info["Description"].endswith("not a photograph of a breast.")


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"patients": 0}])
def test_arguments_out_of_bounds(tmp_path, wrong):
    with pytest.raises(CancerNetError, match="at least"):
        draw_sample("idc", tmp_path / "sample", **wrong)
    assert not (tmp_path / "sample").exists()


def test_a_data_set_that_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(
        CancerNetError, match="no drawn sample of folder, only of bach, breakhis, busi, idc"
    ):
        draw_sample("folder", tmp_path / "sample")
    assert list(tmp_path.iterdir()) == []
