"""Two-phase training: what learns, and what must not move."""

import keras
import numpy as np
import pytest

from cancernet.base.errors import CancerNetError
from cancernet.models import build_model, freeze_backbone, unfreeze_all, unfreeze_top
from cancernet.models.pretrained import backbone_layers


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(1)
    model = build_model("backbone:MobileNet", (32, 32, 3), 2)
    # As after pretraining: statistics that keep the signal alive through 27 layers.
    unfreeze_all(model)
    for layer in normalizations(model):
        layer.momentum = 0.0
    model(np.random.default_rng(3).uniform(0, 255, (16, 32, 32, 3)), training=True)
    for layer in normalizations(model):
        layer.momentum = 0.9
    return model


def normalizations(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def train_a_step(model: keras.Model) -> set[str]:
    """Trains on images far from what the network knows; returns the layers that moved."""
    before = {layer.name: layer.get_weights() for layer in model.layers}
    model.compile(keras.optimizers.SGD(0.01), "categorical_crossentropy", run_eagerly=True)
    rng = np.random.default_rng(2)
    model.train_on_batch(rng.uniform(100, 255, (4, 32, 32, 3)), np.eye(2)[[0, 1, 0, 0]])
    return {
        layer.name
        for layer in model.layers
        if any(
            not np.array_equal(a, b)
            for a, b in zip(layer.get_weights(), before[layer.name], strict=True)
        )
    }


def test_only_the_head_learns_at_first(model: keras.Model) -> None:
    freeze_backbone(model)
    assert len(model.trainable_weights) == 2
    assert train_a_step(model) == {"head_probabilities"}


def test_then_the_top_learns_but_no_batch_statistics(model: keras.Model) -> None:
    learning = unfreeze_top(model, 3)
    assert len(learning) == 3
    with_weights = [layer.name for layer in backbone_layers(model) if layer.weights]
    assert learning[-1] in with_weights[-2:]
    moved = train_a_step(model)
    assert "head_probabilities" in moved
    assert moved - {"head_probabilities"} <= set(learning)
    assert learning[-1] in moved
    assert len(normalizations(model)) == 27
    assert not {layer.name for layer in normalizations(model)} & moved


def test_a_clone_is_unfrozen_by_the_same_names(model: keras.Model) -> None:
    freeze_backbone(model)
    clone = keras.models.clone_model(model)
    assert len(clone.trainable_weights) == 2
    assert unfreeze_top(clone, 5) == unfreeze_top(model, 5)


def test_none_and_all(model: keras.Model) -> None:
    assert unfreeze_top(model, 0) == []
    assert len(model.trainable_weights) == 2
    every = unfreeze_top(model, 10_000)
    assert not any("bn" in name for name in every)
    assert len(every) == 27  # the first convolution and 13 separable pairs
    unfreeze_all(model)
    assert sum(np.prod(w.shape) for w in model.non_trainable_weights) == sum(
        2 * layer.moving_mean.shape[0] for layer in normalizations(model)
    )


def test_without_a_backbone_there_is_nothing_to_unfreeze(model: keras.Model) -> None:
    plain = build_model("cancernet", (16, 16, 3), 2)
    for function in (freeze_backbone, lambda m: unfreeze_top(m, 2)):
        with pytest.raises(CancerNetError, match="cancernet has no pretrained backbone"):
            function(plain)
    with pytest.raises(CancerNetError, match="must be 0 or more"):
        unfreeze_top(model, -1)
    unfreeze_all(plain)
    assert all(layer.trainable for layer in plain.layers)
