"""Test-time augmentation: what a network says of an image's orientations, averaged."""

import keras
import numpy as np
import pytest

from cancernet.config import TEST_TIME_AUGMENTATIONS
from cancernet.explaining.gradients import Gradients
from cancernet.models.preprocessing import ORIENTATIONS, in_orientations
from cancernet.models.registry import build_model
from cancernet.models.weights import load_weights
from cancernet.training.export import write_verified

BY_NUMPY = {
    "none": lambda image: [image],
    "mirror": lambda image: [image, np.fliplr(image)],
    "turn": lambda image: [image, np.rot90(image)],
    "quarter-turns": lambda image: [np.rot90(image, k) for k in range(4)],
    "symmetries": lambda image: [
        flip(np.rot90(image, k)) for k in range(4) for flip in (np.array, np.fliplr)
    ],
}


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    return build_model("cancernet", (24, 24, 3), 3)


def images(number):
    return np.random.default_rng(0).integers(0, 256, (number, 24, 24, 3)).astype(np.uint8)


def test_the_setting_names_every_kind():
    assert tuple(ORIENTATIONS) == TEST_TIME_AUGMENTATIONS == tuple(BY_NUMPY)


@pytest.mark.parametrize("kind", TEST_TIME_AUGMENTATIONS)
def test_it_is_the_geometric_mean_over_the_turned_images(network, kind):
    pixels = images(4).astype(np.float32)
    each = np.array([network(np.array(BY_NUMPY[kind](image))).numpy() for image in pixels])
    mean = np.exp(np.log(each).mean(axis=1))
    found = in_orientations(network, kind)(pixels).numpy()
    np.testing.assert_allclose(found, mean / mean.sum(axis=1, keepdims=True), atol=1e-6)


def test_of_two_classes_it_is_the_mean_of_log_odds(network):
    two = keras.Model(network.inputs[0], keras.ops.softmax(network.layers[-1].output[:, :2]))
    pixels = images(3).astype(np.float32)
    turned = two(np.array([np.rot90(image) for image in pixels])).numpy()
    log_odds = [np.log(p[:, 1] / p[:, 0]) for p in (two(pixels).numpy(), turned)]
    found = in_orientations(two, "turn")(pixels).numpy()
    np.testing.assert_allclose(np.log(found[:, 1] / found[:, 0]), np.mean(log_odds, 0), atol=1e-5)


def test_its_files_agree_and_serve_as_first_weights_and_for_heat_maps(network, tmp_path):
    path = tmp_path / "m.keras"
    write_verified(network, "quarter-turns", path, tmp_path / "m.onnx", images(5))
    other = build_model("cancernet", (24, 24, 3), 3)
    assert load_weights(other, str(path)).part == "network"
    for loaded, own in zip(other.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, own)
    plain, averaged = Gradients(network), Gradients.of_file(path)
    assert averaged.layer_name(None) == plain.layer_name(None)
    np.testing.assert_allclose(
        averaged.at(images(1)[0], 1)[0], plain.at(images(1)[0], 1)[0], rtol=1e-4, atol=1e-5
    )
