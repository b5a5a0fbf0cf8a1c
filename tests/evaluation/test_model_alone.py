"""evaluate_model.py --run MODEL: the file of others, called at a threshold that nobody invents."""

import csv
import json
import sys

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError
from cancernet.commands import evaluate, predict
from cancernet.evaluation import evaluation_report
from tests.conftest import write_tiny_onnx

OWN = ("--dataset", "folder", "--classes", "red", "blue", "--positive", "blue", "--group-by")


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A network that tells blue from red, and 32 images of eight patients, one a class each."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(4)
    for number in range(32):
        folder = tmp_path / "clinic" / ("blue" if number % 2 else "red")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(60, 160, (48, 48, 3), np.uint8)
        pixels[..., 2 if number % 2 else 0] = random.integers(90, 200)
        Image.fromarray(pixels).save(folder / f"p{number // 4}_{number}.png")
    write_tiny_onnx(tmp_path / "theirs.onnx")
    return tmp_path / "theirs.onnx"


def run(monkeypatch, command, *flags):
    monkeypatch.setattr(sys, "argv", ["x.py", *map(str, flags)])
    return command.main()


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


DESCRIBED = ("--preprocessing", "inside")


def test_the_classes_and_the_threshold_come_from_a_built_set(model, build, monkeypatch, capsys):
    monkeypatch.setattr(evaluation_report, "write_report", lambda content, folder: None)
    code, out, _ = build(*OWN, r"(p\d+)_", "--source", "clinic", "--output", "set")
    assert code == 0, out
    flags = ("--run", model, "--data", "set", *DESCRIBED)
    assert run(monkeypatch, evaluate, *flags, "--rule", "youden") == 0
    printed = capsys.readouterr().out
    assert "What this model was trained on is not known" in printed
    folder = model.parent / "output" / "theirs-evaluations" / "set-youden"
    found = json.loads((folder / "metrics.json").read_text())
    manifest = rows("set/manifest.csv")
    for split in ("validation", "testing"):
        assert found[split]["images"] == sum(row["split"] == split for row in manifest) > 0
    assert found["operating_point"]["images"] == found["validation"]["images"]
    assert found["operating_point"]["chosen_on"] == "validation"
    tested = rows(folder / "predictions.csv")
    assert {row["path"].split("/")[0] for row in tested} == {"testing"}
    capsys.readouterr()
    assert run(monkeypatch, predict, "set/testing", "--run", model, "--dataset", "idc",
               *DESCRIBED, "--json") == 0  # fmt: skip
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "{" in line]
    scored = {line["path"].removeprefix("set/"): line["probabilities"]["1"] for line in lines}
    assert {row["path"]: float(row["probability_blue"]) for row in tested} == scored
    with pytest.raises(CancerNetError, match="only testing images can be judged"):
        run(monkeypatch, evaluate, *flags, "--rule", "youden", "--split", "all")


def test_a_given_threshold_needs_no_validation(model, monkeypatch, capsys, undrawn):
    (model.parent / "clinic").rename(model.parent / "0")
    for name, label in (("red", "0"), ("blue", "1")):
        (model.parent / "0" / name).rename(model.parent / "0" / label)
    flags = ("--run", model, "--data", "0", "--dataset", "idc", *DESCRIBED, "--output", "judged")
    assert run(monkeypatch, evaluate, *flags, "--rule", "fixed", "--threshold", "0.7") == 0
    assert "given, not chosen on validation" in capsys.readouterr().out
    found = json.loads((model.parent / "judged" / "metrics.json").read_text())
    assert found["testing"]["images"] == 32 and found["operating_point"]["threshold"] == 0.7
    assert found["validation"]["images"] == 0 and found["validation"]["sensitivity"] is None
    assert found["intervals"]["validation"]["limits"]["sensitivity"] == [None, None]
    page = (model.parent / "judged" / "report.html").read_text()
    for words in (
        "not known",
        "Nothing was chosen on validation",
        "Spread of the operating point: none given",
    ):
        assert words in page
    for row in rows(model.parent / "judged" / "predictions.csv"):
        assert row["predicted"] == str(int(float(row["probability_1"]) >= 0.7))


def test_classes_that_no_catalogue_has(model, monkeypatch, undrawn):
    called = ("--rule", "fixed", "--threshold", "0.5")
    said = (*DESCRIBED, "--classes", "red", "blue", "--positive", "blue")
    flags = ("--run", model, "--data", "clinic", *called, *said)
    assert run(monkeypatch, evaluate, *flags, "--output", "judged") == 0
    found = json.loads((model.parent / "judged" / "metrics.json").read_text())["testing"]
    assert found["images"] == 32 and found["roc_auc"] > 0.9  # of blue, the second output
    assert {row["label"] for row in rows("judged/predictions.csv")} == {"red", "blue"}


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ((), "no testing images; name labelled images with --data"),
        (("--data", "clinic"), "has no operating point; give one with --rule fixed --threshold X"),
        (("--data", "clinic", "--rule", "youden"), "whose validation images choose one"),
        (("--data", "clinic", "--rule", "fixed"), "or name the data set with --dataset"),
        (("--data", "clinic", "--rule", "fixed", "--dataset", "idc"), "how its pixels were"),
    ],
)
def test_what_nobody_said_is_asked_for(model, monkeypatch, flags, sentence):
    with pytest.raises(CancerNetError) as refused:
        run(monkeypatch, evaluate, "--run", model, *flags)
    assert sentence in str(refused.value)
    assert not (model.parent / "output").exists()
