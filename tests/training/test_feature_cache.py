"""The head trained on kept features against the whole network, step by step."""

import keras
import numpy as np
import pytest

from cancernet.base.errors import CancerNetError
from cancernet.training.data.augmentation import Ranges
from cancernet.training.data.batches import PlainBatches, TrainingBatches
from cancernet.training.data.streams import Batches
from cancernet.training.loop.acceleration import accelerate
from cancernet.training.network import (
    keep_features,
    split_at_last_frozen,
    write_features,
)

SHAPE = (10, 10, 3)


def network(*, frozen=True, nested=False, random_base=False):
    """A small residual base with batch normalization, and a head with dropout."""
    keras.utils.set_random_seed(4)
    image = keras.Input(SHAPE)
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(4, 3, padding="same", name="first")(x)
    y = keras.layers.BatchNormalization()(x)
    y = keras.layers.Conv2D(4, 3, padding="same")(y)
    if random_base:
        y = keras.layers.Dropout(0.2, name="noise")(y)
    features = keras.layers.Add(name="join")([x, y])
    base = keras.Model(image, features, name="base")
    base.trainable = not frozen
    x = base(image) if nested else features
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(0.3, name="head_dropout")(x)
    x = keras.layers.Dense(5, activation="relu", name="head_dense")(x)
    return keras.Model(image, keras.layers.Dense(2, activation="softmax", name="head")(x))


def batches(kind=TrainingBatches, count=22, **changes):
    random = np.random.default_rng(6)
    pixels = random.integers(0, 256, (count, *SHAPE)).astype(np.uint8)
    own = {"changes": Ranges(), "mixup": 0.0, "class_weights": np.ones(2, np.float32), "seed": 3}
    return kind(
        pixels, np.arange(count) % 2, batch_size=5,
        **({**own, **changes} if kind is TrainingBatches else {"classes": 2}),
    )  # fmt: skip


def train(model, training, to_fit=None):
    to_fit = to_fit or model
    to_fit.compile(keras.optimizers.Adam(0.02), "categorical_crossentropy")
    to_fit.fit(training, epochs=3, shuffle=False, verbose=0)
    return model.get_weights()


@pytest.mark.parametrize(
    ("nested", "precision"), [(False, None), (True, "float32"), (True, "mixed_bfloat16")]
)
def test_head_on_features_equals_the_whole_network(tmp_path, nested, precision):
    def build():
        model = network(nested=nested)
        return accelerate(model, precision=precision) if precision else model

    slow = train(build(), batches())
    model = build()
    before = model.get_weights()
    both = Batches(batches(), batches(PlainBatches))
    head, kept = keep_features(model, both, tmp_path)
    training, validation = kept.training, kept.validation
    assert head is not model and len(head.layers) < len(model.layers)
    assert isinstance(training.pixels, np.memmap) and training.pixels.dtype == np.float32
    fast = train(model, training, head)
    tolerance = 2e-2 if precision == "mixed_bfloat16" else 1e-5
    for one, other in zip(fast, slow, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    changed = [not np.array_equal(a, b) for a, b in zip(before, fast, strict=True)]
    assert sum(changed) == 4  # kernels and biases of the two dense layers
    whole = model.predict(batches(PlainBatches), verbose=0)
    np.testing.assert_allclose(head.predict(validation, verbose=0), whole, atol=tolerance)


def test_features_are_those_of_inference_in_the_same_order(tmp_path):
    base = split_at_last_frozen(network())[0]
    source = batches(PlainBatches)
    features = write_features(base, source.pixels, tmp_path / "f.npy", batch_size=4)
    np.testing.assert_allclose(features, base.predict(source, verbose=0), rtol=1e-5, atol=1e-5)
    assert [p.name for p in tmp_path.iterdir()] == ["f.npy"]


def test_split_goes_as_far_as_it_can():
    base, head = split_at_last_frozen(network())
    assert [layer.name for layer in head.layers[1:]] == ["head_dropout", "head_dense", "head"]
    assert not base.trainable_weights


def test_split_goes_back_before_parallel_paths():
    model = network()
    model.layers[4].trainable = True  # the second convolution, beside the shortcut
    base, head = split_at_last_frozen(model)
    assert base.output.shape == (None, *SHAPE[:2], 4)
    assert model.layers[4] in head.layers
    assert base.layers[-1].name == "first"


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: network(frozen=False), "first .* learns"),
        (lambda: network(random_base=True, nested=True), "base .* is random"),
    ],
)
def test_split_says_what_stands_in_the_way(build, reason):
    with pytest.raises(CancerNetError, match=reason):
        split_at_last_frozen(build())


def test_a_random_base_is_kept_only_up_to_its_noise():
    base, head = split_at_last_frozen(network(random_base=True))
    assert "noise" in [layer.name for layer in head.layers]
    assert base.layers[-1].name == "first"


@pytest.mark.parametrize("changes", [{"changes": Ranges(rotation=5)}, {"mixup": 0.2}])
def test_changing_images_are_not_kept(tmp_path, changes):
    model, both = network(), Batches(batches(**changes), batches(PlainBatches))
    assert keep_features(model, both, tmp_path) == (model, both)
    assert not list(tmp_path.iterdir())


def test_a_network_that_learns_as_a_whole_is_left_alone(tmp_path, caplog):
    model, both = network(frozen=False), Batches(batches(), batches(PlainBatches))
    assert keep_features(model, both, tmp_path)[0] is model
    assert caplog.text == ""


def test_without_room_the_whole_network_is_trained(tmp_path, caplog):
    model, both = network(), Batches(batches(), batches(PlainBatches))
    assert keep_features(model, both, tmp_path / "missing") == (model, both)
    assert "computed in every epoch" in caplog.text
