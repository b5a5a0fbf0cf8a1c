"""Folds of whole patients: planned, trained, stopped, resumed, pooled."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from cancernet.base.errors import CancerNetError, RunError, SplitError, StoppedError
from cancernet.commands import cross_validate
from cancernet.config import TrainConfig
from cancernet.cross_validation.plan import fold_dataset, joined, plan_folds
from cancernet.cross_validation.pool import explained
from cancernet.dataset.manifest import read_dataset
from cancernet.dataset.notices import Leak, LeakKind, Notice, NoticeKind
from cancernet.evaluation.compare_runs import compare_sides, read_side
from cancernet.measures.calls import Calls
from cancernet.measures.decisions import Rule
from cancernet.measures.operating_point import choose_operating_point
from cancernet.measures.remarks import Kind, remark
from cancernet.measures.scored import Scored, write_scored
from cancernet.planning.begin import open_dataset
from cancernet.planning.plan import Plan, Resume, Training
from cancernet.runs.run_folder import (
    read_cross_validation,
    read_run_file,
    vouch_for,
    write_run_file,
)
from cancernet.runs.run_record import FINISHED, ContextRecord
from cancernet.training import train as training
from cancernet.training.network import FirstWeights
from cancernet.training.train import opened
from tests.helpers.evaluation_examples import assessed
from tests.helpers.strict_json import check_json_files


@pytest.fixture(scope="module")
def drawn(built):
    return read_dataset(built("idc"))


def third_class_of(part, patient):
    return dataclasses.replace(
        part, labels=np.where(np.array(part.patients) == patient, 2, part.labels)
    )


class TestPlan:
    @pytest.mark.parametrize("folds", ["2", "4"])
    def test_every_patient_is_tested_once_and_never_trained_on_then(self, drawn, folds):
        found = plan_folds(drawn, folds, seed=7)
        patients = sorted(set(joined(drawn).patients))
        assert sorted(name for fold in found for name in fold.testing) == patients
        for fold in found:
            data = fold_dataset(drawn, fold)
            sets = [set(data.split(name).patients) for name in data.parts]
            assert not sets[0] & sets[1] and not sets[0] & sets[2] and not sets[1] & sets[2]
            assert sum(len(part.paths) for part in data.parts.values()) == sum(
                len(part.paths) for part in drawn.parts.values()
            )
            for part in data.parts.values():
                assert set(part.labels.tolist()) == {0, 1}
                for path, label in zip(part.paths, part.labels, strict=True):
                    assert path.split("/")[1] == drawn.classes[label]

    def test_one_after_the_other_and_some_of_them(self, drawn):
        patients = sorted(set(joined(drawn).patients))
        for folds in ("patients", str(len(patients))):
            assert [f.testing for f in plan_folds(drawn, folds, seed=7)] == [
                (name,) for name in patients
            ]
        some = plan_folds(drawn, "patients", only=patients[2:4], seed=7)
        assert [fold.testing for fold in some] == [(patients[2],), (patients[3],)]

    def test_the_same_seed_the_same_folds(self, drawn):
        assert plan_folds(drawn, "3", seed=1) == plan_folds(drawn, "3", seed=1)
        one, other = (fold_dataset(drawn, fold) for fold in plan_folds(drawn, "2", seed=1))
        assert one.fingerprint != other.fingerprint != drawn.fingerprint

    def test_a_shuffled_split_no_longer_leaks(self, drawn):
        patients = [Leak(kind=kind, count=3, total=9) for kind in LeakKind if kind.of_units]
        leaking = dataclasses.replace(drawn, leaks=tuple(patients))
        fold = plan_folds(leaking, "2", seed=7)[0]
        assert len(patients) == 3 and fold_dataset(leaking, fold).leaks == ()
        copies = Leak(kind=LeakKind.COPIES, count=9, total=10, examples=("a",))
        masks = Leak(kind=LeakKind.MASKS, unit="image", count=4, total=9)
        old = Leak(kind=LeakKind.SENTENCE, sentence="LEAK: near duplicates")
        both = dataclasses.replace(leaking, leaks=(*patients, copies, masks, old))
        assert fold_dataset(both, fold).leaks == (copies, masks, old)

    @pytest.mark.parametrize("folds", ["3", "patients"])
    def test_the_only_patient_of_a_class_trains_in_every_fold(self, drawn, folds):
        lone = joined(drawn).patients[0]
        parts = {name: third_class_of(part, lone) for name, part in drawn.parts.items()}
        classes = (*drawn.classes, "2")
        three = dataclasses.replace(drawn, parts=parts, classes=classes, words=classes)
        found = plan_folds(three, folds, seed=7)
        everyone = set(joined(three).patients)
        assert {name for fold in found for name in fold.testing} == everyone - {lone}
        for fold in found:
            data = fold_dataset(three, fold)
            assert lone in data.split("training").patients
            [notice] = [one for one in data.notices if one.kind.of_splits]
            assert notice == Notice(
                kind=NoticeKind.FEW_UNITS,
                classes=("2",),
                count=1,
                unit="patient",
                splits=("training",),
            )
        one, two = (
            remark(Kind.CLASSES_WITHOUT_IMAGES, names=each) for each in (("2",), ("0", "2"))
        )
        reason = remark(Kind.CLASSES_OF_ONE_PATIENT, names=("2",), unit="patient")
        pooled = dataclasses.replace(assessed()[2], remarks=(one, two))
        assert explained(pooled, three).remarks == (reason, two)
        with pytest.raises(SplitError, match="fold 1 tests, a class has 0 patients"):
            plan_folds(three, "patients", only=[lone], seed=7)

    @pytest.mark.parametrize(
        ("folds", "only", "words"),
        [
            ("1", (), "number from 2"),
            ("99", (), "number from 2"),
            ("five", (), "number from 2"),
            ("2", ("x",), "--folds patients"),
            ("patients", ("nobody",), "no patient nobody"),
        ],
    )
    def test_folds_that_cannot_be(self, drawn, folds, only, words):
        with pytest.raises(SplitError, match=words):
            plan_folds(drawn, folds, only=only, seed=7)


def train_without_a_network(plan, **_):
    """Leaves what a training leaves, with drawn scores; the training itself is tested elsewhere."""
    own = open_dataset(plan.data, plan.config)
    with opened(
        plan, Training(plan.folder, own, plan.config), FirstWeights(source="none")
    ) as begun:
        if plan.command == "stop":
            raise StoppedError("stopped")
        write_a_run(plan.folder, own, begun)


def write_a_run(place, own, begun):
    generator = np.random.default_rng(len(own.split("testing").paths))
    for name, split in (("predictions", "testing"), ("validation_predictions", "validation")):
        part = own.split(split)
        odds = generator.normal(2 * part.labels - 1, 1)
        score = 1 / (1 + np.exp(-odds))
        images = Scored(
            paths=part.paths,
            patients=part.patients,
            truth=part.labels,
            probabilities=np.stack([1 - score, score], axis=1),
        )
        called = (score >= 0.4).astype(int)
        write_scored(place / f"{name}.csv", images, classes=own.classes, predicted=called)
    point = choose_operating_point(Calls(part.labels, score), Rule("fixed", threshold=0.4))
    files = vouch_for(place, ["predictions.csv", "validation_predictions.csv"])
    assert list(read_run_file(place).fold.testing) == sorted(set(own.split("testing").patients))
    context = ContextRecord(
        gain=begun.fold.number, offset=0.1, slides=4, trained_on=3, side=50, operating_point=point
    )
    record = dataclasses.replace(
        begun, status=FINISHED, operating_point=point, context=context, files=files
    )
    write_run_file(place, record)


def test_too_small_a_limit_is_refused_before_there_is_a_folder(drawn, tmp_path):
    config = TrainConfig(image_size=16, limit=1)
    plan = Plan(folder=tmp_path / "x", data=drawn.folder, config=config, recipe="r")
    with pytest.raises(CancerNetError, match="--limit 1 is fewer images than the 2 classes"):
        cross_validate.start_folds(plan, "2")
    assert not (tmp_path / "x").exists()


@pytest.mark.usefixtures("undrawn")
def test_folds_are_trained_stopped_resumed_and_pooled(drawn, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "folds"
    config = TrainConfig(epochs=1, image_size=16)
    trained = []

    def counted(plan, **_):
        trained.append(plan.folder.name)
        stops = trained == ["fold-01", "fold-02"]
        train_without_a_network(dataclasses.replace(plan, command="stop") if stops else plan)

    monkeypatch.setattr(training, "train", counted)
    plan = Plan(folder=folder, data=drawn.folder, config=config, recipe="r", command="python x")
    with pytest.raises(StoppedError, match=r"fold 2 of 2.*--resume --run"):
        cross_validate.start_folds(plan, "2")
    assert read_run_file(folder / "fold-01").is_finished
    assert read_cross_validation(folder).status == "training"
    with pytest.raises(RunError, match="--epochs"):
        cross_validate.resume_folds(folder, None, Resume(given={"epochs": 9}), workers=1)
    with pytest.raises(RunError, match="began with --folds 2, not 5"):
        cross_validate.resume_folds(folder, None, Resume(), asked="5", workers=1)
    with pytest.raises(RunError, match="began with --recipe r, not other"):
        cross_validate.resume_folds(folder, None, Resume(), recipe="other", workers=1)
    cross_validate.resume_folds(folder, None, Resume(), workers=1, verbose=True)
    assert trained == ["fold-01", "fold-02", "fold-02"]
    with pytest.raises(RunError, match="finished"):
        cross_validate.resume_folds(folder, None, Resume(), workers=1)
    with open(folder / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    every = [path for part in drawn.parts.values() for path in part.paths]
    assert sorted(row["path"] for row in rows) == sorted(every)
    assert check_json_files(folder) == {"cross_validation.json", "metrics.json", "run.json"}
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["testing"]["patients"] == 8 and len(metrics["folds"]) == 2
    page = (folder / "report.html").read_text()
    for words in ("Folds", "tested patients", "each fold", "Drawn data", "pooled"):
        assert words in page, words
    alone = metrics["alone"]
    for way in (metrics, alone):
        assert [fold["name"] for fold in way["folds"]] == ["fold-01", "fold-02"]
    assert sum(row["images"] for row in metrics["by_neighbours"]) == len(rows)
    assert {"neighbours", "alone_predicted", "alone_probability_1"} <= rows[0].keys()
    for words in ("Fold by fold: each patch alone", "gain 1.00 to 2.00",
                  "of all 8, the fold&#39;s network was trained on 6"):  # fmt: skip
        assert words in page, words
    side = read_side(folder)
    own, figures = side.scores.figures(), side.alone.figures()
    for name in ("roc_auc", "sensitivity", "brier"):
        assert metrics["testing"][name] == pytest.approx(own[name])
        assert alone["testing"][name] == pytest.approx(figures[name])
        assert metrics["difference"][name] == pytest.approx(own[name] - figures[name])
    turned = np.arange(len(side.testing.paths))[::-1]
    thresholds = np.where(side.scores.threshold()[turned] > 0, 0.7, np.nan)
    scores = dataclasses.replace(
        side.scores,
        scored={"testing": side.testing[turned]},
        thresholds={"testing": thresholds},
    )
    other = dataclasses.replace(side, scores=scores)
    found = compare_sides(side, other).own
    assert found.first["accuracy"] == pytest.approx(metrics["testing"]["accuracy"])
    assert found.difference["sensitivity"] < 0 < found.difference["specificity"]
    out = capsys.readouterr().out
    assert "Fold by fold, each patch alone" in out and "mean AUC over the 2 folds" in out
    assert f"Folds            {folder}/fold-01 to fold-02, a run each" in out
    with pytest.raises(RunError, match="name one of its folds"):
        read_run_file(folder)
