"""Slide maps from folders of patches and from large images, with a run that goes by colour."""

import csv
import json
import subprocess
import sys
import tomllib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError
from cancernet.commands.slides import map_slides
from cancernet.images.formats import Oddity
from cancernet.runs import run_folder
from cancernet.scoring.predictor import Predictor
from cancernet.slides import cells, large_image
from cancernet.slides.large_image import open_image
from cancernet.slides.scoring import find_patients, is_background, map_of_image, read_place
from tests.helpers.serving_examples import tiled_tiff

ROOT = Path(__file__).parents[2]
RED, BLUE, WHITE = (190, 60, 90), (80, 60, 190), (245, 244, 246)


def write_patch(folder: Path, x: int, y: int, label: int, colour: tuple, size=(50, 50)) -> None:
    folder = folder / "p7" / str(label)
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(folder / f"p7_idx5_x{x}_y{y}_class{label}.png")


@pytest.fixture
def patches(tmp_path: Path) -> Path:
    """Two by three places: one missing, one at the edge and narrow, one called wrongly."""
    folder = tmp_path / "patches"
    write_patch(folder, 101, 201, 0, RED)
    write_patch(folder, 151, 201, 1, BLUE)
    write_patch(folder, 201, 201, 1, BLUE, (20, 50))
    write_patch(folder, 101, 251, 0, BLUE)
    write_patch(folder, 201, 251, 1, RED, (20, 50))
    copy = folder / "copy" / "p7" / "0"
    copy.mkdir(parents=True)
    Image.new("RGB", (50, 50), RED).save(copy / "p7_idx5_x101_y201_class0.png")
    Image.new("RGB", (9, 9)).save(folder / "logo.png")
    return folder


