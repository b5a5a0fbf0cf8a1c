"""The way from scored images to metrics, files and text."""

import csv
import dataclasses
import json
import math

import numpy as np
import pytest
from sklearn import metrics as reference

from cancernet.base.errors import RunError
from cancernet.base.files import json_text
from cancernet.config import TrainConfig
from cancernet.measures.calls import Calls
from cancernet.measures.metrics import METRICS, ConfusionMatrix
from cancernet.measures.patients import patient_rows
from cancernet.measures.remarks import Kind, remark
from cancernet.measures.scored import Classes, Scored, positive_indices, read_scored
from cancernet.report.terminal import text_report
from cancernet.runs.metrics_file import metrics_of
from tests.helpers.evaluation_examples import assess, assessed, scored

TWO = Classes(classes=("0", "1"), words=("no IDC", "IDC"), positive=("1",))


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_metrics_follow_from_predictions_csv(tmp_path):
    *_, found = assessed()
    found.write(tmp_path / "predictions.csv")
    rows = table(tmp_path / "predictions.csv")
    columns = ["path", "patient", "label", "predicted", "probability_0", "probability_1"]
    assert list(rows[0]) == columns
    truth = np.array([row["label"] == "1" for row in rows])
    called = np.array([row["predicted"] == "1" for row in rows])
    score = np.array([float(row["probability_1"]) for row in rows])
    assert (called == (score >= found.operating_point.threshold)).all()
    tn, fp, fn, tp = reference.confusion_matrix(truth, called).ravel()
    assert found.testing.confusion_matrix == ConfusionMatrix(tn, fp, fn, tp)
    expected = {
        "accuracy": reference.accuracy_score(truth, called),
        "sensitivity": reference.recall_score(truth, called),
        "specificity": reference.recall_score(~truth, ~called),
        "precision": reference.precision_score(truth, called),
        "f1": reference.f1_score(truth, called),
        "mcc": reference.matthews_corrcoef(truth, called),
        "roc_auc": reference.roc_auc_score(truth, score),
        "pr_auc": reference.average_precision_score(truth, score),
        "brier": reference.brier_score_loss(truth, score),
    }
    for name, value in expected.items():
        assert found.testing[name] == pytest.approx(value, abs=1e-12), name
    assert found.testing["patients"] == len({row["patient"] for row in rows})


def test_predictions_are_read_back_to_the_last_bit(tmp_path):
    path = tmp_path / "predictions.csv"
    _, testing, found = assessed(classes=3)
    found.write(path)
    again, classes = read_scored(path)
    assert classes == found.classes
    assert (again.probabilities == testing.probabilities).all()
    assert (again.truth == testing.truth).all()
    assert (again.paths, again.patients) == (testing.paths, testing.patients)


def test_more_than_two_classes_predict_the_most_probable(tmp_path):
    _, testing, found = assessed(classes=4)
    found.write(tmp_path / "p.csv")
    calls = [row["predicted"] for row in table(tmp_path / "p.csv")]
    assert calls == [found.classes[index] for index in testing.probabilities.argmax(axis=1)]
    right = np.mean([row["predicted"] == row["label"] for row in table(tmp_path / "p.csv")])
    assert found.testing.per_class.accuracy == pytest.approx(right)
    malignant = testing.probabilities[:, 1] + testing.probabilities[:, 3]
    truth = np.isin(testing.truth, (1, 3))
    assert found.testing["roc_auc"] == pytest.approx(reference.roc_auc_score(truth, malignant))
    called = malignant >= found.operating_point.threshold
    assert found.testing["sensitivity"] == pytest.approx(called[truth].mean())
    assert found.testing["specificity"] == pytest.approx((~called)[~truth].mean())


