"""Preprocessing in the graph against Keras's own and OpenCV's."""

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cancernet.models.preprocessing import KERNELS, filter_and_stretch, filter_image, preprocess
from cancernet.networks import APPLICATIONS
from cancernet.training.report import kernel_views

MODULES = [
    module
    for name in dir(keras.applications)
    if name.islower() and hasattr(module := getattr(keras.applications, name), "preprocess_input")
]


def in_graph(rule: str, pixels: np.ndarray) -> np.ndarray:
    image = keras.Input(pixels.shape[1:])
    return np.asarray(keras.Model(image, preprocess(image, rule))(pixels))


def pixels_of_every_kind() -> np.ndarray:
    return np.random.default_rng(4).uniform(0, 255, (2, 5, 7, 3)).astype(np.float32)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_backbones_get_what_keras_gives_them(name: str) -> None:
    pixels = pixels_of_every_kind()
    # Keras shows MobileNetV3 in no module of its own.
    module = next((m for m in MODULES if hasattr(m, name)), keras.applications.mobilenet_v3)
    expected = module.preprocess_input(pixels.copy())
    # Keras's newer networks scale inside, with layers; `preprocess_input` does nothing there.
    if name.startswith("MobileNetV3"):
        expected = pixels / 127.5 - 1
    elif name in ("EfficientNetV2S", "EfficientNetV2M", "EfficientNetV2L"):
        expected = pixels / 128 - 1
    elif name.startswith(("EfficientNet", "ConvNeXt")):
        expected = keras.applications.densenet.preprocess_input(pixels.copy())
    else:
        assert not np.array_equal(expected, pixels)
    found = in_graph(APPLICATIONS[name].preprocessing, pixels)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_caffe_is_blue_green_red() -> None:
    red = np.zeros((1, 1, 1, 3), np.float32)
    red[..., 0] = 200
    np.testing.assert_allclose(
        in_graph("caffe", red).ravel(), [-103.939, -116.779, 200 - 123.68], atol=1e-4
    )


def test_the_kernels_are_the_published_ones() -> None:
    sixteenth = 1 / 16
    assert KERNELS["gaussian"].tolist() == [
        [sixteenth, 1 / 8, sixteenth],
        [1 / 8, 1 / 4, 1 / 8],
        [sixteenth, 1 / 8, sixteenth],
    ]
    assert KERNELS["mean"].tolist() == [[pytest.approx(1 / 9)] * 3] * 3
    assert KERNELS["sharpening"].tolist() == [[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]]


@pytest.mark.parametrize("kernel", KERNELS)
def test_filter_is_opencv_filter2d_and_min_max(kernel: str) -> None:
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (2, 21, 34, 3)).astype(np.float32)
    found = np.asarray(filter_and_stretch(pixels, kernel))
    for image, one in zip(pixels, found, strict=True):
        filtered = cv2.filter2D(image, -1, KERNELS[kernel])
        expected = cv2.normalize(filtered, None, 0, 255, cv2.NORM_MINMAX) / 255
        np.testing.assert_allclose(one, expected, atol=2e-6)


def test_the_picture_shows_every_kernel() -> None:
    pixels = np.random.default_rng(6).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    views = kernel_views(pixels, "mean")
    assert views.used == "mean" and list(views.coefficients) == list(KERNELS)
    batch = pixels[None].astype(np.float32)
    for kernel in KERNELS:
        filtered, stretched = filter_image(batch, kernel), filter_and_stretch(batch, kernel)
        np.testing.assert_array_equal(views.filtered[kernel], np.asarray(filtered)[0])
        np.testing.assert_array_equal(views.stretched[kernel], np.asarray(stretched)[0])


def test_an_image_of_less_than_one_grey_level_is_flat() -> None:
    """Its differences are rounding, not tissue, and must not be stretched to black and white."""
    rounding = np.random.default_rng(7).uniform(0, 1e-3, (1, 8, 8, 3)).astype(np.float32)
    for kernel in KERNELS:
        assert np.asarray(filter_and_stretch(100 + rounding, kernel)).max() < 0.02


@settings(max_examples=30, deadline=None)
@given(
    kernel=st.sampled_from(list(KERNELS)),
    seed=st.integers(0, 10_000),
    low=st.integers(0, 255),
    high=st.integers(0, 255),
)
def test_each_image_fills_0_to_1_on_its_own(kernel: str, seed: int, low: int, high: int) -> None:
    low, high = min(low, high), max(low, high)
    rng = np.random.default_rng(seed)
    one = rng.integers(low, high + 1, (9, 9, 3)).astype(np.float32)
    other = np.full_like(one, 255)
    found = np.asarray(filter_and_stretch(np.stack([one, other]), kernel))
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.abs(found[1]).max() < 1e-3  # flat stays flat
    filtered = cv2.filter2D(one, -1, KERNELS[kernel])
    if filtered.max() - filtered.min() > 1.001:
        assert found[0].max() == pytest.approx(1)
