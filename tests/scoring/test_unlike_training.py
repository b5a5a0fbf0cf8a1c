"""Images unlike the training images are answered with a warning, wherever an answer is read."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cancernet.base.words import UNLIKE, unlike_of
from cancernet.evaluation.evaluate_run import score_labelled
from cancernet.evaluation.labelled_images import read_labelled
from cancernet.runs import run_folder
from cancernet.scoring.distributed import score
from cancernet.scoring.in_context import PredictorInContext
from cancernet.scoring.predictor import Predictor
from cancernet.slides.scoring import find_patients, map_of_places
from tests.conftest import give_context, write_tiny_run
from tests.helpers.appearance import give_appearance
from tests.helpers.serving_examples import picture
from tests.serving.test_serving import Server

ROOT = Path(__file__).parents[2]
RED, BLUE = (200, 0, 0), (0, 0, 200)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = write_tiny_run(tmp_path_factory.mktemp("unlike") / "tiny")
    return run_folder.open_run(give_appearance(give_context(folder)))


@pytest.fixture
def patches(tmp_path):
    """Two patches of the training images' colour, and one of another between them."""
    folder = tmp_path / "8863" / "0"
    folder.mkdir(parents=True)
    for column, colour in enumerate((RED, BLUE, RED)):
        name = f"8863_idx5_x{1 + 50 * column}_y1_class0.png"
        Image.new("RGB", (50, 50), colour).save(folder / name)
    return folder


def predict(run, *arguments):
    command = [sys.executable, ROOT / "predict.py", "--run", run.folder, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)


def test_the_screen_and_json_say_it(run, patches):
    text = predict(run, patches).stdout
    assert text.count(f"warning: {UNLIKE}") == 1
    lines = [json.loads(line) for line in predict(run, patches, "--json").stdout.splitlines()]
    told = {line["path"]: line["unlike_training"] for line in lines}
    assert told == {str(path): "x51" in path.name for path in patches.iterdir()}


def test_a_table_says_it_and_counts(run, patches, tmp_path):
    done = predict(run, patches, "--csv", tmp_path / "a.csv")
    with open(tmp_path / "a.csv", newline="") as file:
        told = {row["path"]: row["unlike_training"] for row in csv.DictReader(file)}
    assert told == {str(path): str("x51" in path.name) for path in patches.iterdir()}
    assert f"warning: {unlike_of(1, 3)}" in done.stdout


def test_every_way_of_scoring_tells_the_same(run, patches):
    paths = sorted(patches.iterdir())
    ways = [
        Predictor(run).predict_many(paths),
        PredictorInContext(Predictor(run)).predict_many(paths),
        score(str(run.folder), run.record.checksum, Path.cwd(), list(map(str, paths))),
    ]
    for way in ways:
        assert [each.unlike_training for each in way] == [False, False, True]
    assert Predictor(run).predict(paths[2]).unlike_training


def test_a_run_without_a_description_does_not_tell(tiny_run, patches):
    run = run_folder.open_run(tiny_run)
    [found] = Predictor(run).predict_many([min(patches.iterdir())])
    assert found.unlike_training is None
    line, *_ = predict(run, patches, "--json").stdout.splitlines()
    assert json.loads(line)["unlike_training"] is None


def test_a_slide_counts_them(run, patches):
    places, _ = find_patients([patches])
    slide, _ = map_of_places(Predictor(run), "8863", places["8863"], side=50)
    assert slide.figures.unlike_training == 1


def test_an_evaluation_counts_them(run, patches):
    found, _ = score_labelled(read_labelled(patches.parent, run, split=None), Predictor(run))
    assert (found.unlike, len(found.paths)) == (1, 3)


def test_the_api_says_it(run):
    files = [(f"8863_idx5_x{x}_y1.png", picture(colour)) for x, colour in ((1, RED), (51, BLUE))]
    with Server(run) as server:
        [one] = [server.send("/predict", files[1]).json()]
        batch = server.send("/predict/batch", *files, field="images").json()["results"]
        slide = server.send("/slide", *files, field="patches").json()
    assert one["unlike_training"] is True
    assert [each["unlike_training"] for each in batch] == [False, True]
    assert slide["unlike_training"] == 1
    assert [each["unlike_training"] for each in slide["patches"]] == [False, True]


def test_how_many_are_unlike_in_words():
    assert unlike_of(1, 538) == "1 of 538 images (0.2 %) is unlike the training images"
    assert unlike_of(20, 1000).startswith("20 of 1,000 images (2.0 %) are")


def test_the_size_before_scaling_counts(run, tmp_path):
    Image.new("RGB", (4000, 4000), RED).save(tmp_path / "large.png")
    large = Predictor(run).prepare(tmp_path / "large.png")
    assert large.size == (4000, 4000) and np.shape(large.pixels) == (48, 48, 3)