def test_names_with_commas_quotes_lines_and_strange_bytes_survive(tmp_path):
    names = ['a,b "c".png', "line\nbreak.png", "größe.png", "broken\udcff.png"]
    split = Scored(
        paths=names,
        patients=["p,1", "p 2", "ü", "\udcfe"],
        truth=np.array([0, 1, 0, 1]),
        probabilities=np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]]),
    )
    found = assess(split, split, TWO, config=TrainConfig(), resamples=50)
    found.write(tmp_path / "p.csv")
    again, _ = read_scored(tmp_path / "p.csv")
    assert list(again.paths) == names
    assert again.patients == split.patients


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text("old")
    *_, found = assessed()
    broken = dataclasses.replace(found, scored={"testing": scored(1, classes=3)})
    with pytest.raises((ValueError, IndexError)):
        broken.write(path)
    assert path.read_text() == "old"
    assert [child.name for child in tmp_path.iterdir()] == ["predictions.csv"]
    found.write(path)
    assert path.read_text().startswith("path,patient,label,predicted,probability_0")


@pytest.mark.parametrize("content", ["", "path,patient\n", "nonsense", "a,b,c,d,e\n1,2,3,4,5\n"])
def test_a_foreign_table_is_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "p.csv").write_text(content)
    with pytest.raises(RunError, match="not a table of predictions"):
        read_scored(tmp_path / "p.csv")
    with pytest.raises(RunError, match="does not exist"):
        read_scored(tmp_path / "none.csv")


def test_testing_has_no_say_in_the_operating_point():
    validation = scored(1)
    points = [
        assess(validation, scored(seed), TWO, config=TrainConfig(), resamples=20).operating_point
        for seed in (2, 3)
    ]
    assert points[0] == points[1]


def test_validation_figures_are_those_the_operating_point_promised():
    *_, found = assessed(operating_rule="sensitivity", target_sensitivity=0.9)
    point = found.operating_point
    assert found.validation["sensitivity"] == point.sensitivity >= 0.9
    assert found.validation["specificity"] == point.specificity


def test_an_assessment_is_metrics_json():
    *_, found = assessed(classes=3)
    content = json.loads(json_text(metrics_of(found)))
    assert {"validation", "testing", "operating_point"} <= set(content)
    assert set(METRICS) <= set(content["testing"])
    assert content["testing"]["per_class"]["classes"].keys() == set(found.classes)
    assert set(content["intervals"]["testing"]["limits"]) == set(METRICS)


def one_class(label):
    return Scored(
        paths=["a.png", "b.png"],
        patients=["1", "2"],
        truth=np.array([label, label]),
        probabilities=np.array([[0.4, 0.6], [0.7, 0.3]]),
    )


def test_one_class_splits_are_judged_with_a_warning():
    found = assess(one_class(0), one_class(1), TWO, config=TrainConfig(), resamples=20)
    assert [(each.kind, each.values.get("only")) for each in found.remarks[:2]] == [
        (Kind.VALIDATION_OF_ONE_CLASS, "negative"),
        (Kind.TESTING_OF_ONE_CLASS, "positive"),
    ]
    assert found.operating_point.threshold == 0.5
    assert found.operating_point.is_fallback
    assert found.testing["sensitivity"] == 0.5
    assert math.isnan(found.testing["specificity"])
    assert "undefined" in text_report(found)


def test_absent_classes_are_told():
    validation, testing = scored(1, classes=3), scored(2, classes=3)
    kept = testing.truth != 2
    testing = Scored(
        paths=np.array(testing.paths)[kept],
        patients=np.array(testing.patients)[kept],
        truth=testing.truth[kept],
        probabilities=testing.probabilities[kept],
    )
    names = Classes(classes=tuple("abc"), words=tuple("abc"), positive=("b",))
    found = assess(validation, testing, names, config=TrainConfig(), resamples=20)
    assert remark(Kind.CLASSES_WITHOUT_IMAGES, names=("c",)) in found.remarks
    assert any(note.endswith("left out of the averages: c.") for note in found.warnings)
    assert found.testing.per_class.absent == ["c"]


