"""Random changes of images: OpenCV against Keras's own transform, and what they do."""

import numpy as np
import pytest
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from cancernet.config import TrainConfig
from cancernet.training.data.augmentation import (
    Ranges,
    affine_matrices,
    change_colors,
    change_images,
    change_stains,
    draw_matrices,
    flip_matrices,
    quarter_turn_matrices,
    stain_matrices,
    turn,
    warp,
)
from cancernet.training.data.batches import image_data_generator, random_changes

TUTORIAL = TrainConfig()
NAMES = ("theta", "tx", "ty", "shear", "zx", "zy")


def image(height=48, width=48, seed=0):
    """Smooth structure and noise, so that a shift of a tenth of a pixel shows."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = np.stack([np.sin(rows / 5), np.cos(columns / 7), np.sin((rows + columns) / 9)], axis=2)
    noisy = 128 + 90 * waves + random.normal(0, 12, waves.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def matrix_of(parameters, size):
    numbers = {name: np.array([float(parameters[name])]) for name in NAMES}
    flips = [np.array([bool(parameters[f"flip_{way}"])]) for way in ("horizontal", "vertical")]
    return (affine_matrices(**numbers, size=size) @ flip_matrices(*flips, size))[0, :2]


@pytest.mark.parametrize("size", [(48, 48), (40, 56), (31, 30)])
@pytest.mark.parametrize("settings", [{}, {"rotation": 180.0, "shear": 30.0, "zoom": 0.5}])
def test_geometry_is_that_of_image_data_generator(size, settings):
    generator = image_data_generator(TrainConfig(**settings))
    picture = image(*size)
    for seed in range(30):
        parameters = generator.get_random_transform(picture.shape, seed=seed)
        stock = generator.apply_transform(picture.astype(np.float32), parameters)
        ours = warp(picture, matrix_of(parameters, size)).astype(np.float32)
        # Ours is rounded to whole grey values.
        assert np.abs(ours - stock).max() < 0.51
        assert np.abs(ours - stock).mean() < 0.3


def test_parameters_are_spread_as_those_of_image_data_generator():
    ranges = random_changes(image_data_generator(TUTORIAL), TUTORIAL)
    stock = ImageDataGenerator(
        rotation_range=20, zoom_range=0.05, width_shift_range=0.1, height_shift_range=0.1,
        shear_range=0.05, horizontal_flip=True, vertical_flip=True,
    )  # fmt: skip
    theirs = [
        matrix_of(stock.get_random_transform((48, 48, 3), seed=s), (48, 48)) for s in range(2000)
    ]
    ours = draw_matrices(2000, (48, 48), ranges, np.random.default_rng(1))
    for levels in (0.02, 0.25, 0.5, 0.75, 0.98):
        one, other = (np.quantile(m, levels, axis=0) for m in (ours, np.stack(theirs)))
        np.testing.assert_allclose(one[:, :2], other[:, :2], atol=0.1)
        np.testing.assert_allclose(one[:, 2], other[:, 2], atol=4)


def test_every_draw_stays_within_its_range():
    ranges = Ranges(rotation=20)
    cosines = draw_matrices(500, (48, 48), ranges, np.random.default_rng(1))[:, 0, 0]
    assert np.cos(np.deg2rad(20)) <= cosines.min() < np.cos(np.deg2rad(18)) < 0.999 < cosines.max()
    shifts = draw_matrices(500, (50, 40), Ranges(height_shift=0.1), np.random.default_rng(1))
    np.testing.assert_allclose(shifts[:, 1, 2], 0, atol=1e-12)
    assert 4.8 < shifts[:, 0, 2].max() <= 5 and -5 <= shifts[:, 0, 2].min() < -4.8


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize(("horizontal", "vertical"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_the_eight_symmetries_are_exact(turns, horizontal, vertical):
    picture = image()
    flips = flip_matrices(np.array([bool(horizontal)]), np.array([bool(vertical)]), (48, 48))
    matrix = (flips @ quarter_turn_matrices(np.array([turns]), 48))[0, :2]
    expected = picture[:: 1 - 2 * vertical, :: 1 - 2 * horizontal]
    for move in (warp, turn):
        np.testing.assert_array_equal(move(picture, matrix), np.rot90(expected, turns))


def test_flips_and_quarter_turns_give_all_eight_equally_often():
    ranges = Ranges(horizontal_flip=True, vertical_flip=True, quarter_turns=True)
    matrices = draw_matrices(4000, (48, 48), ranges, np.random.default_rng(2))
    _, counts = np.unique(
        np.round(matrices[:, :, :2]).reshape(4000, -1), axis=0, return_counts=True
    )
    assert len(counts) == 8 and counts.min() > 400 and counts.max() < 600


def test_nothing_changes_without_ranges():
    pictures = np.stack([image(seed=s) for s in range(4)])
    np.testing.assert_array_equal(
        change_images(pictures, Ranges(), np.random.default_rng(0)), pictures
    )


MOVES = {"rotation": 20, "height_shift": 0.1, "width_shift": 0.1, "shear": 9, "zoom": (0.8, 1.2)}


@pytest.mark.parametrize("move", [{}, *({name: value} for name, value in MOVES.items())])
def test_each_way_to_move_between_pixels_counts_by_itself(move):
    ranges = Ranges(horizontal_flip=True, quarter_turns=True, **move)
    pictures = np.stack([image(seed=s) for s in range(4)])
    matrices = draw_matrices(4, (48, 48), ranges, np.random.default_rng(1))
    np.testing.assert_array_equal(
        change_images(pictures, ranges, np.random.default_rng(1)),
        [warp(*pair) for pair in zip(pictures, matrices, strict=True)],
    )


def test_changes_follow_the_random_state_alone():
    pictures = np.stack([image(seed=s) for s in range(4)])
    before = pictures.copy()
    ranges = Ranges(rotation=30, color=0.2, stain=0.2)
    first, again, other = (
        change_images(pictures, ranges, np.random.default_rng(s)) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(pictures, before)


def restained(picture, *strengths):
    return change_stains(picture, stain_matrices(np.array([strengths]))[0])


def test_stains_and_colours_of_strength_one_change_nothing():
    picture = np.random.default_rng(3).integers(1, 256, (20, 20, 3)).astype(np.uint8)
    np.testing.assert_array_equal(restained(picture, 1, 1), picture)
    np.testing.assert_array_equal(change_colors(picture, 1, 1, 1), picture)


def test_stain_strength_against_beer_lambert():
    # A pixel of haematoxylin alone, with half and with one and a half of its amount.
    absorption = np.array([0.65, 0.70, 0.29]) / np.linalg.norm([0.65, 0.70, 0.29])
    pixel = (255 * np.exp(-0.8 * absorption)).round().astype(np.uint8)[None, None]
    for factor in (0.5, 1.5):
        expected = 255 * np.exp(-0.8 * factor * absorption)
        found = restained(pixel, factor, 1)
        np.testing.assert_allclose(found[0, 0], expected, atol=2)
        unaffected = restained(pixel, 1, factor)
        np.testing.assert_allclose(unaffected[0, 0], pixel[0, 0], atol=2)
    white = np.full((3, 3, 3), 255, np.uint8)
    np.testing.assert_array_equal(restained(white, 1.5, 0.5), white)


def test_colour_changes_against_their_definitions():
    picture = image()
    grey = picture @ np.array([0.299, 0.587, 0.114])
    brighter = change_colors(picture, 0.8, 1, 1).astype(float)
    np.testing.assert_allclose(brighter, 0.8 * picture, atol=0.51)
    flatter = change_colors(picture, 1, 0.5, 1).astype(float)
    np.testing.assert_allclose(flatter, grey.mean() + 0.5 * (picture - grey.mean()), atol=0.6)
    paler = change_colors(picture, 1, 1, 0.0).astype(float)
    np.testing.assert_allclose(paler, np.repeat(grey[..., None], 3, axis=2), atol=0.6)
    # Beyond white and black it stops there instead of wrapping around.
    np.testing.assert_allclose(
        change_colors(picture, 2, 1, 1), np.minimum(2.0 * picture, 255), atol=0.51
    )
