"""Formats told by content: the same pixels in each, damage and size in a sentence."""

import contextlib
import io
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cancernet.base.errors import ImageError
from cancernet.base.words import IMAGES_READ
from cancernet.images import formats, reading
from cancernet.images.formats import _KINDS, ODDITY, Oddity
from cancernet.images.plain_png import (
    WORTH_LOADING,
    packed_pixels,
    plain_png,
    scale_together,
    unpacked,
)
from cancernet.images.reading import INTERPOLATIONS, read_rgb, to_array

PICTURE = np.random.default_rng(4).integers(0, 256, (9, 7, 3), np.uint8)
PICTURE[..., 1:] = PICTURE[..., :1]  # grey, so that a palette of 256 holds it
WRITTEN = {"GIF": {}, "PPM": {}, "WEBP": {"lossless": True}, "JPEG2000": {"irreversible": False}}


def written(kind, pixels=PICTURE, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **WRITTEN[kind], **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", WRITTEN)
def test_the_same_pixels_in_every_format_whatever_the_name(kind, tmp_path):
    (tmp_path / "picture.png").write_bytes(written(kind))
    assert np.array_equal(np.asarray(read_rgb(tmp_path / "picture.png")), PICTURE)


def test_opencv_and_hand_written_files_are_read():
    import cv2

    for suffix in (".pgm", ".ppm", ".webp"):
        flags = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
        pixels = PICTURE[..., 0] if suffix == ".pgm" else PICTURE[..., ::-1]
        found, content = cv2.imencode(suffix, pixels, flags)
        assert found
        error = np.abs(np.asarray(read_rgb(content.tobytes())).astype(int) - PICTURE).max()
        assert error == 0, suffix
    plain = b"P2\n# mini-MIAS\n2 1\n4095\n0 4095\n"
    assert np.asarray(read_rgb(plain))[..., 0].tolist() == [[0, 255]]


def test_of_a_gif_the_first_frame_counts():
    frames = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (10, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert np.asarray(read_rgb(buffer.getvalue())).max() == 10


@pytest.mark.parametrize("big", [False, True])
def test_of_a_tiff_the_largest_page_counts(big):
    tifffile = pytest.importorskip("tifffile")
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, bigtiff=big) as file:
        for side, value in ((20, 1), (64, 2), (64, 3), (32, 4)):
            file.write(np.full((side, side), value, np.uint8), tile=(32, 32) if side > 60 else None)
    found = read_rgb(buffer.getvalue())
    assert (
        found.size == (64, 64)
        and np.asarray(found).max() == 2
        and found.info[ODDITY] == Oddity.PAGE
    )


def test_pages_beyond_the_limit_are_not_looked_at(monkeypatch):
    first, *others = (Image.new("L", (side, 9), side) for side in (20, 30, 64))
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=others)
    for limit, side in ((1, 20), (2, 30), (3, 64), (4, 64)):
        monkeypatch.setattr(formats, "MOST_PAGES", limit)
        found = read_rgb(buffer.getvalue())
        assert found.width == np.asarray(found).max() == side
        assert (ODDITY in found.info) == (side > 20)


@pytest.mark.parametrize("kind", WRITTEN)
def test_damaged_files_are_refused_in_a_sentence(kind):
    content = written(kind)
    random = np.random.default_rng(8)
    for _ in range(60):
        broken = bytearray(content)
        for place in random.integers(0, len(broken), 3):
            broken[place] = random.integers(0, 256)
        with contextlib.suppress(ImageError):
            read_rgb(bytes(broken[: random.integers(1, len(broken) + 1)]))
    with pytest.raises(ImageError):
        read_rgb(content[:20])


@pytest.mark.parametrize("kind", WRITTEN)
def test_too_many_pixels_are_refused_before_decoding(kind, monkeypatch):
    content = written(kind)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(ImageError, match="7 x 9 pixels, more than the limit of 62"):
        read_rgb(content, maximum_pixels=62)


def test_only_the_plugin_that_is_needed_is_loaded():
    code = (
        "import sys, io; from PIL import Image; from cancernet.images.reading import read_rgb\n"
        "file = io.BytesIO(); Image.new('RGB', (2, 2)).save(file, 'PNG')\n"
        "read_rgb(file.getvalue())\n"
        "print([m for m in sys.modules if 'WebP' in m or 'Jpeg2K' in m or 'TiffImage' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_format_is_named_where_a_person_chooses_files():
    named = IMAGES_READ.upper().replace(" ", "")
    assert [kind for kind in _KINDS if kind not in named] == []


def test_a_tiff_of_another_packing_is_not_called_another_format():
    tifffile = pytest.importorskip("tifffile")
    imagecodecs = pytest.importorskip("imagecodecs")
    pixels = np.zeros((32, 32, 3), np.uint8)
    for packing, words in (("webp", "packed with WebP"), ("jpeg2000", "a TIFF of a kind that is")):
        assert imagecodecs
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, pixels, compression=packing, photometric="rgb", tile=(32, 32))
        with pytest.raises(ImageError, match=words):
            read_rgb(buffer.getvalue())


