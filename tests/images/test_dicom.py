"""DICOM files: the same picture as in other formats, however packed; nothing of the patient."""

import io
import os
import resource
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import ImageError
from cancernet.images import reading
from cancernet.images.dicom import patient_id
from cancernet.images.formats import GUESSED, ODDITY, Oddity, has_other_suffix, is_image_name
from cancernet.images.reading import read_rgb
from tests.helpers.dicom_files import PACKED, SYNTAXES, WHY, dicom, packed

pydicom = pytest.importorskip("pydicom", reason=WHY)
RANDOM = np.random.default_rng(5)
SMALL = RANDOM.integers(0, 256, (9, 7))
DEEP = (SMALL << 4 | RANDOM.integers(0, 16, SMALL.shape)).astype(np.uint16)
DEEP[0, :2] = 0, 4095
REAL = Path(pydicom.__file__).parent / "data" / "test_files"


def grey(content, **flags):
    pixels = np.asarray(read_rgb(content, **flags)).astype(int)
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_picture_of_12_bits_is_the_same_in_every_format(syntax, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tiff, eight, png = io.BytesIO(), io.BytesIO(), io.BytesIO()
    tifffile.imwrite(tiff, DEEP)
    Image.fromarray(DEEP).save(png, "PNG")
    Image.fromarray((DEEP >> 4).astype(np.uint8)).save(eight, "PNG")
    expected = grey(eight.getvalue())
    written = dicom(DEEP, syntax=syntax, BitsStored=12)
    for content in (png.getvalue(), tiff.getvalue(), written):
        assert np.array_equal(grey(content), expected)
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    assert np.abs(grey(dicom(DEEP, syntax=syntax, **window)) - expected).max() <= 1
    # Of 16 stored bits nobody knows how many are used: the data set says it, else the values.
    unknown = dicom(DEEP, syntax=syntax)
    assert np.array_equal(grey(unknown), expected) and read_rgb(unknown).info[GUESSED] == 12
    assert np.array_equal(grey(unknown, bits=14), DEEP >> 6)
    assert GUESSED not in read_rgb(written).info


def test_monochrome1_is_turned_after_the_depth_is_found():
    for elements in ({"BitsStored": 12}, {}, {"WindowCenter": 2048, "WindowWidth": 4096}):
        plain = grey(dicom(DEEP, **elements))
        turned = grey(dicom(DEEP, PhotometricInterpretation="MONOCHROME1", **elements))
        assert np.array_equal(turned, 255 - plain)
    falling = dicom(DEEP, BitsStored=12, RescaleSlope=-1, RescaleIntercept=4095)
    assert np.array_equal(grey(falling), 255 - grey(dicom(DEEP, BitsStored=12)))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (None, [0, 0, 128, 255, 255]),
        ("LINEAR_EXACT", [0, 0, 128, 255, 255]),
        ("SIGMOID", [5, 30, 128, 225, 255]),
    ],
)
def test_the_files_own_window_counts_after_rescaling(function, expected):
    values = np.array([[0, 500, 1000, 1500, 4000]], np.uint16)
    elements = {"VOILUTFunction": function} if function else {}
    scaled = dicom(
        values, BitsStored=12, RescaleSlope=2, RescaleIntercept=-1000, **elements,
        WindowCenter=[1000, 5], WindowWidth=[2000, 5],
    )  # fmt: skip
    assert np.abs(grey(scaled)[0] - expected).max() <= 1


def test_values_with_a_sign_fill_their_own_range():
    values = np.array([[-100, 0, 100, 300]], np.int16)
    assert grey(dicom(values))[0].tolist() == [0, 64, 128, 255]
    assert grey(dicom(values, WindowCenter=100.5, WindowWidth=201))[0].tolist() == [0, 0, 128, 255]
    # Twelve bits of sixteen, with an overlay in the others.
    overlaid = (values & 0xFFF | 0x5000).astype(np.uint16)
    assert np.array_equal(
        grey(dicom(overlaid, BitsStored=12, PixelRepresentation=1)), grey(dicom(values))
    )
    assert (grey(dicom(np.full((2, 2), 7, np.int16))) == 0).all()


def test_a_table_of_values_and_the_groups_of_many_frames_count():
    values = np.array([[0, 1, 2, 3]], np.uint16)
    table = pydicom.Dataset()
    table.LUTDescriptor, table.LUTData = [4, 0, 12], [0, 4095, 1000, 2000]
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    assert grey(dicom(values, VOILUTSequence=[table]))[0].tolist() == [0, 255, 62, 125]
    shown, group = pydicom.Dataset(), pydicom.Dataset()
    shown.WindowCenter, shown.WindowWidth = 2, 3
    group.FrameVOILUTSequence = [shown]
    shared = dicom(values, SharedFunctionalGroupsSequence=[group])
    assert grey(shared)[0].tolist() == [0, 64, 191, 255]


