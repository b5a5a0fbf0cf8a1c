"""What the report shows of data and network: numbers first, then that the pictures stand."""

import base64
import dataclasses
import math

import numpy as np
import pytest
from sklearn import metrics as reference

from cancernet.measures.class_measures import class_table, epoch_measures, fold, overall_accuracy
from cancernet.report.figures import drawings
from cancernet.report.figures.classes import factor_counts
from cancernet.report.figures.network import MOST_BOXES, boxes_of
from cancernet.report.page import report_page as page
from cancernet.report.page import write_report
from cancernet.report.portrait import Example, KernelViews, Layer, Portrait, SplitFigures
from tests.helpers.evaluation_examples import NAMES, report_content


def drawn_truth(classes=4, images=300, seed=3):
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, images)
    called = np.where(random.random(images) < 0.6, truth, random.integers(0, classes, images))
    return truth, called


def test_class_rows_are_scikit_learns():
    truth, called = drawn_truth()
    table = class_table(reference.confusion_matrix(truth, called), NAMES)
    precision, recall, f1, support = reference.precision_recall_fscore_support(truth, called)
    for index, row in enumerate(table.classes):
        found = (row.precision, row.recall, row.f1, row.support)
        assert found == pytest.approx((precision[index], recall[index], f1[index], support[index]))
        assert row.accuracy == pytest.approx(np.mean((truth == index) == (called == index)))
    for row, average in zip(table.means, ("macro", "weighted"), strict=True):
        expected = reference.precision_recall_fscore_support(truth, called, average=average)
        assert (row.precision, row.recall, row.f1) == pytest.approx(expected[:3])
        assert row.name == f"{average} mean" and math.isnan(row.accuracy)


def test_what_is_undefined_is_nan_and_left_out_of_the_mean():
    found = class_table([[3, 1, 1], [0, 0, 0], [0, 0, 4]], "abc")
    rows = found.classes
    # Called once, but there are none of it: not judged, and no 0 in the mean.
    assert math.isnan(rows[1].precision) and math.isnan(rows[1].recall)
    assert found.macro.precision == pytest.approx((1 + 0.8) / 2)
    assert rows[1].support == 0
    assert found.macro.recall == pytest.approx((0.6 + 1) / 2)


def test_folded_one_benign_class_called_another_is_no_error():
    table = np.zeros((4, 4), int)
    table[0, 2] = 5  # benign called another benign
    table[1, 3] = 7  # malignant called another malignant
    table[0, 1] = 1  # benign called malignant
    table[3, 2] = 2  # malignant called benign
    assert fold(table, [1, 3]).tolist() == [[5, 1], [2, 7]]
    assert overall_accuracy(table) == 0 and overall_accuracy(fold(table, [1, 3])) == 12 / 15
    truth, called = drawn_truth()
    sides = fold(reference.confusion_matrix(truth, called), [1, 3])
    expected = reference.confusion_matrix(np.isin(truth, [1, 3]), np.isin(called, [1, 3]))
    assert np.array_equal(sides, expected)


