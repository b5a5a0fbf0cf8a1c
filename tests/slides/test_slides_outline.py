"""Outlines of grids: the polygons give back the cells they were traced around."""

import itertools
import json
import uuid

import numpy as np
import pytest
import shapely

from cancernet.slides.cells import Cells, outlines
from cancernet.slides.geojson import as_geojson
from cancernet.slides.slide_map import Mosaic


def filled(polygons: list, shape: tuple[int, int]) -> np.ndarray:
    """Even-odd rule at the middle of every cell of size 1: independent of the tracing."""
    inside = np.zeros(shape, int)
    for polygon in polygons:
        here = np.zeros(shape, int)
        for ring in polygon:
            for (ax, ay), (bx, by) in itertools.pairwise(ring):
                if ax == bx:
                    rows = np.arange(shape[0]) + 0.5
                    crossed = (rows > min(ay, by)) & (rows < max(ay, by))
                    here[crossed, : int(ax)] += 1
        assert not (inside & (here % 2)).any(), "polygons overlap"
        inside |= here % 2
    return inside.astype(bool)


def area(ring: list) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring)) / 2


@pytest.mark.parametrize("seed", range(40))
def test_polygons_give_back_their_cells(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 13, 2))
    inside = rng.uniform(size=shape) < rng.uniform(0.2, 0.95)
    polygons = outlines(inside, np.arange(shape[1] + 1), np.arange(shape[0] + 1))
    np.testing.assert_array_equal(filled(polygons, shape), inside)
    for polygon in polygons:
        assert area(polygon[0]) > 0 and all(area(hole) < 0 for hole in polygon[1:])
        for ring in polygon:
            assert ring[0] == ring[-1] and len(ring) >= 5
            assert len(set(ring[:-1])) == len(ring) - 1, "a ring touches itself"
    assert sum(area(ring) for p in polygons for ring in p) == inside.sum()
    # By the standard (OGC, as QuPath's geometry library reads it): holes within, none crossing,
    # every interior in one piece, polygons apart.
    assert shapely.MultiPolygon([(polygon[0], polygon[1:]) for polygon in polygons]).is_valid


def test_cells_that_only_touch_by_a_corner_are_polygons_of_their_own() -> None:
    # The cell in the middle is walled in by empty cells that touch by their corners.
    inside = np.ones((5, 5), bool)
    inside[[1, 2, 2, 3], [2, 1, 3, 2]] = False
    polygons = outlines(inside, np.arange(6), np.arange(6))
    assert sorted(area(polygon[0]) for polygon in polygons) == [1, 25]
    assert all(shapely.Polygon(p[0], p[1:]).is_valid for p in polygons)


