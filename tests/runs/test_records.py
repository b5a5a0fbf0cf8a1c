"""The records of a run folder beside run.json: what is written is read, what is wrong is said."""

import dataclasses
import json

import pytest

from cancernet.base.errors import RunError
from cancernet.base.records import as_json
from cancernet.dataset.notices import LeakKind
from cancernet.runs import run_folder, run_record
from cancernet.runs.metrics_file import METRICS, metrics_of, read_metrics, write_metrics
from cancernet.runs.run_record import CrossValidationRecord, FirstWeights, Fold, WholeDataset
from tests.helpers.evaluation_examples import assessed

FOLDS = CrossValidationRecord(
    status=run_record.TRAINING,
    dataset=WholeDataset(folder="datasets/idc", fingerprint="0" * 64),
    asked="2",
    folds=(
        Fold(number=1, testing=("a",), validation=("b",)),
        Fold(number=12, testing=("b",), validation=("a",)),
    ),
)


def test_the_figures_of_an_assessment_come_back(tmp_path):
    *_, found = assessed()
    metrics = metrics_of(found)
    assert metrics.warnings == found.warnings and metrics.intervals == found.intervals
    write_metrics(tmp_path, metrics)
    read = read_metrics(tmp_path)
    assert as_json(read) == as_json(metrics)
    assert (read.validation, read.testing) == (found.validation, found.testing)
    assert read.operating_point == found.operating_point
    assert read.calibration == found.calibration


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_missing_or_damaged_figures_are_refused(tmp_path, content):
    if content is not None:
        (tmp_path / METRICS).write_text(content)
    with pytest.raises(RunError, match=r"metrics\.json cannot be read"):
        read_metrics(tmp_path)


def test_a_cross_validation_comes_back_when_it_is_finished(tmp_path):
    run_folder.write_cross_validation(tmp_path, FOLDS)
    assert run_folder.read_cross_validation(tmp_path) == FOLDS
    assert [fold.name for fold in FOLDS.folds] == ["fold-01", "fold-12"]
    with pytest.raises(RunError, match=f"not finished; .* --resume --run {tmp_path}`"):
        run_folder.read_finished_folds(tmp_path)
    done = dataclasses.replace(FOLDS, status=run_record.FINISHED)
    run_folder.write_cross_validation(tmp_path, done)
    assert run_folder.read_finished_folds(tmp_path) == done


def test_a_missing_or_damaged_cross_validation_is_refused(tmp_path):
    with pytest.raises(RunError, match="holds no cross-validation"):
        run_folder.read_cross_validation(tmp_path)
    path = tmp_path / run_folder.CROSS_VALIDATION
    for content in ("{", "{}", json.dumps({**as_json(FOLDS), "folds": []})):
        path.write_text(content)
        with pytest.raises(RunError, match=r"cross_validation\.json is damaged"):
            run_folder.read_cross_validation(tmp_path)


def test_first_weights_in_words():
    assert FirstWeights(source="none").words() == "random numbers"
    weights = FirstWeights(source="w/a.h5", file="a.h5", sha256="0a1b", part="backbone")
    assert weights.words() == "a.h5 for the backbone; SHA-256 0a1b"
    weights = dataclasses.replace(weights, source="imagenet")
    assert "a.h5 for the backbone, trained on ImageNet (docs/DATASETS.md" in weights.words()


def test_facts_without_leaks_are_those_of_an_older_record():
    facts = {"drawn": False, "leak": "LEAK: all."}
    (leak,) = run_record.DatasetFacts.upgraded(facts)["leaks"]
    assert leak == {"kind": LeakKind.SENTENCE.value, "sentence": "LEAK: all."}
    assert run_record.DatasetFacts.upgraded({**facts, "leak": ""})["leaks"] == []
