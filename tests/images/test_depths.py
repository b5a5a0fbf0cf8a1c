"""Values of 10, 12 and 14 bits in files of 16: the same picture as in 8 bits, never a dark one."""

import dataclasses
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import ImageError
from cancernet.images.formats import GUESSED, depth_holding
from cancernet.images.reading import read_rgb
from cancernet.runs import run_folder
from cancernet.sample.clinics import dicom_bytes
from cancernet.scoring.predictor import Predictor
from tests.conftest import write_tiny_run

SMALL = np.random.default_rng(3).integers(0, 256, (6, 5))


def png(values, significant=None):
    buffer = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(buffer, "PNG")
    content = buffer.getvalue()
    if significant is None:
        return content
    body = b"sBIT" + bytes([significant])
    chunk = struct.pack(">I", 1) + body + struct.pack(">I", zlib.crc32(body))
    return content[:33] + chunk + content[33:]


def tiff(values, **tags):
    tifffile = pytest.importorskip("tifffile")
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values.astype(np.uint16), **tags)
    return buffer.getvalue()


def grey(content, **flags):
    return np.asarray(read_rgb(content, **flags))[..., 0]


@pytest.mark.parametrize("depth", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("write", [png, tiff])
def test_the_same_picture_in_any_depth_is_the_picture_in_8_bits(write, depth):
    values = SMALL << (depth - 8) | (1 << (depth - 8)) - 1
    values[0, 0] = (1 << depth) - 1
    expected = np.where(np.arange(30).reshape(6, 5) == 0, 255, SMALL)
    assert np.array_equal(grey(write(values)), expected)
    assert read_rgb(write(values)).info[GUESSED] == depth
    dark = values // 20  # of the same data set, which has brighter images
    assert np.array_equal(grey(write(dark), bits=depth), dark >> (depth - 8))
    assert GUESSED not in read_rgb(write(dark), bits=depth).info


def test_a_file_that_states_its_depth_is_believed():
    dark = SMALL  # values up to 255 of 12 bits
    largest = tiff(dark, extratags=[(281, "H", 1, 4095, False)])
    for content in (png(dark, 12), largest):
        assert np.array_equal(grey(content), dark >> 4)
        assert np.array_equal(grey(content, bits=14), dark >> 4)
    for stated, taken in ((7, 0), (8, 8), (16, 16), (17, 0)):  # others are not believed
        found = read_rgb(png(SMALL, stated))
        assert np.array_equal(np.asarray(found)[..., 0], SMALL >> max(taken - 8, 0))
        assert found.info.get(GUESSED) == (None if taken else 8)
    assert read_rgb(tiff(dark, extratags=[(281, "H", 1, 0, False)])).info[GUESSED] == 8
    with pytest.raises(ImageError, match="reach 4,080, more than the 10 bits that its file states"):
        read_rgb(png(SMALL << 4 | 4080, 10))


def test_values_beyond_the_depth_of_the_data_set_are_refused():
    with pytest.raises(ImageError, match="reach 4,096, more than the 12 bits that the data set"):
        read_rgb(png(np.full((2, 2), 4096)), bits=12)


def test_packed_values_of_12_bits_are_read():
    pytest.importorskip("tifffile")
    pairs = np.array([[0x0FF, 0x800], [0xFFF, 0x010]])
    packed = b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in pairs.tolist())
    tags = {256: 2, 257: 2, 258: 12, 259: 1, 262: 1, 273: 0, 277: 1, 278: 2, 279: len(packed)}
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    content = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + packed
    assert np.array_equal(grey(content), pairs >> 4)
    assert GUESSED not in read_rgb(content).info


def test_dark_colours_of_16_bits_are_refused():
    tifffile = pytest.importorskip("tifffile")
    for top, refused in ((0x0FFF, True), (0x3FFF, True), (0x4000, False)):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, np.full((4, 4, 3), top, np.uint16), photometric="rgb")
        if refused:
            with pytest.raises(ImageError, match="would be nearly black"):
                read_rgb(buffer.getvalue())
        else:
            assert np.asarray(read_rgb(buffer.getvalue())).max() == 64


def test_dark_colours_of_a_png_are_refused():
    import cv2

    for top, refused in ((0x3FFF, True), (0x4000, False)):
        content = cv2.imencode(".png", np.full((4, 4, 3), top, np.uint16))[1].tobytes()
        if refused:
            with pytest.raises(ImageError, match="would be nearly black"):
                read_rgb(content)
        else:
            assert np.asarray(read_rgb(content)).max() == 64


def test_the_smallest_depth_that_holds_a_value():
    tops = {0: 8, 255: 8, 256: 10, 1023: 10, 1024: 12, 4095: 12, 4096: 14, 16383: 14, 16384: 16,
            65535: 16}  # fmt: skip
    assert {top: depth_holding(top) for top in tops} == tops


@pytest.fixture
def weighing(tmp_path):
    """A run whose network weighs every pixel, so that its answer moves with each of them."""
    import onnx

    folder = write_tiny_run(tmp_path / "weighing")
    weights = np.random.default_rng(8).normal(-0.6, 3, (48, 48, 3)).astype(np.float32)
    weights[..., 0] = 0  # red speaks for class 0, blue for class 1
    file = folder / run_folder.MODEL_ONNX
    model = onnx.load(file)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "weigh"))
    model.graph.node.insert(0, onnx.helper.make_node("Mul", ["image", "weigh"], ["weighed"]))
    model.graph.node[1].input[0] = "weighed"
    onnx.save(model, file)
    content = run_folder.read_run_file(folder)
    vouched = run_folder.vouch_for(folder, [run_folder.MODEL_ONNX])
    run_folder.write_run_file(folder, dataclasses.replace(content, files=vouched))
    return Predictor(run_folder.open_run(folder))


def test_one_picture_has_one_answer_in_every_file(weighing, tmp_path):
    """Answers in the middle, which one grey level moves, to files that other libraries wrote."""
    cv2, tifffile = pytest.importorskip("cv2"), pytest.importorskip("tifffile")
    up, across = np.mgrid[0:48, 0:48]
    picture = (up * 2 + across * 2 + np.random.default_rng(9).integers(0, 30, (48, 48))) // 2 + 20
    picture[0, :2] = 0, 255
    deep = (picture << 4 | picture >> 4).astype(np.uint16)

    def answer(name, write):
        write(str(tmp_path / name))
        return weighing.predict(tmp_path / name).probabilities["1"]

    expected = answer("8-bit.png", lambda path: cv2.imwrite(path, picture.astype(np.uint8)))
    brighter = (picture + 1).clip(0, 255).astype(np.uint8)
    level = abs(answer("level.png", lambda path: cv2.imwrite(path, brighter)) - expected)
    wrong = answer("dark.png", lambda path: cv2.imwrite(path, (picture >> 4).astype(np.uint8)))
    assert 0.2 < expected < 0.8 and level > 1e-4 and abs(wrong - expected) > 50 * level
    content = dicom_bytes(picture.astype(np.uint8), patient="", note="drawn")
    for name, write in (
        ("12-in-16.png", lambda path: cv2.imwrite(path, deep)),
        ("12-in-16.tif", lambda path: tifffile.imwrite(path, deep, photometric="minisblack")),
        ("12-in-16.pgm", lambda path: cv2.imwrite(path, deep)),
        ("12-bit.dcm", lambda path: (tmp_path / path).write_bytes(content)),
    ):
        if name.endswith("dcm"):
            pytest.importorskip("pydicom", reason="DICOM files need the extra `dicom`")
        found = answer(name, write)
        assert abs(found - expected) <= level, (name, found, expected)