@pytest.mark.parametrize(
    "changes",
    [{"positive": ()}, {"positive": ("0", "1")}, {"positive": ("x",)}, {"words": ("one",)}],
)
def test_classes_that_do_not_fit_are_refused(changes):
    with pytest.raises(ValueError, match=r"positive|words"):
        dataclasses.replace(TWO, **changes)


def test_wrong_number_of_classes_is_refused():
    three = Classes(classes=tuple("abc"), words=tuple("abc"), positive=("a",))
    with pytest.raises(ValueError, match="3 classes do not fit 2 probabilities"):
        three.calls_of(scored(1))


def test_lengths_that_differ_are_refused():
    good = scored(1, images=3)
    with pytest.raises(ValueError, match="paths"):
        Scored(paths=["a"], patients=["p"], truth=good.truth, probabilities=good.probabilities)
    with pytest.raises(ValueError, match="patients"):
        Scored(paths=good.paths, patients=["p"], truth=good.truth, probabilities=good.probabilities)


def test_positive_columns_come_in_class_order():
    assert positive_indices(("a", "b", "c"), ("c", "a")) == [0, 2]


def test_patients_by_hand_the_worst_first():
    rows = patient_rows(
        Calls(
            [1, 0, 0, 1, 0], [0.9, 0.2, 0.8, 0.4, 0.1], 0.5, ["good", "good", "bad", "bad", "bad"]
        )
    )
    assert [row["patient"] for row in rows] == ["bad", "good"]
    bad = rows[0]
    assert (bad["tn"], bad["fp"], bad["fn"], bad["tp"]) == (1, 1, 1, 0)
    assert bad["accuracy"] == pytest.approx(1 / 3)
    assert (bad["sensitivity"], bad["specificity"]) == (0, 0.5)
    assert bad["roc_auc"] == 0.5
    assert bad["true_share"] == pytest.approx(1 / 3)
    assert bad["called_share"] == pytest.approx(1 / 3)
    assert bad["mean_score"] == pytest.approx((0.8 + 0.4 + 0.1) / 3)
    only = patient_rows(Calls([0, 0], [0.1, 0.2], 0.5, ["a", "a"]))[0]
    assert math.isnan(only["sensitivity"])
    assert math.isnan(only["roc_auc"])


class TestText:
    def test_words_stand_with_the_right_figures(self):
        split = Scored(
            paths=[f"{k}.png" for k in range(8)],
            patients=list("aabbccdd"),
            truth=np.array([1, 1, 1, 0, 0, 0, 0, 0]),
            probabilities=np.array([[1 - p, p] for p in (0.9, 0.8, 0.3, 0.7, 0.2, 0.1, 0.4, 0.05)]),
        )
        config = TrainConfig(operating_rule="fixed", threshold=0.5)
        lines = text_report(assess(split, split, TWO, config=config, resamples=50)).splitlines()

        def line(start):
            return next(row for row in lines if row.strip().startswith(start))

        assert "0.667" in line("sensitivity (recall of IDC)")
        assert "0.800" in line("specificity (recall of no IDC)")
        assert line("truth no IDC").split() == ["truth", "no", "IDC", "4", "1"]
        assert line("truth IDC").split() == ["truth", "IDC", "1", "2"]
        assert line("no IDC").split()[2:] == ["0.800", "0.800", "0.800", "5"]
        assert line("IDC").split()[1:] == ["0.667", "0.667", "0.667", "3"]

    @pytest.mark.parametrize("classes", [2, 4])
    def test_fits_the_screen_and_names_the_rule(self, classes):
        *_, found = assessed(classes)
        report = text_report(found)
        assert max(map(len, report.splitlines())) <= 100
        assert found.operating_point.rule in report
        assert "never on testing" in report
        for word in found.words:
            assert word in report

    def test_names_what_was_not_split(self):
        *_, found = assessed(2)
        report = " ".join(text_report(found, unit="source").split())
        assert " sources; positive" in report and " sources resampled" in report
        assert "“Patient” below means a source." in report
        assert " patients resampled" in text_report(found)
        assert "What is called" not in text_report(found)