def test_nested_islands_keep_their_own_holes() -> None:
    inside = np.ones((9, 9), bool)
    inside[1:8, 1:8] = False
    inside[2:7, 2:7] = True
    inside[3:6, 3:6] = False
    inside[4, 4] = True
    polygons = outlines(inside, np.arange(10) * 50, np.arange(10) * 50 + 1000)
    assert sorted(len(polygon) for polygon in polygons) == [1, 2, 2]
    assert min(y for polygon in polygons for _, y in polygon[0]) == 1000
    np.testing.assert_array_equal(
        filled([[[(x // 50, y // 50 - 20) for x, y in r] for r in p] for p in polygons], (9, 9)),
        inside,
    )


def test_overlaps_are_averaged_and_counted_once() -> None:
    boxes = np.array([[0, 0, 50, 50], [25, 0, 50, 50], [200, 0, 30, 20]])
    cells = Cells(boxes, np.array([0.2, 0.8, 1.0]))
    assert cells.columns.tolist() == [0, 25, 50, 75, 200, 230]
    np.testing.assert_allclose(cells.values[0], [0.2, 0.5, 0.8, np.nan, 1.0])
    np.testing.assert_allclose(cells.values[1], [0.2, 0.5, 0.8, np.nan, np.nan])
    assert cells.areas[cells.covered].sum() == 75 * 50 + 30 * 20


def slide(threshold: float = 0.5):
    mosaic = Mosaic("p 1", left=0, top=0, right=230, bottom=50)
    pixels = np.full((50, 50, 3), 120, np.uint8)
    for box, probability, truth in (
        ((0, 0, 50, 50), 0.2, 0),
        ((25, 0, 50, 50), 0.8, 1),
        ((200, 0, 30, 20), 1.0, 1),
    ):
        mosaic.paste(box[0], box[1], pixels[: box[3], : box[2]])
        mosaic.add(box, probability, truth)
    return mosaic.slide_map(threshold)


def test_figures_of_a_slide_by_hand() -> None:
    figures = slide().figures
    covered = 75 * 50 + 600
    assert figures.covered_area == covered and figures.patches == 3
    assert figures.area_fraction == pytest.approx((50 * 50 + 600) / covered)
    mean = (25 * 0.2 + 25 * 0.5 + 25 * 0.8) * 50 + 600
    assert figures.score == pytest.approx(mean / covered)
    assert figures.top_score == pytest.approx(2 / 3)
    assert figures.true_area_fraction == pytest.approx((50 * 50 + 600) / covered)
    empty = Mosaic("x", left=0, top=0, right=9, bottom=9).slide_map(0.5).figures
    assert np.isnan(empty.area_fraction) and np.isnan(empty.score) and empty.patches == 0


def test_the_picture_is_white_where_no_patch_is() -> None:
    picture = slide().picture
    assert picture.shape == (50, 230, 3)
    assert (picture[:, :75] == 120).all() and (picture[:, 75:200] == 255).all()
    assert (picture[:20, 200:] == 120).all() and (picture[20:, 200:] == 255).all()


def test_what_reaches_over_the_edge_is_cut_not_squeezed() -> None:
    mosaic = Mosaic("x", left=0, top=0, right=60, bottom=40)
    ramp = np.repeat(np.arange(50, dtype=np.uint8)[None, :, None], 50, 0).repeat(3, 2)
    mosaic.paste(30, 10, ramp)
    found = mosaic.slide_map(0.5).picture
    np.testing.assert_array_equal(found[10:, 30:], ramp[:30, :30])


def test_a_long_slide_is_shrunk() -> None:
    mosaic = Mosaic("x", left=1, top=1, right=32_001, bottom=16_001)
    for x in range(0, 32_000, 3200):
        mosaic.paste(x + 1, 8001, np.full((3200, 3200, 3), 9, np.uint8))
    found = mosaic.slide_map(0.5)
    assert found.picture.shape == (800, 1600, 3) and found.shrink == 20
    assert (found.picture[400:560] == 9).all() and (found.picture[:400] == 255).all()


def test_geojson_is_what_qupath_writes() -> None:
    found = json.loads(json.dumps(as_geojson(slide(), "IDC")))
    assert found["type"] == "FeatureCollection" and len(found["features"]) == 2
    assert as_geojson(slide(), "IDC") == as_geojson(slide(), "IDC")
    for feature in found["features"]:
        assert feature["type"] == "Feature" and uuid.UUID(feature["id"])
        assert feature["geometry"]["type"] == "Polygon"
        # RFC 7946, section 3.1.6: outer rings counterclockwise, the first ring is the outer one.
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid and shape.exterior.is_ccw
        for ring in feature["geometry"]["coordinates"]:
            assert ring[0] == ring[-1] and all(len(point) == 2 for point in ring)
        facts = feature["properties"]
        assert facts["objectType"] == "annotation"
        assert facts["classification"] == {"name": "IDC", "color": [213, 94, 0]}
        assert all(isinstance(v, float) for v in facts["measurements"].values())
    areas = [f["properties"]["measurements"]["Area px^2"] for f in found["features"]]
    assert sorted(areas) == [600, 2500]
    corners = found["features"][0]["geometry"]["coordinates"][0]
    assert sorted(map(tuple, corners[:-1])) == [(25, 0), (25, 50), (75, 0), (75, 50)]
    assert as_geojson(slide(1.1), "IDC")["features"] == []
