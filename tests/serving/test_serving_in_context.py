"""The API of a run that judges patches in context: batches, slide maps, and what is absent."""

import io

import numpy as np
import pytest
from PIL import Image

from cancernet.context.judge import places_of
from cancernet.runs import run_folder
from cancernet.scoring.predictor import Predictor
from cancernet.serving.answers import Batch, ModelFacts, SlideMap
from tests.conftest import give_context, write_tiny_run
from tests.helpers.serving_examples import picture
from tests.serving.test_serving import Server

IN_CONTEXT = {"neighbours", "alone_probability", "alone_probabilities"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = write_tiny_run(tmp_path_factory.mktemp("in-context") / "tiny")
    return run_folder.open_run(give_context(folder))


@pytest.fixture(scope="module")
def server(run):
    with Server(run) as server:
        yield server


@pytest.fixture(scope="module")
def patches():
    """Names and contents: two patients with equal places, a lone patch, one without a place."""
    random = np.random.default_rng(9)
    files = []
    for patient in ("8863", "9000"):
        for x, y in [(x, y) for y in (1, 51, 101) for x in (1, 51, 101)]:
            blue = int(random.integers(40, 160))
            files.append((f"{patient}_idx5_x{x}_y{y}_class0.png", picture((200 - blue, 0, blue))))
    files.append(("8863_idx5_x2001_y2001_class1.png", picture((95, 0, 105))))
    files.append(("plain.png", picture((95, 0, 105))))
    return [files[row] for row in random.permutation(len(files))]


@pytest.fixture(scope="module")
def expected(run, patches):
    """Name -> probability alone, probability in context, neighbours, whether alone."""
    predictor = Predictor(run)
    alone = np.array([predictor.predict(content).positive_probability for _, content in patches])
    names = [name for name, _ in patches]
    context = run.record.context
    judged = context.judge(alone, places_of(names, [name[:4] for name in names], context.side))
    columns = (alone, judged.probability, judged.neighbours, judged.alone)
    return dict(zip(names, zip(*(c.tolist() for c in columns), strict=True), strict=True))


def check(answer: dict, probability: float, positive_probability: float, expected: tuple) -> None:
    alone, in_context, neighbours, is_alone = expected
    assert probability == pytest.approx(positive_probability, abs=1e-12)
    assert probability == pytest.approx(in_context, abs=1e-6)
    if is_alone:
        assert probability == alone and not IN_CONTEXT & answer.keys()
    else:
        assert answer["neighbours"] == neighbours
        found = answer.get("alone_probability") or answer["alone_probabilities"]["1"]
        assert found == pytest.approx(alone, abs=1e-6)


def test_a_batch_is_judged_among_the_patches_of_each_patient(server, patches, expected):
    answer = server.send("/predict/batch", *patches, field="images").json()
    Batch.model_validate(answer)
    for found, (name, _) in zip(answer["results"], patches, strict=True):
        check(found, found["positive_probability"], found["probabilities"]["1"], expected[name])
        point = 0.4 if expected[name][3] else 0.6
        assert found["name"] == name and found["operating_point"] == point
        assert found["positive"] == (found["positive_probability"] >= point)
        assert found["label"] == str(int(found["positive"]))
        assert found["probability"] == found["probabilities"][found["label"]]
        assert sum(found["probabilities"].values()) == pytest.approx(1)
    neighbours = [found.get("neighbours") for found in answer["results"]]
    assert neighbours.count(8) == 2 and neighbours.count(None) == 2


def test_what_cannot_be_read_is_nobody_s_neighbour(server, patches):
    middle = "8863_idx5_x51_y51_class0.png"
    damaged = [(name, b"x" if name == middle else content) for name, content in patches]
    results = server.send("/predict/batch", *damaged, field="images").json()["results"]
    by_name = {found["name"]: found for found in results}
    assert "error" in by_name[middle]
    assert by_name["8863_idx5_x1_y1_class0.png"]["neighbours"] == 2
    assert by_name["9000_idx5_x1_y1_class0.png"]["neighbours"] == 3


def test_one_upload_is_alone_whatever_its_name(server, patches, expected):
    name, content = patches[0]
    answer = server.send("/predict", (name, content)).json()
    assert answer["positive_probability"] == pytest.approx(expected[name][0], abs=1e-6)
    assert answer["operating_point"] == 0.4 and not IN_CONTEXT & answer.keys()


def test_a_slide_is_judged_in_context_and_has_the_map_alone_beside_it(server, patches, expected):
    own = [file for file in patches if file[0].startswith("8863")]
    answer = server.send("/slide", *own, field="patches").json()
    found = SlideMap.model_validate(answer)
    for patch in answer["patches"]:
        check(patch, patch["probability"], patch["probability"], expected[patch["name"]])
    assert found.operating_point == 0.6 and found.alone.operating_point == 0.4
    called = [patch for patch in found.patches if patch.positive]
    assert found.positive_patches == len(called)
    assert found.area_fraction == pytest.approx(len(called) / len(own))
    assert any(patch.neighbours is None for patch in called)  # the lone one, at its own point
    alone = [expected[name][0] for name, _ in own]
    assert found.alone.positive_patches == sum(value >= 0.4 for value in alone)
    assert found.alone.score == pytest.approx(np.mean(alone), abs=1e-6)
    assert found.alone.geojson["features"] != found.geojson["features"]


def test_the_model_says_how_it_judges_in_context(server, run, tmp_path):
    facts = ModelFacts.model_validate(server.client.get("/model").json())
    assert (facts.context.operating_point, facts.context.side) == (0.6, 50)
    assert facts.operating_point == 0.4
    plain = run_folder.open_run(write_tiny_run(tmp_path / "plain"))
    with Server(plain) as other:
        assert "context" not in other.client.get("/model").json()


def test_without_a_context_nothing_of_it_is_said(tmp_path, patches):
    run = run_folder.open_run(write_tiny_run(tmp_path / "plain"))
    own = [file for file in patches if file[0].startswith("8863")]
    with Server(run) as server:
        results = server.send("/predict/batch", *own, field="images").json()["results"]
        slide = server.send("/slide", *own, field="patches").json()
    assert "alone" not in slide and slide["operating_point"] == 0.4
    for answer in (*results, *slide["patches"]):
        assert not IN_CONTEXT & answer.keys()


def test_the_description_has_what_may_be_absent(server):
    schemas = server.client.get("/openapi.json").json()["components"]["schemas"]
    for name, of in (("Named", "alone_probabilities"), ("Patch", "alone_probability")):
        assert schemas[name]["properties"].keys() & IN_CONTEXT == {"neighbours", of}
        assert not IN_CONTEXT & set(schemas[name]["required"])
        assert "alone" in schemas[name]["properties"]["neighbours"]["description"]
    assert not IN_CONTEXT & schemas["One"]["properties"].keys()
    assert "alone" in schemas["SlideMap"]["properties"]
    assert "alone" not in schemas["SlideMap"]["required"]
    assert "context" not in schemas["ModelFacts"]["required"]


def test_a_large_request_is_judged_as_a_small_one(server):
    """A thousand patches in one request: places, not the order of uploads, decide."""
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (90, 0, 110)).save(file, "PNG")
    places = [(50 * x, 50 * y) for x in range(32) for y in range(32)]
    files = [(f"a_idx5_x{x}_y{y}.png", file.getvalue()) for x, y in places]
    results = server.send("/predict/batch", *files, field="images").json()["results"]
    counts = np.unique([found["neighbours"] for found in results], return_counts=True)
    assert dict(zip(*(c.tolist() for c in counts), strict=True)) == {3: 4, 5: 120, 8: 900}
