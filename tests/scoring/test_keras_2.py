"""Models of Keras 2, in files that tf_keras 2.21 wrote: the same answers, or the key at fault.

`keras_2/` holds a small CancerNet as the tutorial has it and a nested network of depthwise
convolutions, with weights drawn at random, and what tf_keras answered to the same pixels.
"""

import json
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError, RunError
from cancernet.commands import predict
from cancernet.models.weights import load_into
from cancernet.scoring.described import refuse_other
from cancernet.scoring.keras_2 import modernized, network_of
from cancernet.scoring.other_models import load_model

FILES = Path(__file__).parent / "keras_2"
PIXELS = np.random.default_rng(5).integers(0, 256, (2, 8, 8, 3), np.uint8).astype(np.float32) / 255


def answers(name):
    return np.array(json.loads((FILES / "answers.json").read_text())[name])


@pytest.mark.parametrize("name", ["tutorial", "nested"])
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_model_of_keras_2_answers_as_it_did(name, suffix):
    path = FILES / f"{name}{suffix}"
    model = load_model(path, path)
    assert np.abs(model.predict_on_batch(PIXELS) - answers(name)).max() < 1e-5


def test_the_tutorials_reader_names_classes_and_scaling_on_the_command_line(
    tmp_path, monkeypatch, capsys
):
    pixels = np.rint(255 * PIXELS[0]).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "scan.png")
    said = "--classes none benign cancer --positive cancer --preprocessing unit --json"
    named = [str(tmp_path / "scan.png"), "--run", str(FILES / "tutorial.h5"), *said.split()]
    monkeypatch.setattr(sys, "argv", ["predict.py", *named])
    assert predict.main() == 0
    printed = capsys.readouterr()
    line = json.loads(printed.out)
    assert list(line["probabilities"]) == ["none", "benign", "cancer"]
    assert list(line["probabilities"].values()) == pytest.approx(answers("tutorial")[0], abs=1e-5)
    assert line["positive_probability"] == line["probabilities"]["cancer"]
    assert "its outputs are none, benign, cancer in this order (positive: cancer)" in printed.err
    assert "8x8 pixels (bilinear), with values 0-1" in printed.err


def test_a_network_and_its_weights_in_two_files():
    network, weights = FILES / "network.json", FILES / "network_weights.h5"
    model = load_model(network, network, weights=weights)
    assert np.abs(model.predict_on_batch(PIXELS) - answers("tutorial")).max() < 1e-5
    with pytest.raises(RunError, match="is an architecture without weights"):
        load_model(network, network)
    with pytest.raises(RunError, match="holds its weights itself"):
        load_model(FILES / "nested.h5", FILES / "nested.h5", weights=weights)
    with pytest.raises(RunError, match="do not fit this network"):
        load_model(network, network, weights=FILES / "nested.h5")
    with pytest.raises(RunError, match="there is no weights file"):
        load_model(network, network, weights=FILES / "none.h5")


@pytest.fixture
def changed(tmp_path):
    """Copies the nested model with something else in its configuration."""

    def change(old, new):
        path = shutil.copy(FILES / "nested.h5", tmp_path / "model.h5")
        with h5py.File(path, "a") as file:
            text = file.attrs["model_config"]
            assert old in text
            file.attrs["model_config"] = text.replace(old, new)
        return path

    return change


def test_a_file_of_tensorflow_2_3_states_no_modules(changed):
    path = changed('"module": "keras.layers", ', "")
    model = load_model(path, path)
    assert np.abs(model.predict_on_batch(PIXELS) - answers("nested")).max() < 1e-5


def test_a_key_that_says_something_is_named(changed):
    path = changed('"groups": 1', '"groups": 3')
    with pytest.raises(RunError) as refused:
        load_model(path, path)
    assert "its layer DepthwiseConv2D has groups=3, which Keras" in str(refused.value)
    path = changed('"noise_shape": null', '"noise_shape": [1, 2]')
    with pytest.raises(RunError, match="SpatialDropout2D has noise_shape="):
        load_model(path, path)


@pytest.mark.parametrize(
    "kind", ['"Lambda", "module": "keras.layers"', '"TFSMLayer"', '"X", "module": "tf_keras.x"']
)
def test_what_may_run_code_is_refused_as_ever(changed, kind):
    path = changed('"class_name": "DepthwiseConv2D"', f'"class_name": {kind}')
    with pytest.raises(RunError, match="may run code"):
        load_model(path, path)


def test_the_first_call_of_an_inner_sequential_is_its_first():
    """Keras 2 counted the making of one as a call, and so began with 1."""
    calls = {"class_name": "Sequential", "name": "s", "config": {"layers": []}}
    first, second = ({**calls, "inbound_nodes": [[[name, node, 0, {}]]]}
                     for name, node in (("i", 0), ("s", 1)))  # fmt: skip
    graph = {"layers": [first, second], "output_layers": [["s", 2, 0]]}
    found = modernized({"class_name": "Functional", "config": graph})["config"]
    assert [each["inbound_nodes"][0][0][:2] for each in found["layers"]] == [["i", 0], ["s", 0]]
    assert found["output_layers"] == ["s", 1, 0]


def test_todays_configurations_stay_as_they_are():
    import keras

    image = keras.Input((8, 8, 3))
    x = keras.layers.LeakyReLU(negative_slope=0.2)(image)
    inner = keras.Model(image, keras.layers.SeparableConv2D(2, 3)(x))
    flat = keras.layers.Flatten()(inner(image))
    for model in (keras.Model(image, flat), keras.Sequential([image, inner])):
        config = json.loads(model.to_json())
        assert modernized(config) == config


def test_a_missing_weight_is_not_left_to_chance(tmp_path):
    with h5py.File(FILES / "tutorial.h5") as file:
        config = json.loads(file.attrs["model_config"])
    with pytest.raises(CancerNetError, match="do not fit this network"):
        load_into(network_of(modernized(config)), FILES / "nested.keras")


def test_other_forms_are_refused_with_a_way_out(tmp_path):
    (tmp_path / "saved").mkdir()
    for name, words in (("saved/saved_model.pb", "makes a file of it"),
                        ("model.tflite", "makes an ONNX file of it")):  # fmt: skip
        (tmp_path / name).touch()
        named = tmp_path / name
        with pytest.raises(RunError, match=words):
            refuse_other(named.parent if named.suffix == ".pb" else named, weights=None)
    refuse_other(FILES / "nested.h5", weights=None)
    refuse_other(FILES / "network.json", weights=FILES / "network_weights.h5")
