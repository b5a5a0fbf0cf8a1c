"""Two cases of our own for each kind of name, table and file that people have."""

import io
import struct
import tracemalloc
from pathlib import PurePosixPath

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError, ImageError
from cancernet.catalog import Contradiction, LeftOut, dataset
from cancernet.dataset.label_table import read_labels
from cancernet.images.formats import GUESSED, ODDITY, Oddity, scaled
from cancernet.images.named_files import NamedFiles
from cancernet.images.reading import read_rgb
from cancernet.scoring.described import refuse_other

PATCH = "8863_idx5_x51_y1251_class0"
DEEP = (np.arange(6).reshape(2, 3) * 800).astype(np.uint16)  # up to 4,000 of 4,095


@pytest.mark.parametrize(
    ("name", "path", "patient", "label"),
    [
        ("idc", f"archive (3)/Non-IDC/{PATCH}.PNG", "8863", "0"),
        ("idc", f"kfold/fold_3/val/negative/{PATCH}.png", "8863", "0"),
        ("breakhis", "fold1/test/400X/SOB_M_PC-14-15570C-400-028.png", "14-15570", "malignant"),
        ("breakhis", "benign/SOB_B_PT-14-29315EF-100-009.PNG", "14-29315", "benign"),
        ("mini-mias", "all-mias/MDB322.PGM", "mdb321-322", "mdb322"),
        ("bach", "ICIAR2018_BACH_Challenge/Photos/InSitu/is100.tif", "InSitu/is100", "InSitu"),
        ("inbreast", "AllDICOMs_PNG/20586960_6c613a14b80a8591_MG_R_ML_ANON.png",
         "6c613a14b80a8591", "20586960"),
    ],
)  # fmt: skip
def test_names_in_folders_that_others_made(name, path, patient, label):
    found = dataset(name).identify(PurePosixPath(path))
    assert (found.patient, found.label) == (patient, label)


@pytest.mark.parametrize("folder", ["positive", "kfold/1", "Cancer"])
def test_a_folder_that_says_otherwise_than_the_name(folder):
    with pytest.raises(Contradiction, match="the file name class 0"):
        dataset("idc").identify(PurePosixPath(f"{folder}/{PATCH}.png"))
    with pytest.raises(LeftOut, match="neither the name nor the folder says"):
        dataset("idc").identify(PurePosixPath(f"{folder[:1]}/{PATCH} (1).png"))


@pytest.mark.parametrize(
    ("text", "encoding", "meant"),
    [
        ('sep=|\nImage Name|Pathology|Subject ID\n"a|b.png"|Benign|7\n', "utf-8", "a|b.png"),
        ("image_id\tdiagnosis\tpid\n1\tBENIGN\t7\n", "utf-16", "1"),
        ("\r\n\r\nimage,label,patient\r\na.png,0.0,7\r\n", "utf-8-sig", "a.png"),
        (",image,label,patient\n0,a.png,0,7\n", "utf-8", "a.png"),  # an index, as pandas writes it
    ],
)
def test_tables_of_other_programs(tmp_path, text, encoding, meant):
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    words = ("0=benign", "benign=benign", "1=malignant")
    found = read_labels(tmp_path / "t.csv", ("benign", "malignant"), labels=words).files
    assert {name: (one.label, one.patient) for name, one in found.items()} == {
        meant: ("benign", "7")
    }


FILES = ["images/benign/a.png", "images/x/b.dcm", "other/b.png", "Mixed/C.png", "mixed/c.PNG"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (r"\\server\share\images\benign\a.png", ["images/benign/a.png"]),
        ("file:///C:/me/images/benign/a.png", ["images/benign/a.png"]),
        ("/Volumes/USB STICK/Images/BENIGN/A.PNG", ["images/benign/a.png"]),
        (r"..\IMAGES\X\B", ["images/x/b.dcm"]),
        ("Mixed/C.png", ["Mixed/C.png"]),
        ("MIXED/C.PNG", ["Mixed/C.png", "mixed/c.PNG"]),
        ("images%2Fbenign%2Fa.png", []),
    ],
)
def test_paths_of_other_machines(name, meant):
    assert sorted(NamedFiles(FILES).find_all([name])[name]) == meant


def tiff(values, **options):
    tifffile = pytest.importorskip("tifffile")
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **{"photometric": "minisblack", **options})
    return buffer.getvalue()


def jpeg_2000(values):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "JPEG2000", irreversible=False)
    return buffer.getvalue()


def grey(content):
    return np.asarray(read_rgb(content))[..., 0].ravel().tolist()


UP = [0, 50, 100, 150, 200, 250]


