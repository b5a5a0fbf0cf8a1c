"""What every network promises, asked of each by the same test."""

import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from cancernet.base.errors import CancerNetError
from cancernet.models import MODELS, build_model, efficientnet_lite0, network, register
from cancernet.models.mammogram_cnns import _shuffled
from cancernet.models.pretrained import _exportable, adapted
from cancernet.networks import APPLICATIONS, BACKBONE_PREFIX, NETWORKS

# name -> a small input, classes. The other networks are these with another parameter.
SMALL_INPUTS = {
    "cancernet": (16, 2),
    "simple-cnn": (16, 8),
    "shufflenet": (32, 8),
    "efficientnetv2b0": (32, 8),
    "vgg16": (32, 8),
    "alexnet": (67, 8),
    "kernel-cnn": (32, 8),
    "kernel-cnn-relu": (32, 8),
    "vgg16-dense-head": (32, 2),
    "vgg16-dense-head-unit": (32, 2),
    "densenet121-dense-head": (32, 3),
    "backbone:MobileNet": (32, 3),
}
LIKE_ANOTHER = {
    "densenet121",
    "densenet121-dense-head-unit",
    "kernel-cnn-gaussian",
    "kernel-cnn-mean",
}
# A newly registered network is tried too, at the usual size.
SMALL_INPUTS |= {
    name: (32, 8)
    for name in MODELS
    if not name.startswith("backbone:") and name not in {*SMALL_INPUTS, *LIKE_ANOTHER}
}
CHEAP = ("cancernet", "simple-cnn", "kernel-cnn", "backbone:MobileNet")


def images(size: int, count: int = 3) -> np.ndarray:
    rng = np.random.default_rng(size)
    return rng.integers(0, 256, (count, size, size, 3)).astype(np.float32)


def build(name: str, *, seed: int = 7) -> tuple[keras.Model, int, int]:
    size, classes = SMALL_INPUTS[name]
    keras.utils.set_random_seed(seed)
    return build_model(name, (size, size, 3), classes), size, classes


def packages_of(model: keras.Model) -> set[str]:
    """The packages whose classes and functions a saved network names."""
    text = json.dumps(keras.saving.serialize_keras_object(model))
    return set(re.findall(r'"module": "(\w+)', text))


class TwinNormalization(keras.layers.BatchNormalization):
    """Stands for a faster layer that a training may put in its place."""


def twin_layer(layer: keras.Operation) -> keras.Operation:
    kind = TwinNormalization if isinstance(layer, keras.layers.BatchNormalization) else type(layer)
    return kind.from_config(layer.get_config())


@pytest.mark.usefixtures("shallow")  # whole ones are built in test_models_counts.py
@pytest.mark.parametrize("name", SMALL_INPUTS)
def test_network_takes_pixels_and_gives_probabilities(name: str) -> None:
    model, size, classes = build(name)
    assert model.input_shape == (None, size, size, 3)
    assert model.inputs[0].dtype == "float32"
    assert model.output_shape == (None, classes)
    answers = np.asarray(model(images(size), training=False))
    assert answers.shape == (3, classes)
    assert answers.dtype == np.float32
    assert (answers >= 0).all()
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    # The first layer with weights does not see raw pixels.
    first = next(layer for layer in model.layers if layer.weights)
    seen = np.asarray(keras.Model(model.inputs[0], first.input)(np.full((1, size, size, 3), 255.0)))
    assert np.abs(seen).max() < 155
    assert packages_of(model) == {"keras"}  # so that it loads where this package is not


@pytest.mark.parametrize("name", CHEAP)
def test_network_survives_saving_and_cloning(name: str, tmp_path: Path) -> None:
    model, size, _ = build(name)
    pixels = images(size)
    expected = np.asarray(model(pixels, training=False))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_array_equal(np.asarray(loaded(pixels, training=False)), expected)

    clone = keras.models.clone_model(model, clone_function=twin_layer)
    assert [w.shape for w in clone.weights] == [w.shape for w in model.weights]
    assert len(clone.trainable_weights) == len(model.trainable_weights)
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(np.asarray(clone(pixels, training=False)), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["simple-cnn", "kernel-cnn"])
def test_the_seed_decides_the_first_weights(name: str) -> None:
    first, again, other = (build(name, seed=s)[0].get_weights() for s in (7, 7, 8))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("name", ["kernel-cnn", "efficientnet-lite0"])
