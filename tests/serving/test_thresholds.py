"""What validation gives at the thresholds of the page's slider, and when nobody knows."""

import dataclasses
import math
import shutil

import numpy as np
import pytest

from cancernet.measures.scored import write_scored
from cancernet.runs import run_folder
from cancernet.runs.run_folder import PREDICTIONS, VALIDATION_PREDICTIONS, open_run
from cancernet.serving.answers import ModelFacts
from cancernet.serving.service import thresholds
from tests.conftest import give_context
from tests.helpers.evaluation_examples import TABLES, finished_run, scored
from tests.serving.test_serving import Server


@pytest.fixture
def folder(tmp_path):
    return finished_run(tmp_path / "run")


def rewrite(folder, images, more=None):
    """Writes other predictions on validation, for which the run vouches."""
    predicted = np.zeros(len(images.paths), np.int64)
    path = folder / VALIDATION_PREDICTIONS
    write_scored(path, images, classes=("0", "1"), predicted=predicted, more=more)
    files = run_folder.vouch_for(folder, [run_folder.MODEL_ONNX, *TABLES])
    record = dataclasses.replace(run_folder.read_run_file(folder), files=files)
    run_folder.write_run_file(folder, record)


def test_every_threshold_has_the_shares_that_it_calls_right(folder):
    found = thresholds(open_run(folder), 0.4321)
    assert found.threshold[0] == 0 and found.threshold[-1] == 1 and 0.4321 in found.threshold
    assert found.threshold == sorted(found.threshold) and len(found.threshold) == 202
    validation = scored(2)
    score, truth = validation.probabilities[:, 1], validation.truth
    for place in (0, 40, found.threshold.index(0.4321), 201):
        called = score >= found.threshold[place]
        assert found.sensitivity[place] == pytest.approx(called[truth == 1].mean(), abs=1e-12)
        assert found.specificity[place] == pytest.approx((~called)[truth == 0].mean(), abs=1e-12)
    assert (found.images, found.patients) == (240, 12)


def test_a_score_of_the_threshold_itself_reaches_it(folder):
    images = dataclasses.replace(scored(3), probabilities=np.full((240, 2), 0.5))
    rewrite(folder, images)
    found = thresholds(open_run(folder), 0.4)
    place = found.threshold.index(0.5)
    assert found.sensitivity[place : place + 2] == [1, 0]
    assert found.specificity[place : place + 2] == [0, 1]


@pytest.mark.filterwarnings("error")
def test_of_one_class_the_other_s_share_is_not_defined(folder):
    rewrite(folder, dataclasses.replace(scored(3), truth=np.ones(240, np.int64)))
    found = thresholds(open_run(folder), 0.4)
    assert found.sensitivity[0] == 1 and all(map(math.isnan, found.specificity))
    with Server(open_run(folder)) as server:
        facts = server.client.get("/model").json()
    assert set(facts["thresholds"]["specificity"]) == {None}


def test_in_context_the_scores_in_context_count(folder):
    alone, context = scored(2), scored(5)
    table = dataclasses.replace(context, truth=alone.truth)
    columns = [list(map(repr, column)) for column in alone.probabilities.T.tolist()]
    more = dict(zip(("alone_probability_0", "alone_probability_1"), columns, strict=True))
    rewrite(folder, table, {"neighbours": [8] * 240, **more})
    run = open_run(give_context(folder))
    with Server(run) as server:
        facts = ModelFacts.model_validate(server.client.get("/model").json())
    assert facts.thresholds == thresholds(run, run.threshold)
    positive = alone.truth == 1
    for found, images in ((facts.thresholds, alone), (facts.context.thresholds, context)):
        share = (images.probabilities[positive, 1] >= 0.5).mean()
        assert found.sensitivity[found.threshold.index(0.5)] == pytest.approx(share)


def test_without_a_sound_table_nobody_knows(folder):
    run = open_run(folder)
    shutil.copy(folder / PREDICTIONS, folder / VALIDATION_PREDICTIONS)
    assert thresholds(run, run.threshold) is None  # altered
    (folder / VALIDATION_PREDICTIONS).unlink()
    with Server(run) as server:
        assert "thresholds" not in server.client.get("/model").json()


@pytest.mark.parametrize("name", ["idc", "busi", "ultrasound", "mammography", "mammography-csv"])
def test_the_example_images_are_of_the_kind_that_the_run_judges(folder, name):
    record = run_folder.read_run_file(folder)
    record = dataclasses.replace(record, dataset=dataclasses.replace(record.dataset, name=name))
    run_folder.write_run_file(folder, record)
    with Server(open_run(folder)) as server:
        examples = server.client.get("/model").json()["examples"]
        assert len(examples) == 2
        for address in examples:
            assert address.startswith(f"/page/examples/{name.removesuffix('-csv')}-drawn-")
            content = server.client.get(address).content
            assert b"not a photograph" in content  # its metadata say that it was drawn
            assert server.client.post("/predict", files={"image": content}).status_code == 200