def test_epoch_measures_of_two_classes_are_the_positive_ones():
    table = [[8, 2], [1, 3]]
    assert epoch_measures(table, [1]) == pytest.approx(
        {"precision": 3 / 5, "recall": 3 / 4, "f1": 6 / 9}
    )
    assert epoch_measures(table, [0])["recall"] == pytest.approx(0.8)
    several = epoch_measures(np.diag([1, 2, 3]), [2])
    assert several == {"precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_factors_add_up_by_what_the_names_say():
    names = ["Density1Benign", "Density1Malignant", "Density2Benign"]
    assert factor_counts(names, ["Density1Malignant"], [3, 4, 5]) == {
        "target": {"negative": 8, "positive": 4},
        "density": {"density 1": 7, "density 2": 5},
    }
    assert factor_counts(["0", "1"], ["1"], [3, 4]) == {}
    assert set(factor_counts(["benign", "malignant", "normal"], ["malignant"], [1, 2, 3])) == {
        "target"
    }


def layer(kind, output, parameters=0):
    return Layer(
        name=kind, kind=kind, output=output, parameters=parameters, trainable=parameters,
        derivation=str(parameters),
    )  # fmt: skip


def test_boxes_lose_no_parameter_and_large_networks_become_stages():
    small = [
        layer("InputLayer", (8, 8, 3)), layer("Conv2D", (8, 8, 4), 112),
        layer("BatchNormalization", (8, 8, 4), 16), layer("Activation", (8, 8, 4)),
        layer("MaxPooling2D", (4, 4, 4)), layer("Flatten", (64,)), layer("Dense", (2,), 130),
    ]  # fmt: skip
    boxes = boxes_of(small)
    assert [box.kinds for box in boxes][1] == "Conv2D + BatchNormalization + Activation"
    assert sum(box.parameters for box in boxes) == 258 and boxes[1].shape == "8×8×4"
    large = [layer("Conv2D", (64 >> (n // 30), 64 >> (n // 30), n), n) for n in range(120)]
    stages = boxes_of(large)
    assert len(stages) == 4 <= MOST_BOXES and stages[0].kinds.startswith("30 layers: 30 Conv2D")
    assert sum(box.parameters for box in stages) == sum(range(120))


def portrait(classes):
    pixels = np.zeros((6, 8, 3), np.uint8)
    counts = {split: [3] * classes for split in ("training", "validation", "testing")}
    example = Example(pixels=pixels, truth="a", predicted="<b>", probability=0.7, right=False)
    kernels = KernelViews(
        used="mean",
        original=pixels,
        filtered={"mean": np.full((6, 8, 3), -3.0, np.float32)},
        stretched={"mean": np.zeros((6, 8, 3), np.float32)},
        coefficients={"mean": np.full((3, 3), 1 / 9, np.float32)},
    )
    return Portrait(
        counts=counts,
        samples={name: [pixels] for name in NAMES[:classes]},
        layers=[layer("Conv2D", (8, 8, 4), 112)],
        summary="a network\n",
        splits=[SplitFigures(split="training", images=5, of=9, loss=0.25, accuracy=0.8)],
        examples=[example],
        wrong=1,
        kernels=kernels,
    )


@pytest.mark.parametrize("classes", [2, 4])
def test_the_page_has_every_section(classes):
    history = {"loss": [1.0], "precision": [0.5], "val_precision": [float("nan")]}
    content = report_content(classes, portrait=portrait(classes), history=history)
    html = page(content)
    for words in ("Images by class", "Class by class", "Loss and accuracy by split", "Network",
                  "Right and wrong", "What the kernels do", "measure by measure",
                  "5 of 9, at random", "macro mean", "weighted mean"):  # fmt: skip
        assert words in html, words
    assert ("Folded to two sides" in html) == (classes == 4)
    assert "<b>" not in html.split("Right and wrong")[1][:200]
    bare = page(dataclasses.replace(content, portrait=None))
    assert "Class by class" in bare
    assert "Right and wrong" not in bare and "<h2>Network</h2>" not in bare


def test_the_folder_has_every_figure(tmp_path, monkeypatch):
    def save(figure, path):
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(".svg").write_text(f"<svg>{path.stem}</svg>")

    monkeypatch.setattr(drawings, "save_figure", save)
    history = {"loss": [1.0], "precision": [0.5]}
    content = report_content(4, portrait=portrait(4), history=history)
    write_report(content, tmp_path)
    folder = tmp_path / "figures"
    assert {path.name for path in folder.iterdir()} == {
        "class_counts.svg", "samples.png", "network.svg", "examples.png", "factors.svg",
        "kernels.png", "classes.svg", "confusion_matrix_folded.svg", "history_measures.svg",
        "plot.svg", "confusion_matrix.svg", "roc.svg", "precision_recall.svg", "calibration.svg",
        "decision_curve.svg", "history.svg", "classes.csv", "splits.csv", "network.txt",
    }  # fmt: skip
    assert (folder / "samples.png").read_bytes().startswith(b"\x89PNG")
    # What was drawn for the folder is not drawn again for the page.
    shown = (tmp_path / "report.html").read_text()
    assert base64.b64encode(b"<svg>network</svg>").decode() in shown
    rows = (folder / "classes.csv").read_text().splitlines()
    assert rows[0] == "table,name,accuracy,precision,recall,f1,support"
    assert sum(row.startswith("Folded") for row in rows) == 4
    assert (folder / "network.txt").read_text() == "a network\n"
    assert "training,5,9,0.25,0.8" in (folder / "splits.csv").read_text()