def test_the_groups_of_the_first_frame_come_before_those_of_all():
    def group(center, slope):
        shown, scaled, found = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
        shown.WindowCenter, shown.WindowWidth = center, 3
        scaled.RescaleSlope, scaled.RescaleIntercept = slope, 1
        found.FrameVOILUTSequence = [shown]
        found.PixelValueTransformationSequence = [scaled]
        return found

    found = dicom(
        np.array([[0, 1, 2, 3]], np.uint16),
        PerFrameFunctionalGroupsSequence=[group(4, 2), group(9, 9)],
        SharedFunctionalGroupsSequence=[group(9, 5)],
    )
    # Scaled 1, 3, 5, 7; of these 2.5 to 4.5 are the greys.
    assert grey(found)[0].tolist() == [0, 64, 255, 255]


def test_a_table_comes_before_the_window():
    table = pydicom.Dataset()
    table.LUTDescriptor, table.LUTData = [4, 0, 16], [0, 100, 200, 300]
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    values = np.array([[0, 1, 2, 3]], np.uint16)
    window = {"WindowCenter": 150, "WindowWidth": 301}
    assert grey(dicom(values, ModalityLUTSequence=[table], **window))[0].tolist() == [
        0,
        85,
        170,
        255,
    ]


def test_a_window_of_one_value_is_a_step_and_one_of_none_no_window():
    values = np.array([[100, 200, 300]], np.uint16)
    one = dicom(values, BitsStored=12, WindowCenter=200, WindowWidth=1)
    assert grey(one)[0].tolist() == [0, 255, 255]
    for window in ({"WindowCenter": 200, "WindowWidth": 0}, {"WindowCenter": 200}):
        assert grey(dicom(values, BitsStored=12, **window))[0].tolist() == [6, 12, 18]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_values_of_8_bits_are_kept(syntax):
    found = read_rgb(dicom(SMALL.astype(np.uint8), syntax=syntax))
    assert np.array_equal(np.asarray(found)[..., 0], SMALL) and found.info == {}


def test_of_several_frames_the_first_counts_and_that_is_noted():
    frames = np.stack([DEEP, DEEP[::-1]])
    found = dicom(DEEP, NumberOfFrames=2, BitsStored=12, PixelData=frames.tobytes())
    assert np.array_equal(grey(found), DEEP >> 4)
    assert read_rgb(found).info == {ODDITY: Oddity.FRAME}
    pieces = pydicom.encaps.encapsulate([packed(f, "JPEG-LS") for f in frames])
    found = dicom(DEEP, syntax="JPEG-LS", NumberOfFrames=2, BitsStored=12, PixelData=pieces)
    assert np.array_equal(grey(found), DEEP >> 4)


def test_colours_are_read():
    colours = RANDOM.integers(0, 256, (4, 6, 3), np.uint8)
    for syntax in ("implicit", "explicit", "RLE", "JPEG2000", "JPEG-LS"):
        assert np.array_equal(np.asarray(read_rgb(dicom(colours, syntax=syntax))), colours), syntax
    planes = dicom(colours, PlanarConfiguration=1, PixelData=np.moveaxis(colours, 2, 0).tobytes())
    assert np.array_equal(np.asarray(read_rgb(planes)), colours)
    smooth = np.full((16, 16, 3), (200, 90, 40), np.uint8)
    for elements in ({}, {"PhotometricInterpretation": "YBR_FULL_422"}):
        found = np.asarray(read_rgb(dicom(smooth, syntax="baseline", **elements))).astype(int)
        assert np.abs(found - smooth).max() <= 4


def test_a_jpeg_that_does_not_say_what_its_colours_are_is_what_the_header_says():
    import imagecodecs

    smooth = np.full((16, 16, 3), (200, 90, 40), np.uint8)
    frame = imagecodecs.jpeg8_encode(smooth, level=95, colorspace="RGB", outcolorspace="RGB")
    mark = frame.index(b"\xff\xee\0\x0eAdobe")
    bare = frame[:mark] + frame[mark + 16 :]
    assert b"JFIF" not in bare
    for content in (frame, bare):
        pixels = pydicom.encaps.encapsulate([content])
        found = np.asarray(read_rgb(dicom(smooth, syntax="baseline", PixelData=pixels)))
        assert np.abs(found.astype(int) - smooth).max() <= 4