@pytest.mark.parametrize(
    ("kind", "values"),
    [("big-endian", UP), ("white is zero", [255 - value for value in UP]), ("signed", UP),
     ("32 bits", UP), ("PGM", UP), ("PGM of OpenCV", UP), ("JPEG 2000", UP)],
)  # fmt: skip
def test_twelve_bits_however_they_are_written(kind, values):
    content = {
        "big-endian": lambda: tiff(DEEP, byteorder=">"),
        "white is zero": lambda: tiff(DEEP, photometric="miniswhite"),
        "signed": lambda: tiff(DEEP.astype(np.int16)),
        "32 bits": lambda: tiff(DEEP.astype(np.uint32)),
        "PGM": lambda: b"P5 3 2 4095\n" + DEEP.astype(">u2").tobytes(),
        # These two state the width of their container.
        "PGM of OpenCV": lambda: b"P5\n# 1\n3 2\n65535\n" + DEEP.astype(">u2").tobytes(),
        "JPEG 2000": lambda: jpeg_2000(DEEP),
    }[kind]()
    assert grey(content) == values
    assert read_rgb(content).info.get(GUESSED, 12) == 12
    eight = tiff(np.array([[0, 255]], np.uint8), photometric="miniswhite")
    assert grey(eight) == [255, 0]


@pytest.mark.parametrize(
    "values",
    [np.where(DEEP == 0, np.nan, DEEP / 4000).astype(np.float32),
     (DEEP / 2000 - 1).astype(np.float32), DEEP.astype(np.float32),
     DEEP.astype(np.float64), np.dstack([DEEP / 2000] * 3) - 1],
    ids=["undefined", "negative", "too large", "double", "colours"],
)  # fmt: skip
def test_floating_point_that_is_not_read_is_called_so(values):
    with pytest.raises(ImageError, match="its floating-point values are not in"):
        read_rgb(tiff(values, photometric="rgb" if values.ndim == 3 else "minisblack"))
    with pytest.raises(ImageError, match="packed values in floating point; save it again"):
        read_rgb(tiff((DEEP / 4000), compression="zlib"))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}])
def test_floating_point_of_any_width_and_in_colours(kind, options):
    """NumPy's own type has 64 bits, and scikit-image makes colours of it."""
    shares = DEEP / 4000 * (250 / 255)
    assert np.abs(np.subtract(grey(tiff(shares.astype(kind), **options)), UP)).max() <= 1
    colours = np.dstack([shares, 0 * shares, 1 + 0 * shares]).astype(kind)
    found = np.asarray(read_rgb(tiff(colours, photometric="rgb", **options)))
    assert np.abs(found[..., 0].ravel().astype(int) - UP).max() <= 1
    assert not found[..., 1].any() and (found[..., 2] == 255).all()
    grey_levels = tiff((DEEP // 16).astype(kind), **options)  # 0-255 as they are
    assert grey(grey_levels) == UP


def test_floating_point_takes_no_more_memory_than_its_values():
    values = np.tile(np.linspace(0, 1, 500), (500, 3, 1)).astype(np.float32)
    tracemalloc.start()
    try:
        found = scaled(values)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found == np.floor(values.astype(np.float64) * 255)).all()
    assert most < 2 * values.nbytes < 8 * values.size + found.nbytes


def test_a_comment_of_any_length_hides_no_depth():
    content = b"P5\n# " + b"1 " * 2000 + b"\n3 2\n65535\n" + DEEP.astype(">u2").tobytes()
    assert grey(content) == UP


def test_strips_that_overlap_fill_no_memory():
    """Two thousand strips, each of which claims the whole file, are 64 MB of values for 8."""
    strips, size = 2000, 32_000
    tags = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 64), (259, 3, 1, 1), (262, 3, 1, 1),
            (273, 4, strips, size - 8 * strips), (277, 3, 1, 1),
            (279, 4, strips, size - 4 * strips), (339, 3, 1, 3)]  # fmt: skip
    begin = struct.pack("<4sIH", b"II*\0", 8, len(tags))
    begin += b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    content = begin.ljust(size - 8 * strips, b"\0") + struct.pack(
        f"<{2 * strips}I", *[200] * strips, *[size] * strips
    )
    tracemalloc.start()
    try:
        assert read_rgb(content).size == (1, 1)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_the_largest_page_of_floating_point_counts():
    tifffile = pytest.importorskip("tifffile")
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for side in (2, 5, 3):
            file.write(np.full((side, side), side / 10), photometric="minisblack")
    found = read_rgb(buffer.getvalue())
    assert found.size == (5, 5) and found.info[ODDITY] == Oddity.PAGE
    with pytest.raises(ImageError, match="5 x 5 pixels, more than the limit of 24"):
        read_rgb(buffer.getvalue(), maximum_pixels=24)
    with pytest.raises(ImageError, match="damaged"):
        read_rgb(buffer.getvalue()[:200])


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "GIF"])
def test_of_moving_pictures_the_first_counts(kind):
    first, second = (Image.new("RGB", (4, 4), (value,) * 3) for value in (10, 200))
    buffer = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    first.save(buffer, kind, save_all=True, append_images=[second], **options)
    assert set(grey(buffer.getvalue())) == {10}


@pytest.mark.parametrize(
    "start", [b"P7\nWIDTH 1\n", b"Pf\n1 1\n", b"\0\0\0\x18ftypheic", b"<svg/>"]
)
def test_formats_that_are_off_are_refused(start):
    with pytest.raises(ImageError, match="not a PNG, JPEG, TIFF"):
        read_rgb(start + bytes(200))


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors", "frozen.pb"])
def test_models_of_other_frameworks_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x02c")
    with pytest.raises(CancerNetError, match="neither a run folder nor a model"):
        refuse_other(tmp_path / name, weights=None)
