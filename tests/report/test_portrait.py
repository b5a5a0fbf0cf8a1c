"""What the report shows of data and network: numbers first, then that the pictures stand."""

import base64
import dataclasses

import numpy as np
import pytest

from cancernet.base.words import joined
from cancernet.report.figures import drawings
from cancernet.report.figures.classes import factor_counts
from cancernet.report.figures.images import MOST_BOXES, boxes_of
from cancernet.report.page import report_page as page
from cancernet.report.page import write_report
from cancernet.report.portrait import Example, KernelViews, Layer, Portrait, SplitFigures
from tests.helpers.evaluation_examples import NAMES, report_content


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
@pytest.mark.usefixtures("undrawn")  # the next test draws
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
    # One unit for every accuracy, and one sentence on why they differ.
    others = ["the curves of the training", "“Loss and accuracy by split”", "“Class by class”"]
    told = f"{joined(others[: 3 if classes == 4 else 2])} it is the share whose most probable"
    assert "<td>0.800</td>" in html and f"in\n{told}" in html
    bare = page(dataclasses.replace(content, portrait=None))
    assert "Class by class" in bare
    assert "Right and wrong" not in bare and "<h2>Network</h2>" not in bare


def test_the_folder_has_every_figure(tmp_path, monkeypatch):
    figure_files = drawings.figure_files

    def files(figure, name, kinds):
        if "svg" not in kinds:
            return figure_files(figure, name, kinds)
        return {f"{name}.svg": f"<svg>{name}</svg>".encode()}

    monkeypatch.setattr(drawings, "figure_files", files)
    history = {"loss": [1.0], "precision": [0.5]}
    content = report_content(4, portrait=portrait(4), history=history)
    write_report(content, tmp_path)
    folder = tmp_path / "figures"
    assert {path.name for path in folder.iterdir()} == {
        "class_counts.svg", "samples.png", "network.svg", "examples.png", "factors.svg",
        "kernels.png", "classes.svg", "confusion_matrix_folded.svg", "history_measures.svg",
        "plot.svg", "confusion_matrix.svg", "roc.svg", "precision_recall.svg", "calibration.svg",
        "decision_curve.svg", "history.svg", "classes.csv", "splits.csv", "network.txt",
        "summary.svg",
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
