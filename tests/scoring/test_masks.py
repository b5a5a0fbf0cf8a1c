"""Masks are left out of folders and counted; a mask that is named is scored with a warning."""

import csv
import json
import sys

import pytest
from PIL import Image

import cancernet
from cancernet.base.errors import CancerNetError
from cancernet.base.words import NAMED_LIKE_MASK
from cancernet.commands.predict import main
from cancernet.runs import run_folder
from cancernet.scoring.inputs import is_named_like_mask
from cancernet.slides.scoring import find_patients
from tests.helpers.serving_examples import picture
from tests.serving.test_serving import Server

SCANS = "normal (1).png", "unmasked 7.png", "mask_3.png"
MASKS = "normal (1)_mask.png", "normal (1)_mask_1.png"
SKIPPED = "masks skipped, recognised by name"


@pytest.fixture
def folder(tmp_path):
    """Scans, of which two have innocent names, with two masks beside them and one below."""
    folder = tmp_path / "masks" / "normal"
    (folder / "mask").mkdir(parents=True)
    for name in (*SCANS, *MASKS, "mask/normal (1).png"):
        Image.new("RGB", (50, 50), (200, 0, 0)).save(folder / name)
    return folder


@pytest.fixture
def predict(tiny_run, monkeypatch):
    def predict(*arguments):
        given = ["predict.py", *map(str, arguments), "--run", str(tiny_run)]
        monkeypatch.setattr(sys, "argv", given)
        return main()

    return predict


def test_a_folder_is_scored_without_its_masks_and_says_how_many(predict, folder, tmp_path, capsys):
    assert predict(folder, "--json", "--sort-into", tmp_path / "sorted") == 0
    said = capsys.readouterr()
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [row["path"] for row in rows] == [str(folder / name) for name in sorted(SCANS)]
    assert not any(row["named_like_mask"] for row in rows)
    assert said.err == f"3 {SKIPPED}\n"
    assert sum(path.is_symlink() for path in (tmp_path / "sorted").rglob("*")) == 3


def test_a_table_has_no_masks_of_a_folder(predict, folder, tmp_path, capsys):
    assert predict(folder, "--csv", tmp_path / "a.csv") == 0
    with open(tmp_path / "a.csv", newline="") as file:
        assert [row["named_like_mask"] for row in csv.DictReader(file)] == ["False"] * 3
    assert capsys.readouterr().err == f"3 {SKIPPED}\n"


def test_a_mask_named_by_itself_is_scored_and_called_one(predict, folder, tmp_path, capsys):
    assert predict(folder / MASKS[0], "--figure", tmp_path / "a.svg") == 0
    said = capsys.readouterr()
    assert said.out.count(f"warning: {NAMED_LIKE_MASK}") == 1 and "warning" not in said.err
    assert NAMED_LIKE_MASK[:20] in (tmp_path / "a.svg").read_text()


def test_of_many_named_files_none_is_hidden_and_the_masks_are_counted(predict, folder, capsys):
    assert predict(*sorted(folder.glob("*.png")), "--json") == 0
    said = capsys.readouterr()
    rows = map(json.loads, said.out.splitlines())
    assert sum(row["named_like_mask"] for row in rows) == 2
    assert "warning: 2 images are named like masks" in said.err and "skipped\n" in said.err


def test_a_list_names_its_masks(predict, folder, tmp_path, capsys):
    (tmp_path / "list.csv").write_text("filename\n" + "\n".join([SCANS[0], *MASKS]) + "\n")
    assert predict(folder, "--list", tmp_path / "list.csv", "--csv", tmp_path / "a.csv") == 0
    with open(tmp_path / "a.csv", newline="") as file:
        assert [row["named_like_mask"] for row in csv.DictReader(file)] == ["False", "True", "True"]
    assert "warning: 2 images are named like masks" in capsys.readouterr().err


def test_a_folder_of_nothing_but_masks_is_refused_in_a_sentence(predict, folder, capsys):
    for name in SCANS:
        (folder / name).unlink()
    with pytest.raises(CancerNetError, match=r"no image but 3 masks, .* name a mask file itself"):
        predict(folder)
    assert capsys.readouterr() == ("", "")


def test_a_folder_of_masks_that_is_named_itself_is_scored_with_warnings(predict, folder, capsys):
    assert predict(folder / "mask") == 0
    assert capsys.readouterr().out.count(f"warning: {NAMED_LIKE_MASK}") == 1


@pytest.mark.parametrize(
    ("path", "told"),
    [
        *((name, False) for name in SCANS),
        *((f"masks/busi/{name}", True) for name in MASKS),
        ("/data/masks/1.png", True),
        ("/data/masks/busi/1.png", False),  # the folder may be above the data set
        ("masks", False),
        ("", False),
    ],
)
def test_the_name_and_the_last_folder_tell(path, told):
    assert is_named_like_mask(path) == told


def test_python_logs_how_many_and_marks_a_named_one(tiny_run, folder, caplog):
    run = cancernet.load(tiny_run)
    assert len(run.predict(folder)) == 3 and caplog.messages == [f"3 {SKIPPED}"]
    one = run.predict(folder / MASKS[0])
    assert one.named_like_mask and NAMED_LIKE_MASK in str(one)


def test_the_api_tells_it_of_an_upload(tiny_run):
    files = [(name, picture()) for name in (SCANS[0], MASKS[0])]
    with Server(run_folder.open_run(tiny_run)) as server:
        one = server.send("/predict", files[1]).json()
        batch = server.send("/predict/batch", *files, field="images").json()["results"]
    assert [each["named_like_mask"] for each in (one, *batch)] == [True, False, True]


def test_a_slide_leaves_out_masks_and_counts_them(folder):
    for place in ("1/7_idx5_x1_y1_class1.png", "masks/7_idx5_x51_y1_class1.png"):
        (folder / place).parent.mkdir()
        Image.new("RGB", (50, 50)).save(folder / place)
    patients, others = find_patients([folder])
    assert len(patients["7"].places) == 1 and others == 3 + 3 + 1
