"""What stands between a path and pixels: odd files, sizes, orientation, a TIFF's directory."""

import base64
import io
import os
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import ImageError, NoMemoryError
from cancernet.images import reading
from cancernet.images.formats import kind_of
from cancernet.images.reading import (
    CannotReadError,
    largest_tile,
    pixels_decoded,
    read_file,
    read_rgb,
    to_array,
    to_rgb,
)

SIDEWAYS = 6  # EXIF: turn a quarter clockwise to show upright


def encoded(image, image_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def directory(tags, *, order="<", big=False, entries=None):
    """A TIFF's header and first directory: (tag, type, count, value) each."""
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    start += struct.pack(order + ("HHQ" if big else "L"), *((8, 0, 16) if big else (8,)))
    start += struct.pack(order + ("Q" if big else "H"), len(tags) if entries is None else entries)
    for tag, kind, count, value in tags:
        start += struct.pack(order + ("HHQ" if big else "HHL"), tag, kind, count)
        packed = struct.pack(order + {1: "B", 3: "H", 4: "L", 16: "Q"}.get(kind, "L"), value)
        start += packed.ljust(8 if big else 4, b"\0")
    return start


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_the_tile_of_a_directory(order, big):
    def tile(*tags, **more):
        return largest_tile(directory(tags, order=order, big=big, **more))

    assert tile((256, 4, 1, 9), (322, 4, 1, 70_000), (323, 3, 1, 300)) == 21_000_000
    assert tile((322, 1, 1, 200), (323, 3, 1, 300), (256, 3, 1, 1)) == 60_000
    if big:
        assert tile((322, 16, 1, 1 << 33), (323, 3, 1, 2)) == 1 << 34
    assert tile() == tile((322, 4, 1, 70)) == tile((323, 4, 1, 70)) == 0
    # Two values, or a fraction, are not a size.
    assert tile((322, 3, 2, 70), (323, 3, 1, 300)) == tile((322, 5, 1, 7), (323, 3, 1, 3)) == 0
    assert tile((305, 4, 1, 1), (305, 4, 1, 1)) == 0  # the same name twice matters nowhere else
    for tag in (256, 257, 258, 277, 278, 284, 322, 323):
        with pytest.raises(ImageError, match=f"names tag {tag} twice"):
            tile((tag, 4, 1, 1), (tag, 4, 1, 1))


@pytest.mark.parametrize("big", [False, True])
def test_a_directory_that_is_cut_off_or_far_too_long_is_refused(big):
    whole = directory([(256, 4, 1, 9), (322, 4, 1, 70)], big=big)
    for length in (4, len(whole) // 2, len(whole) - (5 if big else 1)):
        with pytest.raises(ImageError, match="TIFF directory is cut off"):
            largest_tile(whole[:length])
    with pytest.raises(ImageError, match="is cut off"):
        largest_tile(directory([], big=big, entries=65_535))


def test_a_directory_of_too_many_tags_is_refused():
    with pytest.raises(ImageError, match="has 65,536 tags"):
        largest_tile(directory([], big=True, entries=65_536))


def test_the_pixels_that_decoding_makes_room_for(monkeypatch):
    from tests.helpers.serving_examples import tiled_tiff

    for content, pixels in (
        (tiled_tiff(16, 64), 64 * 64),
        (tiled_tiff(100, 64), 100 * 100),
        (encoded(Image.new("L", (7, 5)), "PNG"), 35),
    ):
        with Image.open(io.BytesIO(content)) as image:
            assert pixels_decoded(image, content) == pixels
    # Four times the image's own pixels are allowed beside the plain tile.
    for plain, refused in ((64 * 64 - 4 * 256, False), (64 * 64 - 4 * 256 - 1, True)):
        monkeypatch.setattr(reading, "PLAIN_TILE", plain)
        if refused:
            with pytest.raises(ImageError, match="16 x 16 pixels are stored in a tile of 4,096"):
                read_rgb(tiled_tiff(16, 64))
        else:
            assert read_rgb(tiled_tiff(16, 64)).size == (16, 16)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF"])
def test_every_format_is_turned_upright(image_format):
    exif = Image.Exif()
    exif[0x0112] = SIDEWAYS
    image = Image.new("RGB", (32, 16), (255, 0, 0))
    image.paste((0, 0, 255), (16, 0, 32, 16))
    found = np.asarray(read_rgb(encoded(image, image_format, exif=exif)))
    assert found.shape == (32, 16, 3)
    assert found[4, 8].argmax() == 0 and found[28, 8].argmax() == 2


def test_a_png_with_text_may_be_turned_too():
    from PIL.PngImagePlugin import PngInfo

    exif = Image.Exif()
    exif[0x0112] = SIDEWAYS
    notes = PngInfo()
    notes.add_text("Comment", "scanned")
    content = encoded(Image.new("RGB", (6, 3)), "PNG", exif=exif, pnginfo=notes, dpi=(72, 72))
    assert read_rgb(content).size == (3, 6)


def test_a_colour_that_stands_for_transparent_lies_on_white():
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    found = read_rgb(encoded(image, "PNG", transparency=(1, 2, 3)))
    assert np.asarray(found).tolist() == [[[255, 255, 255], [4, 5, 6]]]
    grey = Image.fromarray(np.array([[1, 2]], np.uint8))
    found = read_rgb(encoded(grey, "PNG", transparency=1))
    assert np.asarray(found)[..., 0].tolist() == [[255, 2]]
    deep = Image.fromarray(np.array([[512, 65535]], np.uint16))
    found = read_rgb(encoded(deep, "PNG", transparency=512))
    assert np.asarray(found)[..., 0].tolist() == [[2, 255]]


def test_a_path_gives_what_its_bytes_give(tmp_path):
    content = encoded(Image.new("RGB", (3, 2), (9, 8, 7)), "PNG")
    (tmp_path / "a.png").write_bytes(content)
    assert np.array_equal(read_rgb(tmp_path / "a.png"), read_rgb(content))
    found, status = read_file(tmp_path / "a.png")
    assert found == content and status.st_size == len(content)


def test_a_file_that_comes_in_pieces_is_read_to_its_end(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"abcdefg")
    asked, read = [], os.read

    def piece(file, size):
        asked.append(size)
        return read(file, min(size, 3))

    monkeypatch.setattr(os, "read", piece)
    assert read_file(tmp_path / "a")[0] == b"abcdefg" and asked == [8, 7, 7]
    monkeypatch.setattr(os, "read", lambda file, size: b"ab" if len(asked) < 4 else b"")
    asked[3:] = [0]  # another program cut it off meanwhile: it ends, and is shorter
    assert read_file(tmp_path / "a")[0] == b""


def test_what_is_no_regular_file_is_refused(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    for path, words in (
        (tmp_path / "pipe", "this is a pipe or a device, not an image file"),
        (tmp_path / "link", "the link leads nowhere"),
        (tmp_path, "this is a folder, not an image"),
        (tmp_path / "none", "there is no such file"),
        (tmp_path / "a\0b", "there is no such file"),
    ):
        with pytest.raises(CannotReadError) as refused:
            read_file(path)
        assert str(refused.value) == refused.value.detail == words
    with pytest.raises(CannotReadError) as refused:
        read_file(tmp_path / ("n" * 300))
    assert str(refused.value) == "the file cannot be read (File name too long)"
    assert refused.value.detail == "File name too long"
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(CannotReadError):
            read_file(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before

    def fails(*arguments):
        raise OSError("odd")

    monkeypatch.setattr(os, "open", fails)
    with pytest.raises(CannotReadError, match=r"cannot be read \(odd\)"):
        read_file(tmp_path / "a")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (MemoryError(), NoMemoryError, "the image does not fit into memory"),
        (Image.DecompressionBombError(), ImageError, "the image has more than 64,000,000 pixels"),
        (KeyError("\nx" * 9), ImageError, "the image is damaged ('\\nx"),
        (ValueError("y" * 200), ImageError, f"the image is damaged ({'y' * 120})"),
    ],
)
def test_whatever_a_decoder_raises_is_a_sentence(monkeypatch, error, kind, words):
    def fails(content):
        raise error

    monkeypatch.setattr(reading, "open_image", fails)
    with pytest.raises(kind) as refused:
        read_rgb(b"x")
    assert type(refused.value) is kind and str(refused.value).startswith(words)


def test_the_size_that_is_refused_is_named():
    with pytest.raises(ImageError) as refused:
        read_rgb(encoded(Image.new("L", (3, 2)), "PNG"), maximum_pixels=5)
    assert str(refused.value) == "the image has 3 x 2 pixels, more than the limit of 5"


def test_scaling_is_that_of_pillow(patch_image):
    for name, filter_ in reading.INTERPOLATIONS.items():
        found = to_array(patch_image, width=20, height=30, interpolation=name)
        assert np.array_equal(found, np.asarray(patch_image.resize((20, 30), filter_)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = to_array(patch_image, width=20, height=50)
    bilinear = patch_image.resize((20, 50), Image.Resampling.BILINEAR)
    assert np.array_equal(plain, np.asarray(bilinear)) and plain.dtype == np.uint8


def test_a_file_in_base64_is_the_image(patch_image):
    for kind, apart in (("PNG", 0), ("JPEG", 40)):
        content = base64.b64decode(reading.encoded(patch_image, kind), validate=True)
        found = np.asarray(read_rgb(content)).astype(int)
        assert kind_of(content) == kind
        assert np.abs(found - np.asarray(patch_image)).max() <= apart


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa"])
def test_what_is_transparent_lies_on_white_in_every_mode(mode):
    image = Image.new("RGBA" if mode == "RGBa" else mode, (1, 1))
    assert to_rgb(image.convert(mode)).getpixel((0, 0)) == (255, 255, 255)
    opaque = Image.new("L", (1, 1), 7)
    assert to_rgb(opaque) is not opaque and to_rgb(opaque).getpixel((0, 0)) == (7, 7, 7)


@pytest.mark.parametrize("image_format", ["TGA", "PCX", "ICO", "SGI"])
def test_other_formats_are_refused_though_pillow_reads_them(image_format):
    content = encoded(Image.new("RGB", (4, 4)), image_format)
    with pytest.raises(ImageError, match="not a PNG, JPEG, TIFF"):
        read_rgb(content)


@pytest.mark.parametrize("offset", [1 << 40, (1 << 64) - 16])
def test_a_directory_that_lies_nowhere_is_refused(offset):
    whole = bytearray(directory([(322, 4, 1, 70), (323, 4, 1, 70)], big=True))
    whole[8:16] = struct.pack("<Q", offset)
    whole += bytes(16)
    with pytest.raises(ImageError, match="is cut off"):
        largest_tile(bytes(whole))