def png(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def texts(**entries):
    info = PngInfo()
    for name, text in entries.items():
        info.add_text(name, text)
    return info


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return found


RGB = Image.fromarray(PICTURE)
GREY = RGB.convert("L")
ORDINARY = {
    "rgb": png(RGB),
    "grey": png(GREY),
    "many parts": png(Image.effect_noise((300, 300), 90).convert("RGB")),
    "dots per inch": png(RGB, dpi=(300, 300)),
    "as large as the limit": png(Image.new("L", (400, 250))),
    "a text as long as may be": png(RGB, pnginfo=texts(Comment="a" * ((1 << 16) - 8))),
    "said who drew it": png(RGB, pnginfo=texts(Software="a program", Description="")),
}
ODD = {
    "palette": png(RGB.quantize()),
    "transparent": png(RGB.convert("RGBA")),
    "one colour transparent": png(RGB, transparency=(PICTURE[0, 0].tolist())),
    "turned": png(RGB, exif=exif(6)),
    "text taken for a tag": png(RGB, pnginfo=texts(transparency="1")),
    "a longer text": png(RGB, pnginfo=texts(Comment="a" * ((1 << 16) - 7))),
    "16 bits": png(Image.fromarray(PICTURE[..., 0].astype(np.uint16) * 256)),
    "one bit": png(GREY.convert("1")),
    "cut off": png(RGB)[:-20],
    "no end": png(RGB)[:-12],
    "checksum": png(RGB)[:29] + b"\0\0\0\0" + png(RGB)[33:],
    "a header twice": png(RGB)[:33] + png(RGB)[8:],
    "no pixels": png(RGB)[:33] + png(RGB)[-12:],
    "too large": png(Image.new("L", (400, 400))),
}
LIMIT = 100_000  # pixels


def read_both_ways(content, monkeypatch):
    """What `read_rgb` makes of a file with the direct way, and without it."""
    found = []
    for way in (reading.plain_png, lambda content, maximum_pixels: None):
        monkeypatch.setattr(reading, "plain_png", way)
        try:
            image = read_rgb(content, maximum_pixels=LIMIT)
            found.append((image.mode, image.size, image.tobytes()))
        except ImageError as error:
            found.append(str(error))
        monkeypatch.undo()
    return found


@pytest.mark.parametrize("name", [*ORDINARY, *ODD])
def test_png_files_are_decoded_directly_or_as_pillow_does(name, monkeypatch):
    content = (ORDINARY | ODD)[name]
    assert (plain_png(content, LIMIT) is not None) == (name in ORDINARY)
    direct, pillow = read_both_ways(content, monkeypatch)
    assert direct == pillow


def test_damaged_png_files_are_answered_alike(monkeypatch):
    random = np.random.default_rng(5)
    whole = bytearray(ORDINARY["said who drew it"])
    for _ in range(400):
        damaged = whole.copy()
        for place in random.integers(0, len(whole), random.integers(1, 4)):
            damaged[place] = random.integers(256)
        direct, pillow = read_both_ways(bytes(damaged[: random.integers(40, 500)]), monkeypatch)
        assert direct == pillow


def noise(seed, height, width, mode):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return png(Image.fromarray(pixels).resize((width, height)).convert(mode))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize(("width", "height"), [(48, 48), (30, 20), (50, 60)])
def test_small_png_files_are_scaled_together_as_one_by_one(interpolation, width, height):
    """Pixel for pixel, whatever lies between them, unpacked by ISA-L or, for a few, by zlib."""
    shapes = (
        (50, 50, "RGB"),
        (50, 50, "L"),
        (50, 31, "RGB"),
        (31, 50, "RGB"),
        (48, 48, "RGB"),
        (7, 9, "L"),
    )
    plain = [noise(n, *shape) for n, shape in enumerate(shapes * 14)]
    contents = [*plain[:40], *ODD.values(), "a path", b"", plain[0][:20], *plain[40:]]
    assert len(contents) > WORTH_LOADING
    how = {"width": width, "height": height}
    for some in (contents, contents[:44]):
        found = scale_together(some, **how, resampling=INTERPOLATIONS[interpolation])
        places = {place for place, each in enumerate(some) if each in plain}
        assert found.keys() <= places and len(found) > len(places) // 2
        for place, (pixels, size) in found.items():
            image = read_rgb(some[place])
            assert size == image.size
            expected = to_array(image, **how, interpolation=interpolation)
            assert np.array_equal(pixels, expected)


def test_what_would_grow_when_scaled_is_read_alone():
    """A column of 16,000 pixels is a file of 110 bytes, and of 10 MB scaled across."""
    how = {"width": 224, "height": 224, "resampling": Image.Resampling.BILINEAR}
    tall, plain = noise(1, 16_000, 1, "L"), noise(2, 50, 50, "RGB")
    assert list(scale_together([tall, plain], **how)) == [1]


def test_an_unknown_filter_spoils_none_of_the_others():
    lines = bytearray(unpacked(packed_pixels(noise(1, 50, 50, "RGB")), 50 * 151))
    lines[151] = 5
    packed = zlib.compress(lines)
    parts = [noise(1, 50, 50, "RGB")[:33]]
    for kind, data in ((b"IDAT", packed), (b"IEND", b"")):
        parts += [len(data).to_bytes(4), kind, data, zlib.crc32(kind + data).to_bytes(4)]
    damaged, other = b"".join(parts), noise(2, 9, 9, "RGB")
    how = {"width": 8, "height": 8, "resampling": Image.Resampling.BILINEAR}
    assert list(scale_together([other, damaged, noise(3, 50, 50, "RGB")], **how)) == [0]
    with pytest.raises(ImageError, match="damaged"):
        read_rgb(damaged)
