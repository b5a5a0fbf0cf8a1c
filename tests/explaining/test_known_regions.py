"""Heat maps on images whose class sits in one known quadrant; with shuffled weights they stray.

Every registered network: CANCERNET_ALL_NETWORKS=1 (hours), or `benchmarks/known_regions.py
--backbones`, whose table is in benchmarks/VALIDITY.md.
"""

import os
from collections.abc import Callable

import keras
import numpy as np
import pytest

from cancernet.explaining.maps import occlusion, spread
from cancernet.models import MODELS
from tests.helpers import known_regions as known

CHEAP = ("cancernet", "simple-cnn")
ALL = "CANCERNET_ALL_NETWORKS" in os.environ
NETWORKS = [name for name in MODELS if ALL or not name.startswith("backbone:")]


def test_the_class_is_in_the_region_and_nowhere_else() -> None:
    images, classes, regions = known.draw(40, 32, seed=5)
    same = known.draw(40, 32, seed=5)[0]
    np.testing.assert_array_equal(images, same)
    # Contrast is the same in every quadrant; only the colour of the rings tells them apart.
    colour = np.abs(images[..., 0].astype(float) - images[..., 1])
    grey = np.abs(images[..., 0].astype(float) - 150)
    for image, region, is_class in zip(colour, regions, classes == 1, strict=True):
        assert (image[region].mean() > 2 * image[~region].mean()) == is_class
    inside = np.mean([g[r].mean() for g, r in zip(grey, regions, strict=True)])
    outside = np.mean([g[~r].mean() for g, r in zip(grey, regions, strict=True)])
    assert abs(inside / outside - 1) < 0.1
    assert regions.mean() == known.CHANCE
    assert len({tuple(region[:, 0]) + tuple(region[0]) for region in regions}) == 4
    assert known.share_inside(np.ones(regions.shape), regions) == known.CHANCE
    assert known.share_inside(np.zeros(regions.shape), regions) == known.CHANCE


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_lie_where_the_class_is(name: str) -> None:
    if name not in CHEAP and not ALL:
        pytest.skip("a minute or more of training; CANCERNET_ALL_NETWORKS=1 runs it")
    row = known.judge(name)
    assert known.passes(row), row


def test_a_backbone_within_the_model_and_occlusion() -> None:
    size = 32
    keras.utils.set_random_seed(7)
    model = nested(size)
    known.train(model, known.Task(size, rate=5e-3, batch=32))
    images, classes, regions = known.draw(12, size, seed=2)
    images, regions = images[classes == 1], regions[classes == 1]
    # Occlusion knows nothing of gradients and finds the same place.
    covered = np.stack(
        [
            spread(occlusion(image, 1, probabilities=answers_of(model)), height=size, width=size)
            for image in images
        ]
    )
    assert known.share_inside(covered, regions) >= known.LEAST
    assert known.share_inside(covered[:, ::-1], regions) <= known.STRAYED  # turned, it is elsewhere
    row = known.judge_maps(model)
    assert known.passes(row) and row["hirescam"] >= known.LEAST, row


def nested(size: int) -> keras.Model:
    """A backbone as a model of its own, average pooling and softmax."""
    backbone = keras.Sequential([keras.Input((size, size, 3))])
    for filters in (12, 24):
        backbone.add(keras.layers.Conv2D(filters, 5, padding="same", activation="relu"))
        backbone.add(keras.layers.MaxPooling2D())
    image = keras.Input((size, size, 3))
    x = backbone(keras.layers.Rescaling(1 / 127.5, -1)(image))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(2, activation="softmax")(x))


def answers_of(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    return lambda batch: np.asarray(model(batch.astype(np.float32), training=False))
