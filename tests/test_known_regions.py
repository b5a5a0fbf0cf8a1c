"""Heat maps on images whose class sits in one known quadrant; with shuffled weights they stray.

All registered networks: `benchmarks/known_regions.py`; its table is in benchmarks/README.md.
"""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from cancernet.explaining.gradients import Gradients
from cancernet.explaining.maps import GRADIENT_METHODS, spread
from cancernet.explaining.occlusion import occlusion
from cancernet.models import build_model
from tests import known_regions as known

CHANCE, MOST, STRAYED = 0.25, 0.5, 0.4


def shares(
    model: keras.Model, images: np.ndarray, regions: np.ndarray, class_index: int = 1
) -> dict[str, float]:
    """Share of every gradient method's mass that lies in the right quadrant."""
    gradients, side = Gradients(model), images.shape[1]
    found = [gradients.at(image, class_index)[:2] for image in images]
    return {
        name: known.share_inside(
            np.stack([spread(method(*pair), height=side, width=side) for pair in found]), regions
        )
        for name, method in GRADIENT_METHODS.items()
    }


def of_class_1(size: int, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    images, classes, regions = known.draw(count, size, seed=2)
    return images[classes == 1], regions[classes == 1]


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
    assert regions.mean() == CHANCE
    assert len({tuple(region[:, 0]) + tuple(region[0]) for region in regions}) == 4
    assert known.share_inside(np.ones(regions.shape), regions) == CHANCE
    assert known.share_inside(np.zeros(regions.shape), regions) == CHANCE


@pytest.mark.parametrize("name", ["cancernet", "simple-cnn", "kernel-cnn"])
def test_networks_with_a_fitted_read_out(name: str) -> None:
    size = 48
    keras.utils.set_random_seed(7)
    model = build_model(name, (size, size, 3), 2)
    images, classes, _ = known.draw(64, size, seed=1)
    known.fit_read_out(model, images, classes)
    images, regions = of_class_1(size)
    assert shares(model, images, regions)["grad-cam"] >= MOST
    known.shuffle_read_out(model, seed=3)
    # Shuffled, either class may be the one with nothing in its favour.
    strayed = [shares(model, images, regions, index)["grad-cam"] for index in (0, 1)]
    assert max(strayed) <= STRAYED and strayed != [CHANCE, CHANCE], strayed


def trained(build: Callable[[], keras.Model], size: int, epochs: int) -> keras.Model:
    keras.utils.set_random_seed(7)
    model = build()
    images, classes, _ = known.draw(256, size, seed=1)
    model.compile(
        optimizer=keras.optimizers.Adam(2e-3),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(
        images.astype(np.float32), np.eye(2)[classes], batch_size=32, epochs=epochs, verbose=0
    )
    assert history.history["accuracy"][-1] > 0.95
    return model


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


@pytest.mark.parametrize("kind", ["simple-cnn", "nested"])
def test_trained_networks(kind: str) -> None:
    size = 32
    builders = {
        "simple-cnn": lambda: build_model("simple-cnn", (size, size, 3), 2),
        "nested": lambda: nested(size),
    }
    model = trained(builders[kind], size, epochs=12)
    images, regions = of_class_1(size)
    found = shares(model, images, regions)
    assert found["grad-cam"] >= MOST and found["hirescam"] >= MOST, found
    # Occlusion knows nothing of gradients and finds the same place.
    covered = np.stack(
        [
            spread(occlusion(image, 1, probabilities=_answers(model)), height=size, width=size)
            for image in images[:6]
        ]
    )
    assert known.share_inside(covered, regions[:6]) >= MOST
    known.shuffle_weights(model, seed=3)
    assert shares(model, images, regions)["grad-cam"] <= STRAYED


def _answers(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    return lambda batch: np.asarray(model(batch.astype(np.float32), training=False))