def test_a_jpeg_with_fewer_values_of_its_second_colour_is_ycbcr_whatever_the_header_says():
    """As GDCM packs RGB."""
    import imagecodecs

    smooth = np.full((16, 16, 3), (200, 90, 40), np.uint8)
    frame = imagecodecs.jpeg8_encode(smooth, level=95, subsampling="420")
    assert frame[2:4] == b"\xff\xe0"  # the segment that says JFIF
    bare = frame[:2] + frame[4 + int.from_bytes(frame[4:6], "big") :]
    for pieces in ([bare], [frame]):
        pixels = pydicom.encaps.encapsulate(pieces)
        found = np.asarray(read_rgb(dicom(smooth, syntax="baseline", PixelData=pixels)))
        assert np.abs(found.astype(int) - smooth).max() <= 4


def test_a_jpeg2000_frame_may_begin_amid_its_grid(monkeypatch):
    import imagecodecs

    frame = bytearray(packed(DEEP, "JPEG2000"))
    assert frame[8:24] == np.array([7, 9, 0, 0], ">u4").tobytes()
    frame[8:24] = np.array([7 + 30, 9 + 20, 30, 20], ">u4").tobytes()
    monkeypatch.setattr(imagecodecs, "jpeg2k_decode", lambda frame: DEEP)
    pixels = pydicom.encaps.encapsulate([bytes(frame)])
    found = dicom(DEEP, syntax="JPEG2000", BitsStored=12, PixelData=pixels)
    assert np.array_equal(grey(found), DEEP >> 4)


def test_the_patient_is_read_to_be_compared():
    assert patient_id(dicom(DEEP)) == "secret-7"
    assert patient_id(dicom(DEEP, PatientID=" 7 ")) == "7"
    assert patient_id(dicom(DEEP, PatientID=None)) == ""


def test_files_of_others_give_the_values_that_pydicom_gives():
    from cancernet.images import dicom as room

    tried = 0
    for path in (path for path in sorted(REAL.glob("*.dcm")) if path.stat().st_size < 100_000):
        content = path.read_bytes()
        try:
            whole = pydicom.dcmread(io.BytesIO(content))
            theirs = pydicom.pixels.pixel_array(whole, index=0)
            image = read_rgb(content)
        except Exception:  # no picture, or one that one of the two does not read
            continue
        assert image.size == (whole.Columns, whole.Rows), path.name
        ours = room._stored_values(whole, int(whole.get("NumberOfFrames") or 1))
        if ours.ndim == 2:
            signed = bool(whole.PixelRepresentation)
            ours = room._without_other_bits(ours, whole.BitsStored, whole.HighBit, signed=signed)
            assert np.abs(ours - theirs.astype(int)).max() <= 1, path.name  # 1: some are lossy
            tried += 1
    assert tried >= 8


BROKEN = {"a wrong size": {"Rows": 10**4}, "cut off": {"PixelData": DEEP.tobytes()[:-2]}}


@pytest.mark.parametrize("case", BROKEN)
def test_pixels_that_do_not_fit_their_header_are_refused(case):
    with pytest.raises(ImageError, match="its DICOM pixels cannot be decoded"):
        read_rgb(dicom(DEEP, **BROKEN[case]))


@pytest.mark.parametrize("syntax", ["JPEG", "JPEG-LS", "JPEG2000"])
def test_a_frame_that_is_larger_than_the_header_says_is_not_decoded(syntax, monkeypatch):
    import imagecodecs

    for name in ("jpeg8_decode", "jpegls_decode", "jpeg2k_decode"):
        monkeypatch.setattr(imagecodecs, name, lambda *a, **k: pytest.fail("it was decoded"))
    large = pydicom.encaps.encapsulate([packed(np.zeros((40, 50), np.uint16), syntax)])
    with pytest.raises(ImageError, match=r"says 7 x 9 pixels, its frame 50 x 40"):
        read_rgb(dicom(DEEP, syntax=syntax, PixelData=large))


@pytest.mark.parametrize("syntax", ["JPEG", "JPEG-LS", "JPEG2000"])
def test_a_frame_that_is_cut_off_is_not_decoded(syntax):
    half = packed(DEEP, syntax)[:-20]
    content = dicom(DEEP, syntax=syntax, PixelData=pydicom.encaps.encapsulate([half]))
    with pytest.raises(ImageError, match="its DICOM pixels are cut off"):
        read_rgb(content)


