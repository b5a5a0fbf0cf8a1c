"""A slide map: patches in their places, the mean over them, its outline and figures."""

import dataclasses
import functools
import math
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cancernet.base.errors import ImageError
from cancernet.context.context import operating_points
from cancernet.context.neighbours import Places
from cancernet.images.reading import read_rgb
from cancernet.runs.run_record import ContextRecord
from cancernet.slides.cells import Cells, Polygon, check_grid

LONGEST = 1600  # pixels of the picture's longer side, whatever the slide's
GLASS = 255
TOP = 10

Box = tuple[int, int, int, int]  # left, top, width, height


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoredPatch:
    """A patch file at its place on a slide (upper left corner, pixels), with its score."""

    path: Path
    x: int
    y: int
    probability: float  # of the positive classes; NaN where no file of this place could be read
    truth: int = -1  # 1 positive, 0 not, -1 not known
    unlike: bool | None = None  # whether it is unlike the training images; None if not told


@dataclasses.dataclass(frozen=True, kw_only=True)
class SlideFigures:
    """The figures of a slide, a line of `slides.jsonl`. NaN is undefined."""

    name: str  # of the patient or the image file
    patches: int  # how many were scored
    positive_patches: int
    skipped_background: int
    unreadable: int
    unlike_training: int | None  # patches unlike the training images; None if the run cannot tell
    covered_area: int  # pixels squared, overlaps counted once
    area_fraction: float  # share of the covered area that is positive
    score: float  # mean probability over the covered area
    top_score: float  # mean probability of the highest ten patches
    operating_point: float
    true_area_fraction: float  # share of the covered area labelled positive


