"""A slide map as one picture: the tissue, the truth where it is known, the probability."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cancernet.base.files import written_beside
from cancernet.slides.cells import Polygon
from cancernet.slides.mosaic import SlideMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OUTLINE, _TRUTH = "#00E5FF", "#0072B2"
_DOTS = 130


def save_picture(slide: SlideMap, path: Path, *, word: str, footer: str) -> None:
    """Writes the map as PNG, atomically.

    Args:
        slide: the map.
        path: ends in .png.
        word: what positive means, e.g. "IDC".
        footer: a line below the picture, such as the notice.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = 3 if slide.has_truth else 2
    height, width = slide.picture.shape[:2]
    tall = min(9.0, max(3.2, 4.6 * height / width))
    figure = Figure(figsize=(4.6 * panels + 0.9, tall + 1.1), layout="constrained")
    axes: list[Any] = list(figure.subplots(1, panels))
    extent = (
        slide.origin[0],
        slide.origin[0] + width * slide.shrink,
        slide.origin[1] + height * slide.shrink,
        slide.origin[1],
    )
    for place in axes:
        place.imshow(slide.picture, extent=extent, interpolation="nearest")
        place.tick_params(labelsize=7)
    figures = slide.figures
    axes[0].set_title(f"{slide.name}: patches in their places", fontsize=10, parse_math=False)
    if slide.has_truth:
        _draw(axes[1], slide.true_outline(), _TRUTH, width=_line(slide), filled=True)
        axes[1].set_title(
            f"labelled {word}: {_percent(figures.true_area_fraction)} of the area", fontsize=10
        )
    shown = _lay_probability(axes[-1], slide)
    _draw(axes[-1], slide.outline(), _OUTLINE, width=_line(slide), filled=False)
    axes[-1].set_title(
        f"called {word} at {slide.threshold:.3f}: {_percent(figures.area_fraction)} of the area,"
        f"\nmean probability {figures.score:.3f}",
        fontsize=10,
    )
    figure.colorbar(shown, ax=axes[-1], fraction=0.04, label=f"probability of {word}")
    figure.supxlabel(f"pixels of the slide. {footer}", fontsize=8, color="#555555")
    with written_beside(path) as temporary:
        # `figure.savefig` draws twice, once only to find the places of things.
        figure.set_dpi(_DOTS)
        FigureCanvasAgg(figure).print_png(temporary, metadata={"Software": None})


def _lay_probability(axes: "Axes", slide: SlideMap) -> Any:
    cells = slide.cells
    axes.imshow(np.full_like(slide.picture, 255), extent=axes.images[0].get_extent(), alpha=0.35)
    values = np.ma.masked_invalid(cells.values)
    limits = axes.get_xlim(), axes.get_ylim()
    shown = axes.pcolormesh(
        cells.columns, cells.rows, values, cmap="magma", vmin=0, vmax=1, alpha=0.6, linewidth=0
    )
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])
    return shown


def _line(slide: SlideMap) -> float:
    """Width of the outlines in points: thinner where a patch is small in the picture."""
    side = float(np.median(slide.boxes[:, 2])) if len(slide.boxes) else 1.0
    points = side / (slide.picture.shape[1] * slide.shrink) * 4 * 72
    return float(np.clip(0.25 * points, 0.15, 1.3))


def _draw(
    axes: "Axes", polygons: list[Polygon], colour: str, *, width: float, filled: bool
) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Line

    if not polygons:
        return
    rings = (Line(np.array(ring, float), closed=True) for polygon in polygons for ring in polygon)
    line = Line.make_compound_path(*rings)
    if width > 0.5:  # a dark rim lets the colour stand out, where there is room
        axes.add_patch(PathPatch(line, facecolor="none", edgecolor="black", linewidth=width + 1))
    axes.add_patch(PathPatch(line, facecolor="none", edgecolor=colour, linewidth=width))
    if filled:
        axes.add_patch(PathPatch(line, facecolor=colour, edgecolor="none", alpha=0.25))


def _percent(share: float) -> str:
    return "undefined share" if np.isnan(share) else f"{100 * share:.1f} %"