def test_packed_runs_fill_no_more_than_their_room():
    head = np.array([2, 64, 64 + 200_000] + [0] * 13, "<u4").tobytes()
    bomb = head + b"\x81\0" * 200_000  # 128 zeros for two bytes
    content = dicom(DEEP, syntax="RLE", PixelData=pydicom.encaps.encapsulate([bomb]))
    tracemalloc.start()
    with pytest.raises(ImageError):
        read_rgb(content)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_limits_and_kinds_are_told_in_a_sentence(monkeypatch):
    with pytest.raises(ImageError, match="7 x 9 pixels, more than the limit of 62"):
        read_rgb(dicom(DEEP), maximum_pixels=62)
    deflated = dicom(DEEP).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    with pytest.raises(ImageError, match="is deflated, which is not read; save it"):
        read_rgb(deflated)
    for values, elements in (
        (DEEP, {"PhotometricInterpretation": "PALETTE COLOR"}),
        (DEEP, {"SamplesPerPixel": 2}),
        (DEEP.astype(np.uint32), {}),
        (np.zeros((2, 2, 3), np.uint8), {"PhotometricInterpretation": "YBR_FULL_422"}),
    ):
        with pytest.raises(ImageError, match="neither grey values of 8 or 16 bits nor RGB of 8"):
            read_rgb(dicom(values, **elements))
    with pytest.raises(ImageError, match="colours have more than 8 bits"):
        read_rgb(dicom(np.zeros((2, 2, 3), np.uint16)))
    with pytest.raises(ImageError, match="holds no picture"):
        read_rgb((REAL / "rtplan.dcm").read_bytes())
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImageError) as refused:
        read_rgb(dicom_of_bytes := b"\0" * 128 + b"DICM" + bytes(50))
    assert dicom_of_bytes and str(refused.value) == (
        "this is a DICOM file, which needs the package pydicom; install it with "
        '`pip install -e ".[dicom]"`'
    )


@pytest.mark.parametrize("syntax", ["explicit", *PACKED])
def test_damaged_files_are_refused_in_a_sentence_that_names_nobody(syntax, capfd):
    content = dicom(DEEP, syntax=syntax, WindowCenter="2000", WindowWidth="4000")
    random, refused = np.random.default_rng(8), 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KB
    for _ in range(200):
        broken = bytearray(content)
        for place in random.integers(128, len(broken), 4):
            broken[place] = random.integers(0, 256)
        try:
            read_rgb(bytes(broken[: random.integers(132, 2 * len(broken))]), maximum_pixels=10**6)
        except ImageError as error:
            refused += 1
            assert str(error)[:4] in ("the ", "this", "its ") and "ecret" not in str(error)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused > 20 and after - before < 64_000
    assert "ecret" not in "".join(capfd.readouterr())


def test_nothing_of_the_patient_is_kept():
    image = read_rgb(dicom(DEEP, BitsStored=12))
    assert image.info == {} and not hasattr(image, "_header")


def test_files_without_a_suffix_are_known_by_their_content(tmp_path):
    for name in ("IM0001", "1.2.840.99", "scan.dcm", "scan.png"):
        (tmp_path / name).write_bytes(dicom(DEEP))
    (tmp_path / "notes").write_text("nothing")
    (tmp_path / "a.txt").write_bytes(dicom(DEEP))
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    names = [path.name for path in sorted(tmp_path.iterdir())]
    assert [name for name in names if is_image_name(str(tmp_path), name)] == [
        "1.2.840.99", "IM0001", "scan.dcm", "scan.png",
    ]  # fmt: skip
    assert read_rgb(tmp_path / "scan.png").info[ODDITY] == Oddity.SUFFIX
    assert ODDITY not in read_rgb(tmp_path / "IM0001").info
    assert not has_other_suffix("a.dcm", b"neither") and not has_other_suffix("a", dicom(DEEP))


def test_pydicom_is_imported_only_for_a_dicom_file(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    code = (
        "import sys; from pathlib import Path; from cancernet.images.reading import read_rgb\n"
        f"read_rgb(Path({str(tmp_path / 'a.png')!r}))\n"
        "names = ('pydicom', 'imagecodecs', 'cancernet.images.dicom')\n"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_limit_of_bytes_holds(tmp_path, monkeypatch):
    (tmp_path / "a.dcm").write_bytes(dicom(DEEP))
    monkeypatch.setattr(reading, "MAXIMUM_BYTES", 100)
    with pytest.raises(ImageError, match="larger than"):
        read_rgb(tmp_path / "a.dcm")
