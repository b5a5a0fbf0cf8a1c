"""Every kind of network can be explained: built with random weights, at a small size."""

from collections.abc import Callable
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from cancernet.explaining.gradients import Gradients
from cancernet.explaining.maps import GRADIENT_METHODS, spread
from cancernet.models import build_model
from tests.models.test_models_contract import SMALL_INPUTS


class Eager:
    """TensorFlow without tracing: a large graph takes longer to trace than to walk once."""

    def __getattr__(self, name: str) -> object:
        return getattr(tf, name)

    def function(self, work: Callable, **_: object) -> SimpleNamespace:
        return SimpleNamespace(get_concrete_function=lambda *_: work)


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("name", SMALL_INPUTS)
def test_network_is_explained(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cancernet.explaining.gradients.tf", Eager())
    size, classes = SMALL_INPUTS[name]
    keras.utils.set_random_seed(3)
    model = build_model(name, (size, size, 3), classes)
    gradients = Gradients(model)
    image = np.random.default_rng(4).integers(0, 256, (size, size, 3)).astype(np.uint8)
    features, gradient, scores = gradients.at(image, classes - 1)
    assert features.shape == gradient.shape and features.ndim == 3
    assert min(features.shape[:2]) > 1, gradients.layer_name(None)
    # The scores are those before the squashing of the very network that answers.
    answer = np.asarray(model(image[None].astype(np.float32), training=False))[0]
    odds = np.exp(scores - scores.max())
    if "vgg16-dense-head" in name:  # one sigmoid: the scores are -z and z
        odds = 1 / (1 + np.exp(-scores))
    np.testing.assert_allclose(odds / odds.sum(), answer, atol=1e-5)
    for method, function in GRADIENT_METHODS.items():
        raw = function(features, gradient)
        values = spread(raw, height=size, width=size)
        assert values.shape == (size, size) and np.isfinite(values).all(), method
        assert values.min() >= 0 and values.max() == float(raw.max() > 0), method
    assert np.abs(gradient).max() > 0, "the score does not depend on the layer"


def test_a_network_that_rests_on_nothing_gives_a_zero_map() -> None:
    model = build_model("simple-cnn", (16, 16, 3), 2)
    last = model.layers[-1]
    last.set_weights([np.zeros_like(weight) for weight in last.get_weights()])
    features, gradient, _ = Gradients(model).at(np.full((16, 16, 3), 9, np.uint8), 1)
    for function in GRADIENT_METHODS.values():
        values = spread(function(features, gradient), height=16, width=16)
        assert values.shape == (16, 16) and not values.any()
