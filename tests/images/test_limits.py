"""Values and sizes at exactly a limit, and one beyond."""

import io

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import ImageError
from cancernet.images import reading
from cancernet.images.reading import read_rgb


def tiff(values, kind):
    buffer = io.BytesIO()
    Image.fromarray(np.array(values, kind)).save(buffer, "TIFF")
    return buffer.getvalue()


def first_channel(content):
    return np.asarray(read_rgb(content))[..., 0].tolist()


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([[0, 255]], np.int32, [[0, 255]]),
        ([[0, 256]], np.int32, [[0, 64]]),
        ([[255, 65535]], np.int32, [[0, 255]]),
        ([[0, 1]], np.int32, [[0, 1]]),
        ([[0, 255]], np.uint16, [[0, 255]]),
        ([[256, 65535]], np.uint16, [[1, 255]]),
        ([[0.0, 1.0]], np.float32, [[0, 255]]),
        ([[0.5, 1.0]], np.float32, [[127, 255]]),
        ([[0.5, 1.5]], np.float32, [[0, 1]]),
        ([[0.0, 255.0]], np.float32, [[0, 255]]),
    ],
)
def test_the_smallest_range_that_holds_the_values_is_taken(values, kind, expected):
    assert first_channel(tiff(values, kind)) == expected


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        ([[0, 65536]], np.int32, "its values are not in 0-65535"),
        ([[-1, 0]], np.int32, "its values are not in 0-65535"),
        ([[-0.01, 1.0]], np.float32, "its floating-point values are not in 0-1 or 0-255"),
        ([[0.0, 255.5]], np.float32, "floating-point"),
        ([[np.nan, 1.0]], np.float32, "floating-point"),
        ([[np.inf, 1.0]], np.float32, "floating-point"),
    ],
)
def test_values_beyond_every_range_are_refused(values, kind, said):
    with pytest.raises(ImageError, match=said):
        read_rgb(tiff(values, kind))


def png(width, height):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def test_as_many_pixels_as_the_limit_are_read():
    assert read_rgb(png(20, 10), maximum_pixels=200).size == (20, 10)
    with pytest.raises(ImageError, match="20 x 10 pixels, more than the limit of 199"):
        read_rgb(png(20, 10), maximum_pixels=199)


def test_as_many_bytes_as_the_limit_are_read(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(png(4, 4))
    size = path.stat().st_size
    monkeypatch.setattr(reading, "MAXIMUM_BYTES", size)
    assert read_rgb(path).size == (4, 4)
    monkeypatch.setattr(reading, "MAXIMUM_BYTES", size - 1)
    with pytest.raises(ImageError, match="larger than"):
        read_rgb(path)
