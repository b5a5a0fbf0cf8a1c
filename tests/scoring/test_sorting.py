"""Images in a folder for each call."""

import dataclasses

import pytest

from cancernet.base.errors import CancerNetError
from cancernet.scoring.prediction import Prediction, Side
from cancernet.scoring.sorting import SortedFolder


def called(path, word, call="1") -> Prediction:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{path}")
    return Prediction(
        path=str(path), label="1", word=word, probability=0.75, probabilities={"1": 0.75},
        positive_probability=0.75, positive=True, operating_point=0.4, call=call,
    )  # fmt: skip


@pytest.mark.parametrize("link", ["symbolic", "hard", "copy"])
def test_every_image_is_in_the_folder_of_its_call_and_none_is_lost(tmp_path, link):
    made = SortedFolder(tmp_path / "sorted", [tmp_path / "in"], link=link)
    images = [
        called(tmp_path / "in" / "a.png", "IDC"),
        called(tmp_path / "other" / "a.png", "IDC"),  # another image of the same name
        called(tmp_path / "in" / "b.png", "no/IDC"),
        dataclasses.replace(called(tmp_path / "in" / "c.png", "B"), call=Side.NEGATIVE),
    ]
    for each in images:
        made.put(each)
    there = {
        path.relative_to(tmp_path / "sorted").as_posix(): path.read_text()
        for path in (tmp_path / "sorted").rglob("*.png")
    }
    names = ("IDC/a.png", "IDC/a-2.png", "no-IDC/b.png", "negative/c.png")
    assert there == {name: each.path for name, each in zip(names, images, strict=True)}
    linked = (tmp_path / "sorted" / "IDC" / "a.png").is_symlink()
    assert linked == (link == "symbolic") and (tmp_path / "in" / "a.png").exists()
    assert made.summary().endswith(
        "sorted: 2 images in IDC, 1 image in negative, 1 image in no-IDC"
    )


def test_a_folder_that_is_used_or_scored_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "mine.txt").write_text("mine")
    for folder, said in ((tmp_path / "in", "not empty"), (tmp_path / "in" / "new", "lies in")):
        with pytest.raises(CancerNetError, match=said):
            SortedFolder(folder, [tmp_path / "in"], link="copy")
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["mine.txt"]


def test_a_disk_without_links_is_a_sentence(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    made = SortedFolder(tmp_path / "sorted", [], link="hard")
    with pytest.raises(CancerNetError, match=r"cannot be a hard link .*; use --link copy"):
        made.put(called(tmp_path / "in" / "a.png", "IDC"))
