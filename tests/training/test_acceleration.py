"""The accelerated twin and the plain network: same weights, same results, plain to save."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cancernet.base.errors import CancerNetError
from cancernet.base.processor import processor_flags
from cancernet.models import build_model
from cancernet.training.loop import optimizers
from cancernet.training.loop.acceleration import (
    ByteDropout,
    FusedBatchNormalization,
    accelerate,
    choose_precision,
    for_graphics,
    for_processor,
)

SHAPE = (12, 12, 3)


def sequential(dropout=0.25):
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Rescaling(1 / 255),
            keras.layers.SeparableConv2D(6, 3, padding="same"),
            keras.layers.Activation("relu"),
            keras.layers.BatchNormalization(),
            keras.layers.MaxPooling2D(),
            keras.layers.Dropout(dropout),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(2),
            keras.layers.Activation("softmax"),
        ]
    )


def functional(dropout=0.25):
    image = keras.Input(SHAPE)
    x = image * (1 / 127.5) - 1.0
    y = keras.layers.Conv2D(4, 3, padding="same")(x)
    y = keras.layers.BatchNormalization(scale=False)(y)
    y = keras.layers.Concatenate()([x, y])
    y = keras.layers.GlobalAveragePooling2D()(y)
    y = keras.layers.Dropout(dropout)(y)
    return keras.Model(image, keras.layers.Dense(2, activation="softmax")(y))


def nested(dropout=0.25):
    inner_input = keras.Input(SHAPE)
    y = keras.layers.Conv2D(4, 3)(inner_input)
    inner = keras.Model(inner_input, keras.layers.BatchNormalization()(y), name="inner")
    inner.trainable = False
    image = keras.Input(SHAPE)
    y = keras.layers.GlobalAveragePooling2D()(inner(keras.layers.Rescaling(1 / 255)(image)))
    y = keras.layers.Dropout(dropout)(y)
    return keras.Model(image, keras.layers.Dense(2, activation="softmax")(y))


NETWORKS = [sequential, functional, nested]


def data(count=24):
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, count)
    images = random.integers(0, 256, (count, *SHAPE)) * (0.4 + 0.6 * labels[:, None, None, None])
    return images.astype(np.uint8), np.eye(2, dtype=np.float32)[labels]


def leaves(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield layer


def compiled(model):
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="categorical_crossentropy")
    return model


@pytest.mark.parametrize("build", NETWORKS)
def test_twin_in_float32_trains_to_the_same_weights(build):
    keras.utils.set_random_seed(3)
    plain = build(dropout=0.0)
    twin = accelerate(plain, precision="float32")
    images, labels = data()
    for model in (plain, twin):
        compiled(model)
    # Inference sees the moving statistics, so it is looked at before and after.
    for _ in range(2):
        np.testing.assert_allclose(
            twin(images, training=False), plain(images, training=False), atol=1e-4
        )
        for model in (plain, twin):
            model.fit(images, labels, batch_size=8, epochs=3, shuffle=False, verbose=0)
    for one, other in zip(twin.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("build", "precision"),
    [*((build, "mixed_bfloat16") for build in NETWORKS), (sequential, "mixed_float16")],
)
def test_twin_in_16_bits(build, precision):
    keras.utils.set_random_seed(3)
    plain = build()
    twin = accelerate(plain, precision=precision)
    images, labels = data()
    history = compiled(twin).fit(images, labels, batch_size=8, epochs=20, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert all(w.dtype == np.float32 for w in twin.get_weights())
    assert twin.layers[-1].compute_dtype == twin.outputs[0].dtype == "float32"
    halved = precision.removeprefix("mixed_")
    assert any(layer.compute_dtype == halved for layer in leaves(twin))
    plain.set_weights(twin.get_weights())
    np.testing.assert_allclose(
        plain(images, training=False), twin(images, training=False), atol=0.03
    )


@pytest.mark.parametrize("stock", [False, True])
def test_dropout_of_feature_maps_is_scaled_in_the_twin_alone(stock):
    plain = build_model("cancernet", (16, 16, 3), 2)

    def rates(model):
        return [one.rate for one in leaves(model) if isinstance(one, keras.layers.Dropout)]

    def twin(scale):
        return accelerate(plain, precision="float32", convolution_dropout=scale, stock=stock)

    assert rates(twin(0.0)) == [0, 0, 0, 0.5]
    assert rates(twin(0.5)) == [0.125, 0.125, 0.125, 0.5]
    assert rates(plain) == [0.25, 0.25, 0.25, 0.5]  # the saved network is the published one


def test_loss_is_scaled_for_float16_only():
    for precision, scaled in (("mixed_float16", True), ("mixed_bfloat16", False)):
        twin = compiled(accelerate(sequential(), precision=precision))
        assert isinstance(twin.optimizer, keras.optimizers.LossScaleOptimizer) == scaled


@pytest.mark.parametrize("build", NETWORKS)
def test_twin_has_the_fast_layers_and_plain_keeps_its_own(build):
    plain = build()
    twin = accelerate(plain, precision="float32", batch_norm_momentum=0.8)
    kinds = {
        keras.layers.BatchNormalization: FusedBatchNormalization,
        keras.layers.Dropout: ByteDropout,
    }
    for one, other in zip(leaves(plain), leaves(twin), strict=True):
        assert type(other) is kinds.get(type(one), type(one))
        if not isinstance(one, keras.layers.InputLayer):
            assert (other.name, other.trainable) == (one.name, one.trainable)
        if isinstance(other, FusedBatchNormalization):
            assert (one.momentum, other.momentum) == (0.99, 0.8)
    assert [v.shape for v in twin.trainable_weights] == [v.shape for v in plain.trainable_weights]


def test_preprocessing_and_head_stay_float32():
    twin = accelerate(sequential(), precision="mixed_bfloat16")
    assert [layer.compute_dtype for layer in twin.layers] == [
        "float32", *["bfloat16"] * 9, "float32", "float32",
    ]  # fmt: skip


def test_saved_network_is_plain_keras(tmp_path):
    plain = sequential()
    twin = compiled(accelerate(plain, precision="mixed_bfloat16"))
    images, labels = data()
    twin.fit(images, labels, verbose=0)
    plain.set_weights(twin.get_weights())
    plain.save(tmp_path / "model.keras")
    keras_only = keras.saving.load_model(tmp_path / "model.keras", custom_objects={})
    assert {type(layer).__module__.split(".")[0] for layer in keras_only.layers} == {"keras"}
    np.testing.assert_array_equal(
        keras_only.predict(images, verbose=0), plain.predict(images, verbose=0)
    )


def test_same_seed_gives_the_same_weights():
    images, labels = data()
    weights = []
    for seed in (5, 5, 6):
        keras.utils.set_random_seed(seed)
        twin = compiled(accelerate(sequential(), precision="mixed_bfloat16"))
        twin.fit(images, labels, batch_size=8, epochs=2, verbose=0)
        weights.append(twin.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(weights[0], weights[2], strict=True))


OPTIMIZERS = {
    "Adagrad": {"learning_rate": 0.1, "initial_accumulator_value": 0.0},
    "Adam": {"learning_rate": 0.1, "clipvalue": 0.5},
    "AdamW": {"learning_rate": 0.1, "weight_decay": 0.1, "use_ema": True, "ema_momentum": 0.5},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("sparse", [False, True])
def test_fused_optimizer_is_keras_to_rounding(name, sparse):
    random = np.random.default_rng(0)
    start = random.normal(size=(7, 3)).astype(np.float32)
    results = []
    for kind in (getattr(keras.optimizers, name), getattr(optimizers, f"Fused{name}")):
        random = np.random.default_rng(1)
        weight, still = keras.Variable(start), keras.Variable(start[:1])
        optimizer = kind(**OPTIMIZERS[name])
        for _ in range(5):
            # Gradients from 1e-6 to 1: where epsilon matters and where it does not.
            gradient = (random.normal(size=(7, 3)) * 10.0 ** -np.arange(7)[:, None]).astype("f4")
            gradient[2] = 0
            slope = tf.constant(gradient)
            if sparse:
                slope = tf.IndexedSlices(slope, tf.range(7), tf.constant([7, 3]))
            optimizer.apply([slope, tf.zeros((1, 3))], [weight, still])
        state = [keras.ops.convert_to_numpy(v) for v in optimizer.variables]
        results.append([*map(keras.ops.convert_to_numpy, (weight, still)), *state])
    assert [a.shape for a in results[0]] == [a.shape for a in results[1]]
    for slow, fast in zip(*results, strict=True):
        # The accumulator of FusedAdagrad holds epsilon, 1e-7, too.
        np.testing.assert_allclose(fast, slow, rtol=1e-4, atol=2e-7)


def test_precision_by_hardware():
    assert for_processor(frozenset({"avx2", "avx512_bf16"}))[0] == "mixed_bfloat16"
    assert for_processor(frozenset({"amx_bf16"}))[0] == "mixed_bfloat16"
    assert for_processor(frozenset({"avx2", "avx512f"}))[0] == "float32"
    assert for_processor(frozenset())[0] == "float32"
    assert for_graphics([(9, 0)])[0] == "mixed_bfloat16"
    assert for_graphics([(9, 0), (7, 5)])[0] == "mixed_float16"
    assert for_graphics([(6, 1)])[0] == for_graphics([(0, 0)])[0] == "float32"


def test_precision_by_wish():
    assert choose_precision("bfloat16") == ("mixed_bfloat16", "as asked for")
    assert choose_precision("float32")[0] == "float32"
    assert choose_precision("auto")[0] in ("float32", "mixed_bfloat16", "mixed_float16")
    with pytest.raises(CancerNetError, match="float64"):
        choose_precision("float64")


def test_processor_flags(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu avx512_bf16\n\nflags\t: x\n")
    assert processor_flags(tmp_path / "cpuinfo") == {"fpu", "avx512_bf16"}
    assert processor_flags(tmp_path / "missing") == frozenset()


def test_depthwise_convolutions_stay_whole_where_16_bits_are_slow(monkeypatch):
    image = keras.Input(SHAPE)
    y = keras.layers.DepthwiseConv2D(3, name="depthwise")(image)
    y = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 1, name="pointwise")(y))
    plain = keras.Model(image, keras.layers.Dense(2, activation="softmax")(y))
    for graphics, depthwise in (([], "float32"), (["a GPU"], "bfloat16")):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind, found=graphics: found)
        twin = accelerate(plain, precision="mixed_bfloat16")
        assert twin.get_layer("depthwise").compute_dtype == depthwise
        assert twin.get_layer("pointwise").compute_dtype == "bfloat16"
