"""The patches of one slide in their places: picture, probabilities, area, outline."""

import dataclasses
import math
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cancernet.slides.outline import Polygon, outlines

LONGEST = 1600  # pixels of the picture's longer side, whatever the slide's
GLASS = 255
TOP = 10


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SlideMap:
    """A slide with its scores. Lengths are pixels of the slide at full resolution.

    Attributes:
        name: of the patient or the image file.
        boxes: int64 (patches, 4): left, top, width, height of each.
        probabilities: float64 (patches,): of the positive classes.
        truth: int8 (patches,): 1 positive, 0 not, -1 not known.
        threshold: operating point.
        origin: left and top of the picture on the slide.
        picture: uint8 RGB, the patches put together, white where there is none.
        shrink: pixels of the slide to one of the picture, 1 or more.
        skipped: patches left out as background.
        failed: patches that could not be read.
    """

    name: str
    boxes: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    truth: NDArray[np.int8]
    threshold: float
    origin: tuple[int, int]
    picture: NDArray[np.uint8]
    shrink: float
    skipped: int = 0
    failed: int = 0

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Which patches reach the operating point."""
        return self.probabilities >= self.threshold

    @property
    def has_truth(self) -> bool:
        """Whether every patch's true class is known."""
        return len(self.truth) > 0 and bool((self.truth >= 0).all())

    def cells(self) -> "Cells":
        """The slide cut along the edges of all patches; overlaps are averaged there."""
        return Cells(self.boxes, self.probabilities)

    def outline(self) -> list[Polygon]:
        """Polygons around the area whose mean probability reaches the operating point."""
        cells = self.cells()
        with np.errstate(invalid="ignore"):
            return outlines(cells.values >= self.threshold, cells.columns, cells.rows)

    def true_outline(self) -> list[Polygon]:
        """Polygons around the patches whose true class is positive."""
        cells = Cells(self.boxes, (self.truth == 1).astype(float))
        return outlines(cells.values >= 0.5, cells.columns, cells.rows)

    def facts(self) -> dict[str, Any]:
        """The figures of the slide.

        `area_fraction` is the share of the covered area that is positive, overlaps
        counted once; `score` is the mean probability over that area; `top_score` that
        of the highest ten patches. NaN where there is no patch.
        """
        cells = self.cells()
        covered = float(cells.areas[cells.covered].sum())
        positive = cells.covered & (np.nan_to_num(cells.values, nan=-1) >= self.threshold)
        best = np.sort(self.probabilities)[-TOP:]
        share = float(cells.areas[positive].sum()) / covered if covered else math.nan
        weighted = cells.areas[cells.covered] * cells.values[cells.covered]
        return {
            "name": self.name,
            "patches": len(self.boxes),
            "positive_patches": int(self.positive.sum()),
            "skipped_background": self.skipped,
            "unreadable": self.failed,
            "covered_area": int(covered),
            "area_fraction": share,
            "score": float(weighted.sum()) / covered if covered else math.nan,
            "top_score": float(best.mean()) if len(best) else math.nan,
            "operating_point": self.threshold,
            "true_area_fraction": self._true_fraction(),
        }

    def _true_fraction(self) -> float:
        if not self.has_truth:
            return math.nan
        cells = Cells(self.boxes, (self.truth == 1).astype(float))
        found = cells.areas[cells.covered & (np.nan_to_num(cells.values) >= 0.5)].sum()
        return float(found / cells.areas[cells.covered].sum())


