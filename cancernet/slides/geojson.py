"""The positive area of a slide as GeoJSON, as QuPath reads it."""

import uuid

import numpy as np
from numpy.typing import NDArray

from cancernet.slides.cells import Cells, Polygon
from cancernet.slides.slide_map import SlideMap

_COLOUR = [213, 94, 0]
_SPACE = uuid.UUID("5b5c2f0e-6a1e-4c39-9f2b-0d3f9a1c7e55")  # the same map, the same ids
_POINTS = 100_000  # that are objects in memory at once


def as_geojson(slide: SlideMap, word: str) -> dict[str, object]:
    """Returns the positive area of a slide as GeoJSON, one annotation for every polygon.

    Written as QuPath itself exports objects (its `QuPathTypeAdapters`, versions 0.4 to 0.6):
    a FeatureCollection in pixels of the full-resolution image, origin upper left, every
    feature with a UUID, `objectType` annotation, a `classification` with name and colour,
    and `measurements` as an object of numbers. `word` becomes QuPath's class. In context the
    measurements hold the means over the area: probability, probability alone, neighbours.
    """
    polygons = slide.outline()
    features = [
        _feature(slide.name, number, polygon, word, means)
        for number, (polygon, means) in enumerate(
            zip(polygons, _means_within(slide, polygons), strict=True), start=1
        )
    ]
    return {"type": "FeatureCollection", "features": features}


def _means_within(slide: SlideMap, polygons: list[Polygon]) -> list[dict[str, float]]:
    """Returns the means over the area of every polygon of a map in context; else nothing."""
    if slide.context is None or not polygons:
        return [{} for _ in polygons]
    inside = np.flatnonzero(slide.positive_cells)
    polygon = _polygon_of_each(inside, slide.cells, polygons)
    areas = slide.cells.areas.ravel()[inside]
    total = np.bincount(polygon, areas)
    values = {
        "probability": slide.cells,
        "alone_probability": slide.context.alone.cells,
        "neighbours": Cells(slide.boxes, slide.context.neighbours.astype(float)),
    }
    means = [
        np.bincount(polygon, areas * found.values.ravel()[inside]) / total
        for found in values.values()
    ]
    return [dict(zip(values, row, strict=True)) for row in np.stack(means, axis=1).tolist()]


def _polygon_of_each(
    inside: NDArray[np.int64], cells: Cells, polygons: list[Polygon]
) -> NDArray[np.int64]:
    """Returns in which polygon every cell is; `inside` numbers them row by row."""
    import shapely

    middles = [(cuts[1:] + cuts[:-1]) / 2 for cuts in (cells.columns, cells.rows)]
    tree = shapely.STRtree([shapely.Polygon(rings[0], rings[1:]) for rings in polygons])
    found = np.empty(len(inside), np.int64)
    for start in range(0, len(inside), _POINTS):
        row, column = np.divmod(inside[start : start + _POINTS], len(middles[0]))
        points = shapely.points(middles[0][column], middles[1][row])
        which, polygon = tree.query(points, predicate="within")
        found[start + which] = polygon
    return found


def _feature(
    name: str, number: int, polygon: Polygon, word: str, means: dict[str, float]
) -> dict[str, object]:
    import shapely

    # RFC 7946 wants outer rings counterclockwise where y points up, holes clockwise. Ours
    # run clockwise on the screen, where y points down: the same order of the same numbers.
    rings = [[list(point) for point in ring] for ring in polygon]
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(_SPACE, f"{name}/{number}/{rings[0]}")),
        "geometry": {"type": "Polygon", "coordinates": rings},
        "properties": {
            "objectType": "annotation",
            "name": f"{word} {number} (model)",
            "classification": {"name": word, "color": _COLOUR},
            "isLocked": True,
            "measurements": {
                "Area px^2": shapely.Polygon(polygon[0], polygon[1:]).area,
                **means,
            },
        },
    }
