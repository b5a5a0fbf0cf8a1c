"""The outline as GeoJSON that QuPath opens.

Written as QuPath itself exports objects (its `QuPathTypeAdapters`, versions 0.4 to 0.6):
a FeatureCollection in pixels of the full-resolution image, origin upper left, every
feature with a UUID, `objectType` annotation, a `classification` with name and colour,
and `measurements` as an object of numbers.
"""

import itertools
import uuid

from cancernet.slides.cells import Polygon
from cancernet.slides.mosaic import SlideMap

_COLOUR = [213, 94, 0]
_SPACE = uuid.UUID("5b5c2f0e-6a1e-4c39-9f2b-0d3f9a1c7e55")  # the same map, the same ids


def as_geojson(slide: SlideMap, word: str) -> dict[str, object]:
    """Returns the positive area of a slide, one annotation for every polygon.

    Args:
        slide: the map.
        word: what positive means, e.g. "IDC"; becomes QuPath's class.
    """
    features = [
        _feature(slide.name, number, polygon, word)
        for number, polygon in enumerate(slide.outline(), start=1)
    ]
    return {"type": "FeatureCollection", "features": features}


def _feature(name: str, number: int, polygon: Polygon, word: str) -> dict[str, object]:
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
            "measurements": {"Area px^2": _area(polygon)},
        },
    }


def _area(polygon: Polygon) -> float:
    sides = itertools.chain.from_iterable(map(itertools.pairwise, polygon))
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in sides) / 2