class Cells:
    """A plane cut along the edges of boxes, each cell with the mean of what covers it.

    Attributes:
        columns, rows: int64, where the cuts are, ascending.
        values: float64 (rows - 1, columns - 1); NaN where no box is.
        covered: where one is.
        areas: of every cell, pixels squared.
    """

    def __init__(self, boxes: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Averages the values of boxes (left, top, width, height) in every cell."""
        left, top, width, height = boxes.T if len(boxes) else np.zeros((4, 0), np.int64)
        self.columns = np.unique(np.concatenate([left, left + width]))
        self.rows = np.unique(np.concatenate([top, top + height]))
        shape = (max(len(self.rows) - 1, 0), max(len(self.columns) - 1, 0))
        total, count = np.zeros(shape), np.zeros(shape, np.int32)
        starts = np.searchsorted(self.rows, top), np.searchsorted(self.columns, left)
        ends = np.searchsorted(self.rows, top + height), np.searchsorted(self.columns, left + width)
        for value, y, x, y_end, x_end in zip(values, *starts, *ends, strict=True):
            total[y:y_end, x:x_end] += value
            count[y:y_end, x:x_end] += 1
        self.covered = count > 0
        self.values = np.divide(total, count, out=np.full(shape, np.nan), where=self.covered)
        self.areas = np.outer(np.diff(self.rows), np.diff(self.columns))


class Mosaic:
    """Takes patches one by one, in any order, and keeps only a small picture of them."""

    def __init__(self, name: str, *, left: int, top: int, right: int, bottom: int) -> None:
        """Makes an empty picture of a part of a slide, at most `LONGEST` pixels long."""
        self.name = name
        self.origin = (left, top)
        width, height = max(1, right - left), max(1, bottom - top)
        self.shrink = max(1.0, max(width, height) / LONGEST)
        shape = (math.ceil(height / self.shrink), math.ceil(width / self.shrink), 3)
        self._picture = np.full(shape, GLASS, np.uint8)
        self._boxes, self._probabilities, self._truth = array("q"), array("d"), array("b")
        self.skipped = self.failed = 0

    def show(self, x: int, y: int, pixels: NDArray[np.uint8]) -> None:
        """Puts pixels (height, width, 3) into the picture, their upper left corner at x, y."""
        height, width = pixels.shape[:2]
        left, top = (x - self.origin[0]) / self.shrink, (y - self.origin[1]) / self.shrink
        wide = max(math.ceil(left + width / self.shrink) - math.floor(left), 1)
        tall = max(math.ceil(top + height / self.shrink) - math.floor(top), 1)
        rows, columns = slice(math.floor(top), None), slice(math.floor(left), None)
        place = self._picture[rows, columns][:tall, :wide]
        image = Image.fromarray(pixels)
        if image.size != (wide, tall):
            image = image.resize((wide, tall), Image.Resampling.BOX)
        # What reaches over the picture's edge is cut off rather than squeezed.
        place[...] = np.asarray(image)[: place.shape[0], : place.shape[1]]

    def add(self, box: Sequence[int], probability: float, truth: int = -1) -> None:
        """Records a scored patch: (left, top, width, height), its probability and truth."""
        self._boxes.extend(box)
        self._probabilities.append(probability)
        self._truth.append(truth)

    def finish(self, threshold: float) -> SlideMap:
        """Returns the map of what was added."""
        return SlideMap(
            name=self.name,
            boxes=np.array(self._boxes, np.int64).reshape(-1, 4),
            probabilities=np.array(self._probabilities, np.float64),
            truth=np.array(self._truth, np.int8),
            threshold=threshold,
            origin=self.origin,
            picture=self._picture,
            shrink=self.shrink,
            skipped=self.skipped,
            failed=self.failed,
        )


def map_of_patches(
    name: str,
    patches: Sequence[tuple[int, int, NDArray[np.uint8], float]],
    *,
    threshold: float,
) -> SlideMap:
    """Makes the map of patches that are in memory, for a service.

    Args:
        name: of the slide.
        patches: x, y, RGB pixels (height, width, 3) and probability of each; at least one.
        threshold: operating point.
    """
    mosaic = Mosaic(
        name,
        left=min(x for x, _, _, _ in patches),
        top=min(y for _, y, _, _ in patches),
        right=max(x + pixels.shape[1] for x, _, pixels, _ in patches),
        bottom=max(y + pixels.shape[0] for _, y, pixels, _ in patches),
    )
    for x, y, pixels, probability in patches:
        mosaic.show(x, y, pixels)
        mosaic.add((x, y, pixels.shape[1], pixels.shape[0]), probability)
    return mosaic.finish(threshold)