def predict(*arguments: object) -> subprocess.CompletedProcess:
    code = (
        "import runpy, sys, atexit\n"
        "atexit.register(lambda: print('HEAVY', sorted({'tensorflow', 'keras', 'sklearn'}"
        " & set(sys.modules))))\n"
        f"sys.argv = ['predict.py', *{[str(a) for a in arguments]!r}]\n"
        f"runpy.run_path({str(ROOT / 'predict.py')!r}, run_name='__main__')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )


def test_a_folder_becomes_picture_table_and_geojson(
    tiny_run: Path, patches: Path, tmp_path: Path
) -> None:
    done = predict("--slide", patches, "--run", tiny_run, "--output", tmp_path / "maps")
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout and "not for diagnosis" in done.stdout
    assert "p7: skipped 1 patch at a place that had one already" in done.stdout
    assert "skipped: 1 image without a position" in done.stderr
    names = {"slide-p7.png", "slide-p7.csv", "slide-p7.geojson", "slides.jsonl"}
    assert {path.name for path in (tmp_path / "maps").iterdir()} == names
    with open(tmp_path / "maps" / "slide-p7.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["x"], r["y"], r["width"], r["true_positive"]) for r in rows] == [
        ("101", "201", "50", "0"), ("151", "201", "50", "1"), ("201", "201", "20", "1"),
        ("101", "251", "50", "0"), ("201", "251", "20", "1"),
    ]  # fmt: skip
    assert [r["positive"] for r in rows] == ["0", "1", "1", "1", "0"]
    facts = json.loads((tmp_path / "maps" / "slides.jsonl").read_text())
    area = 3 * 2500 + 2 * 1000
    assert facts["covered_area"] == area
    assert facts["area_fraction"] == pytest.approx((2 * 2500 + 1000) / area)
    assert facts["true_area_fraction"] == pytest.approx((2500 + 2000) / area)
    found = json.loads((tmp_path / "maps" / "slide-p7.geojson").read_text())
    assert found["features"][0]["properties"]["classification"]["name"] == "IDC"
    again = predict("--slide", patches, "--run", tiny_run, "--output", tmp_path / "maps")
    assert again.returncode == 2 and "not empty" in again.stderr


def test_damaged_patches_stay_empty_and_are_named(
    tiny_run: Path, patches: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    next(patches.rglob("*_x151_*.png")).write_bytes(b"x")
    done, failed = map_slides(
        run_folder.open_run(tiny_run), [patches], tmp_path / "maps", side=None
    )
    assert (done, failed) == (1, 1) and "_x151_" in capsys.readouterr().err
    facts = json.loads((tmp_path / "maps" / "slides.jsonl").read_text())
    assert facts["unreadable"] == 1 and facts["patches"] == 4


def test_a_place_with_two_labels_is_not_known(
    tiny_run: Path, patches: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write_patch(patches, 151, 201, 0, BLUE)  # also labelled 1
    map_slides(run_folder.open_run(tiny_run), [patches], tmp_path / "maps", side=None)
    assert "p7: 1 place with two labels, treated as unlabelled" in capsys.readouterr().out
    with open(tmp_path / "maps" / "slide-p7.csv", encoding="utf-8", newline="") as file:
        truth = {(row["x"], row["y"]): row["true_positive"] for row in csv.DictReader(file)}
    assert truth["151", "201"] == "" and truth["101", "201"] == "0" and len(truth) == 5
    assert (
        json.loads((tmp_path / "maps" / "slides.jsonl").read_text())["true_area_fraction"] is None
    )


def test_a_copy_stands_in_for_a_patch_that_cannot_be_read(
    tiny_run: Path, patches: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    first, copy = sorted(patches.rglob("*_x101_y201_*.png"))
    first.write_bytes(b"x")
    run = run_folder.open_run(tiny_run)
    done, failed = map_slides(run, [patches], tmp_path / "maps", side=None)
    assert (done, failed) == (1, 1) and str(first) in capsys.readouterr().err
    facts = json.loads((tmp_path / "maps" / "slides.jsonl").read_text())
    assert facts["patches"] == 5 and facts["unreadable"] == 0
    copy.write_bytes(b"x")
    assert map_slides(run, [patches], tmp_path / "again", side=None) == (1, 2)
    facts = json.loads((tmp_path / "again" / "slides.jsonl").read_text())
    assert facts["patches"] == 4 and facts["unreadable"] == 1


def test_patches_off_a_grid_are_refused_and_the_next_patient_is_mapped(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(cells, "MOST_CELLS", 100)
    folder = tmp_path / "patches"
    folder.mkdir()
    for step in range(20):
        Image.new("RGB", (5, 5), RED).save(folder / f"odd_idx5_x{7 * step}_y{7 * step}.png")
        Image.new("RGB", (5, 5), RED).save(folder / f"even_idx5_x{5 * step}_y1.png")
    done, failed = map_slides(run_folder.open_run(tiny_run), [folder], tmp_path / "maps", side=5)
    assert (done, failed) == (1, 1)
    assert "error: odd: the patches do not lie on one grid: 20 of them" in capsys.readouterr().err
    assert (tmp_path / "maps" / "slide-even.png").is_file()


def test_whole_slides_lie_on_one_grid() -> None:
    """Also with gaps, and where most of it is glass; but not one patch over many edges."""
    y, x = np.divmod(np.arange(600 * 500), 600)
    boxes = np.stack([x * 100, y * 100, np.full_like(x, 50), np.full_like(x, 50)], axis=1)
    cells.check_grid(boxes)
    cells.check_grid(boxes[np.random.default_rng(7).permutation(len(boxes))[:5000]])
    overlapping = boxes // [2, 2, 1, 1]
    cells.check_grid(overlapping)
    huge = np.concatenate([boxes[:1000], np.tile([[0, 0, 60_000, 200]], (20_000, 1))])
    with pytest.raises(CancerNetError, match="21,000 of them"):
        cells.check_grid(huge)


def test_what_cannot_be_mapped_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    run = run_folder.open_run(tiny_run)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CancerNetError, match="no patches with a place"):
        map_slides(run, [tmp_path / "empty"], tmp_path / "maps", side=None)
    assert map_slides(run, [tmp_path / "none.tif"], tmp_path / "maps", side=None) == (0, 1)
    for side in (0, 1):
        with pytest.raises(CancerNetError, match=f"patch-size is {side}, but must be at least 2"):
            map_slides(run, [tmp_path / "empty"], tmp_path / "maps", side=side)
    for arguments in ([], ["--slide", tmp_path, tmp_path / "x.png", "--json"]):
        done = predict(*arguments, "--run", tiny_run)
        assert done.returncode == 2 and done.stderr.startswith("error: ")


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_scored(
    tiny_run: Path, patches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_folder.open_run(tiny_run)
    (tmp_path / "file").write_text("x")
    with monkeypatch.context() as nothing:
        nothing.delattr(Predictor, "predict_many")
        with pytest.raises(CancerNetError, match="file/maps cannot be made or written to"):
            map_slides(run, [patches], tmp_path / "file" / "maps", side=None)
    with pytest.raises(CancerNetError, match="no patches"):
        map_slides(run, [tiny_run], tmp_path / "maps", side=None)
    assert not (tmp_path / "maps").exists()  # nothing came into it


def test_places_are_read_from_names() -> None:
    place = read_place(Path("8863_idx5_x1001_y51_class0.png"))
    assert place and (place.patient, place.x, place.y, place.label) == ("8863", 1001, 51, "0")
    place = read_place(Path("a/new patient_idx5_x1_y2.PNG"))
    assert place and (place.patient, place.label) == ("new patient", None)
    assert read_place(Path("8863_idx5_x1_y2_class0.txt")) is None
    assert read_place(Path("8863_x1_y2_class0.png")) is None


def test_the_drawn_sample_has_places(tmp_path: Path) -> None:
    from cancernet.sample.layouts import draw_sample

    draw_sample("idc", tmp_path / "drawn", patients=1)
    patients, odd = find_patients([tmp_path / "drawn"])
    assert list(patients) == ["90001"] and odd == 0 and len(patients["90001"].places) > 20


# Large images.


def drawn_image(height: int, width: int) -> np.ndarray:
    """Glass with a red and a blue field; sizes that no patch divides."""
    pixels = np.full((height, width, 3), WHITE, np.uint8)
    pixels[50:150, 100:300] = RED
    pixels[100:200, 250:400] = BLUE
    return pixels


def check_drawn(slide, height: int, width: int) -> None:
    found = zip(slide.boxes.tolist(), slide.probabilities, strict=True)
    by_place = {tuple(box[:2]): p for box, p in found}
    blue = {(x, y) for y in (100, 150) for x in (250, 300, 350)}
    red = {(x, y) for y in (50, 100) for x in (100, 150, 200, 250)} - blue
    assert set(by_place) == blue | red
    assert all(by_place[place] > 0.7 for place in blue)
    assert all(by_place[place] < 0.3 for place in red)
    assert slide.skipped == -(-height // 50) * -(-width // 50) - len(blue | red)
    assert slide.outline() == [[[(250, 100), (400, 100), (400, 200), (250, 200), (250, 100)]]]


@pytest.mark.parametrize("kind", ["png", "tiles", "deflate tiles", "strips", "lzw"])
def test_a_large_image_gives_the_same_map_however_stored(
    tiny_run: Path, tmp_path: Path, kind: str
) -> None:
    height, width = 333, 517
    pixels, path = drawn_image(height, width), tmp_path / "scan.tif"
    if kind == "png":
        path = path.with_suffix(".png")
        Image.fromarray(pixels).save(path)
    elif kind == "lzw":
        pytest.importorskip("imagecodecs")
        Image.fromarray(pixels).save(path, compression="tiff_lzw")
    else:
        tifffile = pytest.importorskip("tifffile")
        tifffile.imwrite(
            path,
            pixels,
            tile=(64, 96) if "tiles" in kind else None,
            rowsperstrip=None if "tiles" in kind else 37,
            compression="zlib" if "deflate" in kind else None,
            photometric="rgb",
        )
    predictor = Predictor(run_folder.open_run(tiny_run))
    with open_image(path) as image:
        assert (image.width, image.height) == (width, height)
        slide = map_of_image(predictor, "scan", image, side=50)
    check_drawn(slide, height, width)
    assert slide.picture.shape == (height, width, 3)
    np.testing.assert_array_equal(slide.picture, pixels)


def test_what_a_compressed_tiff_needs_is_in_the_extra_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tifffile")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert "imagecodecs" in str(project["optional-dependencies"]["slides"])
    Image.fromarray(drawn_image(99, 99)).save(tmp_path / "scan.tif", compression="tiff_lzw")
    for name in [name for name in sys.modules if name.partition(".")[0] == "tifffile"]:
        monkeypatch.delitem(sys.modules, name)  # it looks for imagecodecs when it is imported
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with (
        pytest.raises(CancerNetError, match=r"'imagecodecs'.*pip install -e .*\[slides\]"),
        open_image(tmp_path / "scan.tif") as image,
    ):
        list(image.bands(50))


def test_memory_does_not_grow_with_the_height(tiny_run: Path, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    predictor = Predictor(run_folder.open_run(tiny_run))
    peaks = []
    for height in (1000, 8000):
        path = tmp_path / f"{height}.tif"
        pixels = np.full((height, 1000, 3), WHITE, np.uint8)
        pixels[100:200, 100:200] = BLUE
        tifffile.imwrite(path, pixels, tile=(256, 256), compression="zlib", photometric="rgb")
        del pixels
        tracemalloc.start()
        with open_image(path) as image:
            slide = map_of_image(predictor, "scan", image, side=50)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(slide.boxes) == 4
    assert peaks[1] < peaks[0] + 6_000_000 < 24_000_000  # the image has 24 MB


def test_of_a_tiff_with_a_thumbnail_the_largest_page_is_shown(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(tmp_path / "scan.tif") as file:
        for side, value in ((20, 1), (64, 2), (64, 3)):
            file.write(np.full((side, side, 3), value, np.uint8), photometric="rgb")
    with open_image(tmp_path / "scan.tif") as image:
        assert (image.width, image.height, image.oddity) == (64, 64, Oddity.PAGE)
        assert {int(band.max()) for band in image.bands(50)} == {2}


def test_images_that_cannot_be_cut(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "deep.tif", np.zeros((64, 64), np.uint16), tile=(16, 16))
    Image.new("YCbCr", (64, 64), (150, 90, 120)).save(tmp_path / "other.tif")
    (tmp_path / "text.tif").write_text("x")
    (tmp_path / "text.svs").write_text("x")
    for name, message in (
        ("deep.tif", "not 8-bit"),
        ("other.tif", "YCbCr without JPEG"),
        ("text.tif", "not a readable TIFF"),
        ("text.svs", r"\[slides\]"),
        ("none.png", "no file"),
    ):
        with pytest.raises(CancerNetError, match=message), open_image(tmp_path / name):
            pass
    tifffile.imwrite(tmp_path / "cut.tif", drawn_image(300, 300), tile=(64, 64), compression="zlib")
    whole = (tmp_path / "cut.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CancerNetError), open_image(tmp_path / "cut.tif") as image:
        list(image.bands(50))


def test_a_tile_that_reaches_far_over_the_image_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tifffile")
    monkeypatch.setattr(large_image, "LARGEST_PIECE", 64 * 64)
    (tmp_path / "sound.tif").write_bytes(tiled_tiff(16, 64))
    with open_image(tmp_path / "sound.tif") as image:
        assert [band.shape for band in image.bands(16)] == [(16, 16, 3)]
    (tmp_path / "scan.tif").write_bytes(tiled_tiff(16, 80))
    with pytest.raises(CancerNetError, match="in one piece"), open_image(tmp_path / "scan.tif"):
        pass


def test_glass_is_background_and_tissue_is_not() -> None:
    glass = np.full((50, 50, 3), WHITE, np.uint8)
    assert is_background(glass) and is_background(np.zeros((50, 50, 3), np.uint8))
    glass[:8] = (225, 160, 200)  # pale eosin on a sixth of it
    assert not is_background(glass)
    assert not is_background(np.full((50, 50, 3), BLUE, np.uint8))


def test_images_of_one_name_do_not_overwrite_each_other(tiny_run: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (60, 60), BLUE).save(tmp_path / folder / "scan.png")
    named = [tmp_path / "a" / "scan.png", tmp_path / "b" / "scan.png"]
    assert map_slides(run_folder.open_run(tiny_run), named, tmp_path / "maps", side=50) == (2, 0)
    assert {p.name for p in (tmp_path / "maps").glob("*.csv")} == {
        "slide-scan.csv", "slide-scan-2.csv",
    }  # fmt: skip


def test_nothing_but_glass_is_said(tiny_run: Path, tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), WHITE).save(tmp_path / "glass.png")
    predictor = Predictor(run_folder.open_run(tiny_run))
    with (
        open_image(tmp_path / "glass.png") as image,
        pytest.raises(CancerNetError, match="all 16 patches are background"),
    ):
        map_of_image(predictor, "glass", image, side=50)
