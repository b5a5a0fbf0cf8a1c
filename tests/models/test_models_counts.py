"""Each network has exactly the parameters of the system it comes from."""

import keras
import pytest

from cancernet.models import CancerNet, build_model, model_facts
from cancernet.models.registry import count_parameters

# network, input, classes, total, trainable
PUBLISHED = [
    ("cancernet", 48, 2, 1_235_133, 1_233_533),
    ("densenet121-dense-head", 256, 3, 75_787_843, 68_750_339),
    ("simple-cnn", 224, 8, 5_977_640, 5_977_640),
    ("shufflenet", 224, 8, 8_176_784, 8_143_568),
    ("densenet121", 224, 8, 7_438_920, 7_355_272),
    # The study's 5,929,632 less the 72 of its second softmax layer.
    ("efficientnetv2b0", 224, 8, 5_929_560, 5_929_632 - 72 - 60_608),
    ("vgg16", 224, 8, 14_915_400, 14_915_400),
    ("alexnet", 227, 8, 62_386_352, 62_386_352),
    ("kernel-cnn", 224, 8, 1_794_168, 1_793_848),
    ("kernel-cnn-relu", 224, 8, 1_794_168, 1_793_848),
    # Keras counts the moving statistics too: 4,652,008 of the published network less its
    # classifier of 1,281,000 are 3,371,008, and 42,016 are statistics.
    ("efficientnet-lite0", 96, 2, 1280 * 2 + 2 + 3_371_008 + 42_016, 3_371_008 + 1280 * 2 + 2),
    ("efficientnet-lite0", 224, 3, 1280 * 3 + 3 + 3_371_008 + 42_016, 3_371_008 + 1280 * 3 + 3),
    ("vgg16-dense-head", 150, 2, 18_910_017, 4_195_329),
]


@pytest.fixture
def undrawn_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """First weights are 0: to draw tens of millions of numbers takes longer than the network."""

    def zeros(_: object, shape: tuple[int, ...], dtype: str | None = None, **__: object) -> object:
        return keras.ops.zeros(shape, dtype)

    monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", zeros)


@pytest.mark.usefixtures("undrawn_weights")
@pytest.mark.parametrize(("name", "size", "classes", "total", "trainable"), PUBLISHED)
def test_parameters(name: str, size: int, classes: int, total: int, trainable: int) -> None:
    model = build_model(name, (size, size, 3), classes)
    facts = count_parameters(model)
    assert (facts.total, facts.trainable) == (total, trainable)
    assert model.input_shape == (None, size, size, 3)
    assert model.output_shape == (None, classes)


def test_channels_may_come_first() -> None:
    keras.config.set_image_data_format("channels_first")
    try:
        model = CancerNet.build(48, 40, 3, 2)
    finally:
        keras.config.set_image_data_format("channels_last")
    assert model.input_shape == (None, 3, 40, 48)
    assert CancerNet.build(48, 40, 3, 2).count_params() == model.count_params()


def test_facts_by_name() -> None:
    facts = model_facts("simple-cnn", (224, 224, 3), 8)
    assert (facts.total, facts.trainable) == (5_977_640, 5_977_640)
    assert model_facts("simple-cnn", (224, 224, 3), 2).total == 5_977_640 - 6 * 65
