"""`import cancernet`: predictions as values, for whatever stands for an image; nothing printed."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cancernet
from cancernet.base.errors import CancerNetError
from tests.conftest import give_context

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
    assert "<img " in found._repr_html_()


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
    assert data.folder == Path("datasets/idc") and not data.unchanged
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
