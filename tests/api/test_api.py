"""`import cancernet`: predictions as values, for whatever stands for an image; nothing printed."""

import base64
import dataclasses
import io
import json
import logging
import subprocess
import sys
import types
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import cancernet
from cancernet.api import images
from cancernet.api.answers import Prediction, Predictions
from cancernet.api.making import as_given, called
from cancernet.base.errors import CancerNetError, ImageError
from cancernet.building.settings import BuildSettings
from cancernet.evaluation import evaluation_report
from cancernet.planning.plan import Plan, Resume
from cancernet.recipes import DEFAULT_RECIPE, recipe
from tests.conftest import give_context
from tests.helpers.evaluation_examples import finished_run

ROOT = Path(__file__).parents[2]
RED, BLUE = (200, 20, 20), (20, 20, 200)


def pixels(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((50, 50, 3), colour, np.uint8)


@pytest.fixture
def run(tiny_run: Path) -> cancernet.Run:
    return cancernet.load(tiny_run)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a blue patch, a red one beside it, and a file that is no image."""
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(pixels(BLUE)).save(folder / "1_idx5_x1_y1_class0.png")
    Image.fromarray(pixels(RED)).save(folder / "1_idx5_x51_y1_class0.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def test_one_image_is_one_prediction_as_predict_py_gives_it(run, folder, capsys):
    image = folder / "1_idx5_x1_y1_class0.png"
    found = run.predict(image)
    assert capsys.readouterr() == ("", "")
    line = subprocess.run(
        [sys.executable, str(ROOT / "predict.py"), str(image), "--run", str(run.folder), "--json"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    facts = json.loads(line)
    assert facts and all(getattr(found, name) == value for name, value in facts.items())
    assert found.label == "1" and found.positive and found.error == ""
    assert str(found).startswith(f"{image}: ")


@pytest.mark.parametrize(
    "as_given",
    [
        Image.fromarray,
        lambda image: Image.fromarray(image).convert("RGBA"),
        lambda image: image,
        lambda image: image.astype(float),
        lambda image: image.astype(np.int64),
    ],
)
def test_arrays_and_pillow_images_score_as_their_files(run, folder, as_given):
    one = run.predict(as_given(pixels(BLUE)))
    assert one.path == "image 1"
    assert one.probabilities == run.predict(folder / "1_idx5_x1_y1_class0.png").probabilities


def test_grey_is_repeated_in_all_channels(run):
    grey, colour = run.predict([np.full((9, 7), 90), np.full((9, 7, 3), 90)])
    assert grey.probabilities == colour.probabilities


def test_several_come_in_their_order_with_what_cannot_be_read_in_its_place(run, folder):
    blue, red = sorted(folder.glob("*class0.png"))
    found = run.predict([pixels(RED), str(red), folder, Image.fromarray(pixels(BLUE))])
    assert [each.path for each in found] == [
        "image 1", str(red), str(blue), str(red), str(folder / "broken.png"), "image 6",
    ]  # fmt: skip
    assert [each.label for each in found] == ["0", "0", "1", "0", "", "1"]
    broken = found[4]
    assert "not a PNG" in broken.error and np.isnan(broken.probability) and broken.positive is None
    assert run.predict([]) == [] and [each.path for each in run.predict(folder)] == [
        each.path for each in found[2:5]
    ]


def test_files_are_judged_with_their_neighbours_and_pictures_alone(run, folder):
    run = cancernet.load(give_context(run.folder))
    image = folder / "1_idx5_x1_y1_class0.png"
    assert run.predict(image).neighbours == 1
    alone = run.predict(image, alone=True)
    assert alone.neighbours is None
    assert run.predict(pixels(BLUE)).probability == alone.probability


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("no-such.png", "no-such.png: there is no such file"),
        ("", "the path is empty"),
        (None, "NoneType is no image; give a path"),
        (b"\x89PNG", "bytes is no image"),
        (np.zeros((3, 50, 50)), r"shape \(3, 50, 50\); an image is"),
        (np.zeros((0, 0)), "shape"),
        (np.full((5, 5), 256), "values from 256 to 256; give 0 to 255"),
        (np.full((5, 5), np.nan), "nan"),
        (np.full((5, 5), 0.5), "looks like a range of 0 to 1"),
        (Image.fromarray(np.full((5, 5), 4000, np.uint16)), "values from 4000 to 4000"),
    ],
)
def test_what_is_no_image_is_refused_in_a_sentence(run, image, said):
    with pytest.raises(CancerNetError, match=said):
        run.predict(image)


def test_a_table_has_a_row_for_each_image(run, folder, monkeypatch):
    pandas = pytest.importorskip("pandas")
    found = run.predict(folder)
    table = found.to_pandas()
    assert list(table["path"]) == [each.path for each in found]
    assert table["probability_1"][0] == found[0].probabilities["1"]
    assert pandas.isna(table["probability_1"][2]) and "image" not in table
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(CancerNetError, match="pip install pandas"):
        found.to_pandas()


def test_a_notebook_shows_the_picture_the_words_and_the_notice(run, folder):
    shown = run.predict(folder)._repr_html_()
    assert shown.count("<img ") == 2 and "not a PNG" in shown and shown.count("diagnosis") == 1
    one = run.predict(Image.fromarray(pixels(BLUE)))._repr_html_()
    assert "data:image/png;base64," in one and "drawn pictures" in one
    assert run.predict([pixels(RED)] * 30)._repr_html_().count("<img ") == 24


def test_a_heat_map_without_tensorflow(run):
    found = run.explain(pixels(BLUE), method="occlusion", class_name="IDC")
    assert found.map.shape == (48, 48) and found.overlay.shape == (400, 400, 3)
    assert (found.label, found.layer) == ("1", "") and "not where disease is" in str(found)
    assert 'width="320">' in found._repr_html_()


def test_a_run_says_what_it_is(run, tmp_path, monkeypatch):
    assert repr(run) == f"cancernet.load({str(run.folder)!r})"
    assert (run.classes, run.words, run.positive) == (("0", "1"), ("no IDC", "IDC"), ("1",))
    assert run.record.dataset.name == "idc"
    with pytest.raises(CancerNetError, match=r"metrics\.json"):
        _ = run.metrics
    monkeypatch.chdir(tmp_path)
    assert cancernet.load().folder == Path("output/tiny")


def test_a_file_is_explained_as_its_pixels_are(run, folder):
    image = folder / "1_idx5_x1_y1_class0.png"
    by_file, by_pixels = (
        run.explain(each, method="occlusion") for each in (str(image), pixels(BLUE))
    )
    assert np.array_equal(by_file.map, by_pixels.map) and by_file.method == "occlusion"
    assert np.array_equal(by_file.overlay, by_pixels.overlay)
    assert by_file.label == by_file.prediction.label == "1"
    assert str(by_file).startswith(f"{by_file.prediction}\n")
    other = run.explain(image, method="occlusion", class_name="no IDC")
    assert (other.label, other.prediction.label) == ("0", "1")
    with pytest.raises(CancerNetError, match="occlusion explains no layer"):
        run.explain(image, method="occlusion", layer="x")


def test_many_pictures_are_scored_in_parts_and_counted_through(run, monkeypatch):
    monkeypatch.setattr(images, "PICTURES_AT_ONCE", 2)
    found = run.predict([pixels(colour) for colour in (RED, BLUE, BLUE, RED, BLUE)])
    assert [each.path for each in found] == [f"image {number}" for number in range(1, 6)]
    assert [each.label for each in found] == ["0", "1", "1", "0", "1"]


def test_what_an_array_may_be():
    def taken(array):
        (source,), several = images.as_sources(array)
        assert not several
        return np.asarray(source)[0, 0].tolist()

    assert taken(np.full((1, 2), 89.6)) == [90, 90, 90] and taken(np.full((1, 2), 255.0))[0] == 255
    assert taken(np.full((1, 2), 1.4)) == [1, 1, 1] and taken(np.ones((1, 2), int)) == [1, 1, 1]
    assert taken(np.zeros((1, 2))) == taken(np.zeros((1, 2), bool)) == [0, 0, 0]
    for odd in (
        np.ones((1, 2)), np.ones((1, 2), bool), np.full((1, 2), -1), np.full((1, 2), 256),
        np.zeros((1, 2, 4), np.uint8), np.zeros(3, np.uint8), np.zeros((1, 1, 2, 3), np.uint8),
    ):  # fmt: skip
        with pytest.raises(ImageError, match="the array has"):
            images.as_sources(odd)


def test_arguments_are_fields_of_settings():
    told = {"split_lists": ["a", Path("b")], "source": "s", "classes": "no", "seed": 3}
    given = as_given(BuildSettings, told)
    assert given == {
        "split_lists": (Path("a"), Path("b")), "source": Path("s"), "classes": ("no",), "seed": 3,
    }  # fmt: skip
    assert as_given(BuildSettings, {"source": None}) == {"source": None}
    assert called("f", {"a": Path("x"), "b": 1}) == "f(a='x', b=1)"


def test_a_prediction_as_a_row_and_in_a_notebook():
    found = Prediction(
        path="p", label="b", probabilities={"a": 0.25, "b": 0.75}, alone_probabilities={"a": 0.5},
        text="a<b", closing="c<d", image=Path("none.png"), neighbours=2,
    )  # fmt: skip
    row = found.row()
    assert (row["probability_a"], row["probability_b"], row["alone_probability_a"]) == (
        0.25, 0.75, 0.5,
    )  # fmt: skip
    assert (row["path"], row["label"], row["neighbours"]) == ("p", "b", 2)
    assert not row.keys() & {"text", "image", "closing", "probabilities", "alone_probabilities"}
    assert found._repr_html_() == "<pre>a&lt;b</pre><p>c&lt;d</p>"
    assert str(Predictions([found] * 2)) == "a<b\na<b"
    shown = {many: Predictions([found] * many)._repr_html_() for many in (0, 24, 25)}
    assert shown[0] == "" and "more" not in shown[24]
    assert shown[25] == "<pre>a&lt;b</pre>" * 24 + "<p>and 1 more</p><p>c&lt;d</p>"
    wide = dataclasses.replace(found, image=Image.new("RGB", (400, 100)))._repr_html_()
    assert ' width="160">' in wide and "width: 320px" in wide and ">a&lt;b</figcaption>" in wide
    content = base64.b64decode(wide.partition("base64,")[2].partition('"')[0])
    assert Image.open(io.BytesIO(content)).size == (160, 40)


def test_a_run_is_judged_as_the_script_judges_it(tmp_path, monkeypatch, capsys):
    run, place = cancernet.load(finished_run(tmp_path / "one")), tmp_path / "out"
    monkeypatch.setattr(
        evaluation_report, "write_report", lambda _, folder: (folder / "report.html").touch()
    )
    own = run.evaluate()
    assert capsys.readouterr() == ("", "") and own.report is None
    assert (own.left_out, own.leak, own.metrics.testing.images) == ({}, "", 240)
    assert own.metrics.operating_point.threshold == 0.4 and "sensitivity" in str(own)
    again = run.evaluate(output=str(place), rule="fixed", threshold=0.3)
    assert again.report == place / "report.html" and again.report.exists()
    record, metrics = (json.loads((place / name).read_text()) for name in
                       ("evaluation.json", "metrics.json"))  # fmt: skip
    assert record["command"] == "run.evaluate(rule='fixed', threshold=0.3)"
    assert metrics["operating_point"]["threshold"] == 0.3
    assert again.metrics.operating_point.threshold == 0.3
    for number in range(8):
        image = tmp_path / "clinic" / str(number % 2) / f"{number // 2}_idx5_x{number}_y1.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(BLUE if number % 2 else RED)).save(image)
    (image.parent / "9_idx5_x1_y1.png").write_bytes(b"x")
    clinic = run.evaluate(str(tmp_path / "clinic"), progress=True)
    assert clinic.metrics.testing.images == 8 and sum(clinic.left_out.values()) == 1
    assert "9_idx5_x1_y1.png" in "".join(capsys.readouterr())


@pytest.fixture
def plans(monkeypatch):
    """What trainings were asked for; nothing is trained, and TensorFlow is not loaded."""
    asked, module = [], types.ModuleType("cancernet.training.train")

    def note(plan):
        logging.getLogger("cancernet").info("trained")
        asked.append(plan)
        return plan

    module.train = note
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return asked


def test_a_training_is_planned_as_the_script_plans_it(plans, tiny_run, monkeypatch, capsys):
    given = {"epochs": 2}
    found = cancernet.train("idc-cancernet-fast", run=str(tiny_run), data="d", **given)
    assert capsys.readouterr() == ("", "")
    command = "cancernet.train(recipe='idc-cancernet-fast', epochs=2)"
    assert found.folder == tiny_run and plans == [
        Plan(
            folder=tiny_run, data=Path("d"), config=recipe("idc-cancernet-fast").changed(given),
            recipe="idc-cancernet-fast", given=given, command=command,
        )
    ]  # fmt: skip
    told = []
    monkeypatch.setattr(
        "cancernet.commands.train.tell", lambda *plan, **how: told.append((*plan, how))
    )
    cancernet.train(run=tiny_run, progress=True)
    assert (plans[1].recipe, plans[1].data) == (DEFAULT_RECIPE, Path("datasets/idc"))
    assert told == [(plans[1], {"verbose": False})] and "trained" in "".join(capsys.readouterr())


def test_a_training_is_resumed_as_the_script_resumes_it(plans, tiny_run, monkeypatch):
    asked = []

    def plan_to_resume(*where, **how):
        asked.append((where, how))
        return SimpleNamespace(folder=tiny_run)

    monkeypatch.setattr("cancernet.planning.resume.plan_to_resume", plan_to_resume)
    monkeypatch.setattr("cancernet.planning.resume.newest_unfinished", lambda: Path("newest"))
    assert cancernet.train(resume=True, epochs=3).folder == tiny_run
    cancernet.train("busi-densenet121", resume=True, run="r", data="d")
    assert asked == [
        ((Path("newest"), None, Resume(given={"epochs": 3})), {"recipe": None}),
        ((Path("r"), Path("d"), Resume()), {"recipe": "busi-densenet121"}),
    ]


def test_a_build_is_asked_for_as_the_script_asks(monkeypatch, capsys):
    outcome = SimpleNamespace(output="o", facts="f", failed=["x"], unchanged=True)
    asked = []

    def build_and_tell(wanted):
        logging.getLogger("cancernet").info("built")
        return outcome

    monkeypatch.setattr(
        "cancernet.building.settings.prepare", lambda *g, **k: asked.append((*g, k))
    )
    monkeypatch.setattr("cancernet.building.build.build", lambda wanted: outcome)
    monkeypatch.setattr("cancernet.building.summary.describe", lambda outcome: "told")
    monkeypatch.setattr("cancernet.commands.build.build_and_tell", build_and_tell)
    found = cancernet.build(source="s")
    assert capsys.readouterr() == ("", "")
    assert (found.folder, found.facts, found.failed, found.unchanged) == ("o", "f", ["x"], True)
    assert str(found) == "told"
    cancernet.build("busi", sample=True, download=True, progress=True)
    assert "built" in "".join(capsys.readouterr())
    assert asked == [
        ({"source": Path("s")}, {"sample": False, "download": False}),
        ({"dataset": "busi"}, {"sample": True, "download": True}),
    ]


def test_unknown_settings_are_refused_before_anything_is_loaded(run):
    for call in (cancernet.train, cancernet.build):
        with pytest.raises(CancerNetError, match="there is no setting 'nonsense'"):
            call(nonsense=1)
    with pytest.raises(CancerNetError, match="did you mean epochs"):
        cancernet.train(epoch=3)
    with pytest.raises(CancerNetError, match="--epochs is 0"):
        cancernet.train(epochs=0)


def test_a_build_is_silent_unless_asked_and_the_same(built, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"source": str(built("idc").parent / "idc-original"), "validation_split": 0.25}
    data = cancernet.build("idc", **settings)
    assert capsys.readouterr() == ("", "") and not logging.getLogger("cancernet").isEnabledFor(20)
    assert data.folder == Path("datasets/idc") and not data.unchanged and data.failed == []
    assert data.facts.dataset == "idc" and str(data)
    manifests = [folder / "manifest.csv" for folder in (data.folder, built("idc"))]
    assert manifests[0].read_bytes() == manifests[1].read_bytes()
    again = cancernet.build("idc", progress=True, **settings)
    assert again.unchanged and str(again) in capsys.readouterr().out


def test_importing_it_loads_nothing():
    code = (
        "import sys, cancernet; print(sorted({'numpy', 'PIL', 'cancernet.api'} & {*sys.modules}))"
    )
    code += "; cancernet.load; print(sorted({'numpy', 'PIL', 'tensorflow'} & {*sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.splitlines() == ["[]", "[]"]
    assert {"load", "build", "train"} <= set(dir(cancernet))