@dataclasses.dataclass(frozen=True, kw_only=True)
class FiguresInContext(SlideFigures):
    """The figures of a slide in context, with those of its patches alone."""

    slide_point: bool  # whether the operating point is the slide's own
    lone_patches: int  # without neighbours, so judged alone
    alone_positive_patches: int
    alone_area_fraction: float
    alone_score: float
    alone_top_score: float
    alone_operating_point: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SlideMap:
    """A slide with its scores. Lengths are pixels of the slide at full resolution."""

    name: str  # of the patient or the image file
    boxes: NDArray[np.int64]  # (patches, 4): left, top, width, height
    probabilities: NDArray[np.float64]  # (patches,), of the positive classes
    truth: NDArray[np.int8]  # (patches,): 1 positive, 0 not, -1 not known
    threshold: float  # operating point; in context not that of patches without neighbours
    origin: tuple[int, int]  # left and top of the picture on the slide
    picture: NDArray[np.uint8]  # the patches put together, white where there is none
    shrink: float  # pixels of the slide to one of the picture, 1 or more
    skipped: int = 0  # patches left out as background
    failed: int = 0  # patches that could not be read
    unlike: int | None = None  # patches unlike the training images; None if the run cannot tell
    context: "MapContext | None" = None  # None where every patch is judged alone

    def in_context(self, context: ContextRecord, *, side: int = 0) -> "SlideMap":
        """Returns a map of patches alone as one of patches in context.

        `side` is that of a whole patch in pixels of the slide, in which places are counted; 0
        takes that of the run's data.
        """
        columns, rows = (self.boxes[:, :2] // (side or context.side)).T
        slides = np.zeros(len(self.boxes), np.int64)  # all of them are of one slide
        places = Places(slides, columns, rows)
        judged = context.judge(self.probabilities, places)
        chosen = context.operating_point.threshold
        points, own = operating_points(context, judged, places, alone=self.threshold, chosen=chosen)
        return dataclasses.replace(
            self,
            probabilities=judged.probability,
            threshold=float(points[own][0]) if own.any() else chosen,
            context=MapContext(
                alone=self,
                neighbours=judged.neighbours,
                lone=judged.alone,
                slide_point=bool(own.any()),
            ),
        )

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """The operating point of every patch, (patches,)."""
        if self.context is None:
            return np.full(len(self.boxes), self.threshold)
        return np.where(self.context.lone, self.context.alone.threshold, self.threshold)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Which patches reach the operating point."""
        return self.probabilities >= self.thresholds

    @property
    def has_truth(self) -> bool:
        """Whether every patch's true class is known."""
        return len(self.truth) > 0 and bool((self.truth >= 0).all())

    @functools.cached_property
    def cells(self) -> Cells:
        """The slide cut along the edges of all patches; overlaps are averaged there."""
        return Cells(self.boxes, self.probabilities)

    @functools.cached_property
    def _cell_thresholds(self) -> float | NDArray[np.float64]:
        if self.context is None or not self.context.lone.any():
            return self.threshold
        return Cells(self.boxes, self.thresholds).values

    @functools.cached_property
    def true_cells(self) -> Cells:
        """The same with 1 for patches whose true class is positive and 0 for others."""
        return Cells(self.boxes, (self.truth == 1).astype(float))

    @property
    def positive_cells(self) -> NDArray[np.bool_]:
        """Which cells have a mean probability that reaches the operating point."""
        return self.cells.reaching(self._cell_thresholds)

    def outline(self) -> list[Polygon]:
        """Returns polygons around the area whose mean probability reaches the operating point."""
        return self.cells.outline(self._cell_thresholds)

    def true_outline(self) -> list[Polygon]:
        """Returns polygons around the patches whose true class is positive."""
        return self.true_cells.outline(0.5)

    @functools.cached_property
    def figures(self) -> SlideFigures:
        """The figures of the slide."""
        cells = self.cells
        areas, best = cells.areas[cells.covered], np.sort(self.probabilities)[-TOP:]
        covered, total = areas.sum(), (areas * cells.values[cells.covered]).sum()
        figures = SlideFigures(
            name=self.name,
            patches=len(self.boxes),
            positive_patches=int(self.positive.sum()),
            skipped_background=self.skipped,
            unreadable=self.failed,
            unlike_training=self.unlike,
            covered_area=int(covered),
            area_fraction=cells.share(self._cell_thresholds),
            score=float(total / covered) if covered else math.nan,
            top_score=float(best.mean()) if len(best) else math.nan,
            operating_point=self.threshold,
            true_area_fraction=self.true_cells.share(0.5) if self.has_truth else math.nan,
        )
        return figures if self.context is None else self.context.beside(figures)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MapContext:
    """What a map in context has besides a map of patches alone.

    Attributes:
        alone: the same map with every patch judged alone.
        neighbours: int64 (patches,), how many of the eight places around each are patches.
        lone: bool (patches,), which have no patch within reach: their probability and
            operating point are those alone.
        slide_point: whether the operating point of the others is the slide's own.
    """

    alone: SlideMap
    neighbours: NDArray[np.int64]
    lone: NDArray[np.bool_]
    slide_point: bool

    def beside(self, figures: SlideFigures) -> FiguresInContext:
        """Returns the figures of the map in context with those of the patches alone."""
        alone = self.alone.figures
        judged = ("positive_patches", "area_fraction", "score", "top_score", "operating_point")
        return FiguresInContext(
            **vars(figures),
            slide_point=self.slide_point,
            lone_patches=int(self.lone.sum()),
            **{f"alone_{name}": getattr(alone, name) for name in judged},
        )


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
        self.unlike: int | None = None

    def paste(self, x: int, y: int, pixels: NDArray[np.uint8]) -> None:
        """Puts pixels (height, width, 3) into the picture, their upper left corner at x, y."""
        height, width = pixels.shape[:2]
        left, top = (x - self.origin[0]) / self.shrink, (y - self.origin[1]) / self.shrink
        wide = max(math.ceil(left + width / self.shrink) - math.floor(left), 1)
        tall = max(math.ceil(top + height / self.shrink) - math.floor(top), 1)
        place = self._picture[math.floor(top) :, math.floor(left) :][:tall, :wide]
        image = Image.fromarray(pixels)
        if image.size != (wide, tall):
            image = image.resize((wide, tall), Image.Resampling.BOX)
        # What extends beyond the picture is cut off rather than squeezed.
        place[...] = np.asarray(image)[: place.shape[0], : place.shape[1]]

    def add(
        self, box: Box, probability: float, truth: int = -1, *, unlike: bool | None = None
    ) -> None:
        """Records a scored patch; `truth` and `unlike` as in `ScoredPatch`."""
        self._boxes.extend(box)
        self._probabilities.append(probability)
        self._truth.append(truth)
        if unlike is not None:
            self.unlike = (self.unlike or 0) + unlike

    def slide_map(self, threshold: float) -> SlideMap:
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
            unlike=self.unlike,
        )


def map_of_patches(
    name: str, patches: Sequence[ScoredPatch], *, size: Sequence[int], threshold: float
) -> SlideMap:
    """Puts scored patches, at least one, in their places; unreadable ones leave theirs empty.

    `size` is width and height of a whole patch in pixels; those at an edge may be smaller.

    Raises:
        CancerNetError: the patches do not lie on one grid.
    """
    mosaic = Mosaic(
        name,
        left=min(patch.x for patch in patches),
        top=min(patch.y for patch in patches),
        right=max(patch.x for patch in patches) + size[0],
        bottom=max(patch.y for patch in patches) + size[1],
    )
    for patch in patches:
        try:
            pixels = None if math.isnan(patch.probability) else np.asarray(read_rgb(patch.path))
        except ImageError:  # it was read a minute ago; a picture is not worth the others
            pixels = None
        if pixels is None:
            mosaic.failed += 1
            continue
        mosaic.paste(patch.x, patch.y, pixels)
        box = (patch.x, patch.y, pixels.shape[1], pixels.shape[0])
        mosaic.add(box, patch.probability, patch.truth, unlike=patch.unlike)
    slide = mosaic.slide_map(threshold)
    check_grid(slide.boxes)
    return slide
