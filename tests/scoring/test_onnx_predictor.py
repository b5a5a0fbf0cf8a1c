"""ONNX files of others: channels last or first, prepared as described, held to the classes."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from cancernet.base.errors import CancerNetError, RunError
from cancernet.commands import evaluate, predict
from cancernet.scoring.described import ModelDescription
from cancernet.scoring.other_models import open_onnx_model
from cancernet.scoring.prediction import Failure

SAID = ModelDescription(dataset="ultrasound", preprocessing="unit")
WEIGHTS = np.array([[3.0, -3.0], [0.5, 1.0], [-2.0, 2.0]], np.float32)


def write_model(path: Path, sides=(6, 4), *, first=False, last="Softmax", images="n", channels=3):
    """Mean of each channel, a matrix, and a last layer."""
    shape = [images, channels, *sides] if first else [images, *sides, channels]
    axes = [2, 3] if first else [1, 2]
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
            helper.make_node(last, ["logits"], ["out"]),
        ],
        "model",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [images, 2])],
        [
            numpy_helper.from_array(np.array(axes, np.int64), "axes"),
            numpy_helper.from_array(WEIGHTS[:channels], "weights"),
        ],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


@pytest.fixture
def scans(tmp_path):
    pixels = np.random.default_rng(6).integers(0, 256, (20, 6, 4, 3), np.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{number:02}.png")
    return sorted(tmp_path.glob("*.png")), pixels


def expected(pixels):
    logits = (pixels / 255).mean((1, 2)) @ WEIGHTS
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("images", ["n", 1])
@pytest.mark.parametrize("sides", [(6, 4), ("height", "width")])
def test_a_model_gives_its_own_numbers(tmp_path, scans, first, sides, images):
    paths, pixels = scans
    path = write_model(tmp_path / "m.onnx", sides, first=first, images=images)
    size = None if sides == (6, 4) else 6
    it = open_onnx_model(path, ModelDescription(**{**vars(SAID), "image_size": size}))
    assert (it.run.record.input.height, it.run.record.input.width) == (
        (6, 4) if size is None else (6, 6)
    )
    found = list(it.predict_many(paths))
    assert not [each for each in found if isinstance(each, Failure)]
    if size is None:
        rows = [list(each.probabilities.values()) for each in found]
        assert np.allclose(rows, expected(pixels), atol=1e-5)
    assert found[0].operating_point is None and found[0].path == str(paths[0])


def test_what_does_not_fit_is_a_sentence(tmp_path, scans):
    digest = hashlib.sha256(write_model(tmp_path / "m.onnx").read_bytes()).hexdigest()
    for said, words in (
        ({"dataset": None}, "name the data set with --dataset"),
        ({"preprocessing": None}, "how its pixels were prepared"),
        ({"dataset": "busi"}, "which do not fit 3 classes"),
        ({"image_size": 9}, "takes images of 4x6 pixels, not 9x9"),
        ({"sha256": "0" * 64}, "is not the expected file"),
    ):
        with pytest.raises(CancerNetError, match=words):
            open_onnx_model(tmp_path / "m.onnx", ModelDescription(**{**vars(SAID), **said}))
    open_onnx_model(tmp_path / "m.onnx", ModelDescription(**{**vars(SAID), "sha256": digest}))
    for options, words in (
        ({"channels": 1}, "does not take RGB images in float32"),
        ({"sides": ("h", "w")}, "takes images of any size; give the size with --image-size"),
    ):
        with pytest.raises(RunError, match=words):
            open_onnx_model(write_model(tmp_path / "x.onnx", **options), SAID)
    (tmp_path / "x.onnx").write_bytes(b"nothing")
    with pytest.raises(RunError, match="is not a model that can be loaded"):
        open_onnx_model(tmp_path / "x.onnx", SAID)
    for options, words in (
        ({"last": "Identity"}, "are not probabilities"),
        ({"images": 3}, "cannot score images"),
    ):
        it = open_onnx_model(write_model(tmp_path / "x.onnx", **options), SAID)
        with pytest.raises(RunError, match=words):
            list(it.predict_many(scans[0]))


def test_the_command_takes_it_and_evaluation_says_what_it_lacks(
    tmp_path, scans, monkeypatch, capsys
):
    path = write_model(tmp_path / "m.onnx")
    flags = ["--run", str(path), "--dataset", "ultrasound", "--preprocessing", "unit", "--json"]
    monkeypatch.setattr(sys, "argv", ["predict.py", str(scans[0][0]), *flags])
    assert predict.main() == 0
    answer = json.loads(capsys.readouterr().out)["probabilities"]
    assert np.allclose(list(answer.values()), expected(scans[1])[0], atol=1e-5)
    monkeypatch.setattr(sys, "argv", ["evaluate_model.py", "--run", str(path)])
    with pytest.raises(CancerNetError, match="no testing images; name labelled images"):
        evaluate.main()


def test_the_model_of_a_run_is_named_by_its_folder(tiny_run, monkeypatch):
    command = ["predict.py", "image.png", "--run", str(tiny_run / "model.onnx")]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(CancerNetError, match=f"is the model of a run; name its folder, --run "
                                             f"{tiny_run}"):  # fmt: skip
        predict.main()
    with pytest.raises(CancerNetError, match="is the model of a run"):  # unless its use is said
        ModelDescription().complete(tiny_run / "model.keras")
