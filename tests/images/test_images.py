"""Every kind of image becomes RGB in the stated way; every bad one gives a sentence."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cancernet.base.errors import ImageError
from cancernet.images import reading
from cancernet.images.reading import read_rgb, to_array
from tests.helpers.serving_examples import tiled_tiff


def encoded(image, image_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def pixels_of(content):
    image = read_rgb(content)
    assert image.mode == "RGB"
    return np.asarray(image)


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_keep_every_pixel(patch_image, image_format):
    assert np.array_equal(pixels_of(encoded(patch_image, image_format)), np.asarray(patch_image))


def test_jpeg_is_close(patch_image):
    found = pixels_of(encoded(patch_image, "JPEG", quality=95)).astype(int)
    assert np.abs(found - np.asarray(patch_image)).mean() < 6


def test_grey_is_repeated(patch_image):
    grey = patch_image.convert("L")
    found = pixels_of(encoded(grey, "PNG"))
    assert all(np.array_equal(found[..., channel], np.asarray(grey)) for channel in range(3))


def test_black_and_white():
    image = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert pixels_of(encoded(image, "PNG")).tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_palette_is_looked_up():
    image = Image.new("P", (1, 1), 1)
    image.putpalette([0, 0, 0, 200, 10, 30])
    assert pixels_of(encoded(image, "PNG")).tolist() == [[[200, 10, 30]]]


def test_transparent_pixels_lie_on_white():
    image = Image.fromarray(np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], np.uint8), "RGBA")
    assert pixels_of(encoded(image, "PNG")).tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_half_transparent_black_is_grey():
    image = Image.fromarray(np.array([[[0, 128]]], np.uint8), "LA")
    assert pixels_of(encoded(image, "PNG")).tolist() == [[[127, 127, 127]]]


def test_palette_with_transparency_lies_on_white():
    image = Image.new("P", (1, 1), 0)
    image.putpalette([1, 2, 3])
    assert pixels_of(encoded(image, "PNG", transparency=0)).tolist() == [[[255, 255, 255]]]


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_the_upper_byte(image_format):
    image = Image.fromarray(np.array([[0, 255, 256, 51200, 65535]], np.uint16))
    assert pixels_of(encoded(image, image_format))[0, :, 0].tolist() == [0, 0, 1, 200, 255]


def test_sixteen_bit_colour_keeps_the_upper_byte():
    # Pillow cannot write it, so the file is put together by hand (PNG specification).
    row = b"\0" + struct.pack(">HHH", 0x1234, 0xFFFF, 0x00FF)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row)),
        (b"IEND", b""),
    ]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    assert pixels_of(content).tolist() == [[[0x12, 0xFF, 0x00]]]


def test_floating_point_tiff_between_0_and_1():
    image = Image.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32))
    assert pixels_of(encoded(image, "TIFF"))[0, :, 0].tolist() == [0, 127, 255]


@pytest.mark.parametrize("value", [-1.0, 1e6, float("nan")])
def test_floating_point_outside_any_range_is_refused(value):
    image = Image.fromarray(np.array([[value, 0.5]], np.float32))
    with pytest.raises(ImageError, match="0-1"):
        read_rgb(encoded(image, "TIFF"))


def test_cmyk_jpeg():
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    red = pixels_of(encoded(image, "JPEG", quality=95))[4, 4]
    assert red[0] > 200 and red[1] < 60 and red[2] < 60


def test_exif_orientation_is_applied():
    image = Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to show upright
    found = pixels_of(encoded(image, "PNG", exif=exif))
    assert found[:, 0].tolist() == [[255, 0, 0], [0, 255, 0]]


def test_first_page_of_several():
    pages = [Image.new("RGB", (2, 2), colour) for colour in ((9, 8, 7), (1, 1, 1))]
    content = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert pixels_of(content)[0, 0].tolist() == [9, 8, 7]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"not an image at all", "not a PNG, JPEG, TIFF"),
        (b"GIF89a" + bytes(30), "not a PNG, JPEG, TIFF"),
        (b"RIFF" + bytes(4) + b"WEBPVP8 " + bytes(30), "not a PNG|damaged"),
        (b"P5\n90000 90000\n255\n", "more than 64,000,000 pixels"),
        (b"P5\n9 9\n255\nabc", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged|not a PNG"),
    ],
)
def test_bad_bytes_give_a_reason(content, reason):
    with pytest.raises(ImageError, match=reason):
        read_rgb(content)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF", "BMP"])
def test_truncated_files_are_refused(patch_image, image_format):
    content = encoded(patch_image, image_format)
    with pytest.raises(ImageError):
        read_rgb(content[: len(content) * 2 // 3])


def test_a_png_with_a_flipped_byte_is_refused(patch_image):
    content = bytearray(encoded(patch_image, "PNG"))
    content[len(content) // 2] ^= 0xFF
    with pytest.raises(ImageError):
        read_rgb(bytes(content))


def test_a_decompression_bomb_is_refused_before_decoding():
    bomb = encoded(Image.new("1", (9_000, 9_000)), "PNG")
    assert len(bomb) < 20_000
    with pytest.raises(ImageError, match="9000 x 9000 pixels, more than"):
        read_rgb(bomb)


@pytest.mark.parametrize("big", [False, True])
def test_a_tile_far_larger_than_its_image_is_refused_before_decoding(monkeypatch, big):
    monkeypatch.setattr(reading, "PLAIN_TILE", 64 * 64)
    assert pixels_of(tiled_tiff(16, 64, big=big)).shape == (16, 16, 3)
    assert pixels_of(tiled_tiff(100, 128, big=big)).shape == (100, 100, 3)
    with pytest.raises(ImageError, match=r"16 x 16 pixels are stored in a tile of 16,384; save it"):
        read_rgb(tiled_tiff(16, 128, big=big))
    with pytest.raises(ImageError, match="tile of 4,096"):
        read_rgb(tiled_tiff(16, 64, big=big), maximum_pixels=4000)


@pytest.mark.parametrize("big", [False, True])
def test_a_tile_whose_size_is_named_twice_is_refused(big):
    """Pillow would take the second size, libtiff makes room for the first."""
    with pytest.raises(ImageError, match="tag 322 twice"):
        read_rgb(tiled_tiff(16, 128, big=big, twice=True))


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        read_rgb(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="folder"):
        read_rgb(tmp_path)


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(content):
    with pytest.raises(ImageError):
        read_rgb(content)


@given(st.integers(0, 5000), st.integers(0, 255))
def test_a_changed_byte_never_raises_anything_else(position, value):
    content = bytearray(encoded(Image.new("RGB", (20, 20), (9, 99, 199)), "TIFF"))
    content[position % len(content)] = value
    with contextlib.suppress(ImageError):
        read_rgb(bytes(content))


def test_scaling_gives_the_networks_shape(patch_image):
    array = to_array(patch_image, width=48, height=40)
    assert array.shape == (40, 48, 3) and array.dtype == np.uint8


def test_no_scaling_changes_nothing(patch_image):
    assert np.array_equal(to_array(patch_image, width=50, height=50), np.asarray(patch_image))


def test_nearest_takes_only_values_that_are_there(patch_image):
    small = to_array(patch_image, width=48, height=48, interpolation="nearest")
    assert set(np.unique(small)) <= set(np.unique(np.asarray(patch_image)))
