"""Slide maps whose patches are judged with their neighbours: figures, files, picture."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cancernet.commands.slides import map_slides
from cancernet.context.judge import put_in_context
from cancernet.measures.assess import ScoreSet
from cancernet.measures.scored import Scored
from cancernet.runs import run_folder
from cancernet.scoring.predictor import Predictor
from cancernet.slides.large_image import open_image
from cancernet.slides.scoring import find_patients, map_of_image, map_of_places, patch_side
from tests.conftest import give_context

LONE = (1501, 1501)  # farther from every other patch than neighbours reach


@pytest.fixture
def run(tiny_run: Path) -> run_folder.Run:
    return run_folder.open_run(give_context(tiny_run))


@pytest.fixture
def patches(tmp_path: Path) -> Path:
    """A whole field of 9 by 7 places that turns from red to blue, speckled, and a lone patch."""
    folder = tmp_path / "patches" / "p7"
    folder.mkdir(parents=True)
    random = np.random.default_rng(5)
    places = [(1 + 50 * x, 1 + 50 * y) for y in range(7) for x in range(9)]
    for x, y in [*places, LONE]:
        blue = np.clip(x / 2 + random.normal(0, 50), 0, 200) if (x, y) != LONE else 110
        size = (30, 50) if x > 400 and (x, y) != LONE else (50, 50)
        colour = (int(200 - blue), 40, int(blue))
        Image.new("RGB", size, colour).save(folder / f"p7_idx5_x{x}_y{y}_class{int(x > 225)}.png")
    return folder


def evaluated(run: run_folder.Run, folder: Path):
    """Probabilities in context and neighbours of the patches, as an evaluation has them."""
    predictor, paths = Predictor(run), sorted(folder.iterdir())
    scored = Scored(
        paths=[path.name for path in paths],
        patients=["p7"] * len(paths),
        truth=np.zeros(len(paths), np.int64),
        probabilities=np.stack(
            [predictor.probabilities(predictor.prepare(path).pixels[None])[0] for path in paths]
        ),
    )
    alone = ScoreSet(
        classes=run.classes, words=run.words, positive=run.positive,
        scored={"testing": scored}, operating_point=run.record.operating_point,
    )  # fmt: skip
    context = run.record.context
    found = put_in_context(alone, context, context.operating_point, side=context.side)
    columns = (
        found.scores.calls("testing").score, alone.calls("testing").score,
        found.touching["testing"], found.scores.calls("testing").called,
    )  # fmt: skip
    names = [path.stem.split("_")[2:4] for path in paths]
    places = [(int(x[1:]), int(y[1:])) for x, y in names]
    return dict(zip(places, zip(*(c.tolist() for c in columns), strict=True), strict=True))


def read_table(path: Path) -> dict[tuple[int, int], dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return {(int(row["x"]), int(row["y"])): row for row in csv.DictReader(file)}


def test_the_table_has_the_numbers_of_an_evaluation(run, patches, tmp_path, capsys) -> None:
    assert map_slides(run, [patches], tmp_path / "maps", side=None) == (1, 0)
    rows = read_table(tmp_path / "maps" / "slide-p7.csv")
    expected = evaluated(run, patches)
    assert rows.keys() == expected.keys()
    for place, (probability, alone, neighbours, called) in expected.items():
        row = rows[place]
        assert float(row["probability"]) == pytest.approx(probability, abs=1e-9)
        assert float(row["alone_probability"]) == pytest.approx(alone, abs=1e-6)
        assert (int(row["neighbours"]), int(row["positive"])) == (neighbours, called)
    assert {int(row["neighbours"]) for row in rows.values()} == {0, 3, 5, 8}
    lone = rows[LONE]
    assert lone["probability"] == lone["alone_probability"] and lone["positive"] == "1"
    assert 0.4 <= float(lone["probability"]) < 0.6  # the run's own operating point calls it
    said = capsys.readouterr().out
    assert "at the operating point 0.600" in said
    assert " of 8 neighbours on average, 1 patch without any; alone: " in said


def test_figures_and_outline_are_those_in_context(run, patches, tmp_path) -> None:
    map_slides(run, [patches], tmp_path / "maps", side=None)
    map_slides(run, [patches], tmp_path / "alone", side=None, alone=True)
    facts, alone = (
        json.loads((tmp_path / name / "slides.jsonl").read_text()) for name in ("maps", "alone")
    )
    rows = read_table(tmp_path / "maps" / "slide-p7.csv").values()
    area = sum(int(row["width"]) * int(row["height"]) for row in rows)
    called = sum(int(row["width"]) * int(row["height"]) for row in rows if row["positive"] == "1")
    assert facts["area_fraction"] == pytest.approx(called / area)
    assert (facts["operating_point"], facts["alone_operating_point"]) == (0.6, 0.4)
    assert facts["lone_patches"] == 1
    for name in ("positive_patches", "area_fraction", "score", "top_score", "operating_point"):
        assert facts[f"alone_{name}"] == alone[name]
    outline = json.loads((tmp_path / "maps" / "slide-p7.geojson").read_text())["features"]
    measured = [feature["properties"]["measurements"] for feature in outline]
    assert sum(each["Area px^2"] for each in measured) == pytest.approx(called)
    least, last = measured[0], measured[-1]
    assert least["probability"] > 0.6 and least["alone_probability"] != least["probability"]
    assert 3 <= least["neighbours"] <= 8
    assert last["neighbours"] == 0 and last["probability"] == last["alone_probability"]


def test_alone_and_without_a_context_nothing_changes(run, patches, tmp_path) -> None:
    map_slides(run, [patches], tmp_path / "alone", side=None, alone=True)
    record = run_folder.read_run_file(run.folder)
    object.__setattr__(record, "context", None)
    run_folder.write_run_file(run.folder, record)
    map_slides(run_folder.open_run(run.folder), [patches], tmp_path / "none", side=None)
    names = sorted(path.name for path in (tmp_path / "none").iterdir())
    assert names == ["slide-p7.csv", "slide-p7.geojson", "slide-p7.png", "slides.jsonl"]
    for name in names:
        assert (tmp_path / "none" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    head = (tmp_path / "none" / "slide-p7.csv").read_text().splitlines()[0]
    assert head == "x,y,width,height,probability,positive,true_positive"


def test_a_large_image_gives_what_its_patches_give(run, patches, tmp_path) -> None:
    """The places of a large image are those of the cut, and glass is nobody's neighbour."""
    context = run.record.context
    pixels = np.full((400, 500, 3), 245, np.uint8)
    folder = tmp_path / "cut" / "q"
    folder.mkdir(parents=True)
    for path in patches.glob("*_x*_y[0-9]*_class*.png"):
        x, y = (int(part[1:]) - 1 for part in path.stem.split("_")[2:4])
        if (x + 1, y + 1) != LONE and (x, y) != (100, 100):
            patch = Image.open(path).resize((50, 50))
            pixels[y : y + 50, x : x + 50] = np.asarray(patch)
            patch.save(folder / f"q_idx5_x{x}_y{y}.png")
    Image.fromarray(pixels).save(tmp_path / "scan.png")
    predictor = Predictor(run)
    with open_image(tmp_path / "scan.png") as image:
        cut = map_of_image(predictor, "scan", image, side=50).in_context(context)
    [placed] = find_patients([folder])[0].values()
    whole, _ = map_of_places(predictor, "q", placed, side=50)
    whole = whole.in_context(context)
    np.testing.assert_array_equal(cut.boxes, whole.boxes)
    np.testing.assert_allclose(cut.probabilities, whole.probabilities, atol=1e-9)
    np.testing.assert_array_equal(cut.context.neighbours, whole.context.neighbours)
    assert cut.context.neighbours.max() == 8 and 7 in cut.context.neighbours
    assert cut.threshold == 0.6 and cut.outline() == whole.outline()


def test_the_side_is_that_of_the_context(run) -> None:
    assert patch_side(run) == 50


def test_what_cannot_be_read_is_nobody_s_neighbour(run, patches, tmp_path, capsys) -> None:
    next(patches.glob("*_x101_y101_*")).write_bytes(b"x")
    assert map_slides(run, [patches], tmp_path / "maps", side=None) == (1, 1)
    rows = read_table(tmp_path / "maps" / "slide-p7.csv")
    assert (101, 101) not in rows and rows[151, 101]["neighbours"] == "7"
