"""The Streamlit page, run by Streamlit's own test harness."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest

from cancernet.base.words import NAMED_LIKE_MASK
from cancernet.dataset.notices import Leak, LeakKind
from cancernet.runs import run_folder
from tests.conftest import give_context, give_three_classes, write_tiny_run
from tests.helpers.serving_examples import BLUE, noisy, picture

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_tiny_run(tmp_path_factory.mktemp("streamlit") / "tiny")


@pytest.fixture(autouse=True)
def no_components(monkeypatch):
    """The page has none of its own; to look for them in every installed package takes a second."""
    monkeypatch.setattr(
        BidiComponentManager, "discover_and_register_components", lambda *_, **__: None
    )


@pytest.fixture
def app(run, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["app.py", "--run", str(run)])
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not app.exception
    return app


def upload(app, *files):
    app.file_uploader[0].set_value([(name, content, "image/png") for name, content in files])
    app.run()
    assert not app.exception


def test_the_notice_and_the_uploader_are_there_at_once(app):
    assert "not for diagnosis" in app.warning[0].value
    assert app.title[0].value == "CancerNet" and len(app.file_uploader) == 1
    assert "drawn" in app.warning[1].value


def test_a_leak_is_said(tmp_path, monkeypatch):
    run = write_tiny_run(tmp_path / "leaky")
    record = run_folder.read_run_file(run)
    dataset = dataclasses.replace(
        record.dataset, leaks=(Leak(kind=LeakKind.SENTENCE, sentence="patients on both sides"),)
    )
    run_folder.write_run_file(run, dataclasses.replace(record, dataset=dataset))
    monkeypatch.setattr(sys, "argv", ["app.py", "--run", str(run)])
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert app.warning[-1].value == "The splits of its data leak: patients on both sides"


def test_class_probability_and_heat_map(app):
    upload(app, ("blue.png", picture(BLUE)), ("noisy.png", noisy("PNG")))
    assert [metric.value for metric in app.metric] == ["IDC", "IDC"]
    pictures = len(app.get("image"))
    assert pictures == 2
    app.toggle[1].set_value(True).run()
    assert not app.exception and len(app.get("image")) == pictures + 1


def test_of_more_than_two_classes_the_call_comes_first(tmp_path, monkeypatch):
    run = give_three_classes(write_tiny_run(tmp_path / "three"))
    monkeypatch.setattr(sys, "argv", ["app.py", "--run", str(run)])
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    upload(app, ("blue.png", picture(BLUE)))
    assert [metric.value for metric in app.metric] == ["positive"]
    [said] = [each.value for each in app.caption if "Most probable" in each.value]
    assert "although the call is positive" in said


def test_patches_of_one_patient_are_judged_together(tmp_path, monkeypatch):
    run = give_context(write_tiny_run(tmp_path / "tiny"))
    monkeypatch.setattr(sys, "argv", ["app.py", "--run", str(run)])
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert any("are judged together" in caption.value for caption in app.caption)
    files = [
        (f"8863_idx5_x{x}_y{y}_class0.png", picture((95 + y, 0, 105)))
        for x in (1, 51)
        for y in (1, 51)
    ]
    upload(app, *files, ("bad.png", b"x"), ("plain.png", picture(BLUE)))
    said = [caption.value for caption in app.caption]
    assert sum("Judged with 3 of 8 neighbours; alone: probability 0." in line for line in said) == 4
    assert sum(line.startswith("Alone: ") for line in said) == 1
    assert app.error[0].value.startswith("bad.png: ") and len(app.metric) == 5


def test_a_bad_image_is_named_and_the_rest_shown(app):
    upload(app, ("bad.png", b"no image"), ("good_mask.png", picture()))
    assert app.error[0].value.startswith("bad.png: this is not a PNG")
    assert len(app.metric) == 1
    assert app.warning[-1].value == f"This image is {NAMED_LIKE_MASK}."


def test_without_a_run_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["app.py", "--run", str(tmp_path / "none")])
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not app.exception and "python train_model.py" in app.error[0].value


def test_python_says_how_to_start_it():
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "streamlit run app.py" in done.stderr