def test_network_answers_alike_in_onnx(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    # Strides, depthwise filters and a sum are in three blocks already.
    monkeypatch.setattr(efficientnet_lite0, "STAGES", efficientnet_lite0.STAGES[:2])
    model, size, _ = build(name)
    pixels = images(size)
    expected = np.asarray(model(pixels, training=False))
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    found = session.run(None, {session.get_inputs()[0].name: pixels})[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_one_sigmoid_is_the_binary_cross_entropy() -> None:
    model, size, _ = build("vgg16-dense-head")
    pixels, labels = images(size, count=4), np.array([0, 1, 1, 0])
    pair = model(pixels, training=False)
    p = keras.Model(model.input, model.get_layer("head_sigmoid").output)(pixels, training=False)
    assert p.shape == (4, 1)
    np.testing.assert_allclose(np.asarray(pair)[:, 1:], np.asarray(p))
    categorical = keras.losses.CategoricalCrossentropy()(np.eye(2)[labels], pair)
    binary = keras.losses.BinaryCrossentropy()(labels[:, None], p)
    assert float(categorical) == pytest.approx(float(binary), rel=1e-4)


def test_one_sigmoid_tells_only_two_classes_apart() -> None:
    with pytest.raises(CancerNetError, match="2 classes apart, not 3"):
        build_model("vgg16-dense-head", (32, 32, 3), 3)


def test_channel_shuffle_deals_the_thirds_out() -> None:
    numbers = np.arange(12, dtype=np.float32).reshape(1, 1, 1, 12)
    inputs = keras.Input((1, 1, 12))
    dealt = np.asarray(keras.Model(inputs, _shuffled(inputs))(numbers)).ravel()
    assert dealt.tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]


def test_every_network_of_keras_is_a_backbone() -> None:
    networks = {
        name
        for name in dir(keras.applications)
        if name[0].isupper() and callable(getattr(keras.applications, name))
    }
    assert networks == set(APPLICATIONS)
    backbones = {n for n in MODELS if n.startswith(BACKBONE_PREFIX)}
    assert backbones == {BACKBONE_PREFIX + name for name in networks}


def test_every_registered_network_is_named_in_networks_py() -> None:
    registered = {name for name in MODELS if not name.startswith(BACKBONE_PREFIX)}
    alone = registered ^ {*NETWORKS}
    assert not alone, f"not both registered and in NETWORKS of cancernet/networks.py: {alone}"


def test_pieces_of_convnext_are_replaced_by_equal_ones() -> None:
    image = keras.Input((9, 9, 8))
    x = keras.layers.Conv2D(8, 7, padding="same", groups=8, name="grouped")(image)
    x = keras.layers.Activation("gelu", name="gelu")(x)
    theirs = keras.Model(image, keras.layers.Dense(3)(x))
    theirs.get_layer("grouped").bias.assign(np.linspace(-1, 1, 8))
    ours = keras.models.clone_model(theirs, clone_function=_exportable)
    assert isinstance(ours.get_layer("grouped"), keras.layers.DepthwiseConv2D)
    ours.set_weights(adapted(theirs.get_weights(), ours.get_weights()))
    values = np.random.default_rng(8).normal(0, 2, (2, 9, 9, 8)).astype(np.float32)
    np.testing.assert_allclose(
        ours.predict(values, verbose=0), theirs.predict(values, verbose=0), atol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "size", "classes", "message"),
    [
        ("alexnett", 227, 8, r"unknown network 'alexnett' \(did you mean alexnet\?\); .*backbone:"),
        ("backbone:VGG17", 64, 2, "unknown backbone 'backbone:VGG17' .*known are .*backbone:VGG16"),
        ("cancernet", 48, 1, "at least 2 classes, not 1"),
        ("alexnet", 32, 8, "alexnet cannot be built for images of 32x32 pixels"),
        ("backbone:Xception", 48, 2, "Input size must be at least 71x71"),
    ],
)
def test_what_cannot_be_built_is_said(name: str, size: int, classes: int, message: str) -> None:
    with pytest.raises(CancerNetError, match=message):
        build_model(name, (size, size, 3), classes)


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="registered already"):
        register("cancernet")(network("cancernet").build)
