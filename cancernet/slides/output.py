"""The files of a slide map: PNG, CSV, GeoJSON, and a line of figures."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.files import json_text, refuse_filled, write_bytes, write_text
from cancernet.base.tables import write_table
from cancernet.base.words import score_text
from cancernet.report.figures import style
from cancernet.runs.run_record import ContextRecord
from cancernet.slides.cells import Polygon
from cancernet.slides.geojson import as_geojson
from cancernet.slides.slide_map import ScoredPatch, SlideFigures, SlideMap, map_of_patches

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUMMARY = "slides.jsonl"
_OUTLINE, _TRUTH = "#00E5FF", "#0072B2"
_DOTS = 130
_LETTER = 0.09  # inches, of the words beside the colours


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Makes a folder before the work that fills it; removes it again if it stays empty.

    Raises:
        CancerNetError: it is not empty, or cannot be made or written to.
    """
    refuse_filled(folder, option=" with --output")
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / SUMMARY, "")
        (folder / SUMMARY).unlink()
    except OSError as error:
        raise CancerNetError(
            f"{folder} cannot be made or written to ({error.strerror}); name another folder with "
            "--output"
        ) from None
    try:
        yield
    finally:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def write_slide(slide: SlideMap, folder: Path, *, word: str, footer: str) -> None:
    """Writes `slide-<name>.png`, `.csv`, `.geojson` and a line of `slides.jsonl`."""
    stem = f"slide-{slide.name}"
    write_bytes(folder / f"{stem}.png", picture_of(slide, word=word, footer=footer))
    _write_table(slide, folder / f"{stem}.csv")
    write_text(folder / f"{stem}.geojson", json_text(as_geojson(slide, word)) + "\n")
    with open(folder / SUMMARY, "a", encoding="utf-8") as file:
        file.write(json_text(slide.figures) + "\n")


def _write_table(slide: SlideMap, path: Path) -> None:
    truth = ["" if known < 0 else known for known in slide.truth.tolist()]
    columns = {
        **dict(zip(("x", "y", "width", "height"), slide.boxes.T.tolist(), strict=True)),
        "probability": slide.probabilities.tolist(),
        "positive": slide.positive.astype(int).tolist(),
        "true_positive": truth,
    }
    if slide.context is not None:
        columns["alone_probability"] = slide.context.alone.probabilities.tolist()
        columns["neighbours"] = slide.context.neighbours.tolist()
    write_table(path, columns, zip(*columns.values(), strict=True))


def draw_patches(
    name: str,
    patches: Sequence[ScoredPatch],
    *,
    size: Sequence[int],
    threshold: float,
    context: ContextRecord | None,
    word: str,
    footer: str,
) -> tuple[bytes, SlideFigures]:
    """Draws the map of scored patches, in context where there is one; see `map_of_patches`.

    Returns:
        The picture, a PNG file, and the figures of the slide.

    Raises:
        CancerNetError: the patches do not lie on one grid.
    """
    slide = map_of_patches(name, patches, size=size, threshold=threshold)
    slide = slide if context is None else slide.in_context(context)
    return picture_of(slide, word=word, footer=footer), slide.figures


def picture_of(slide: SlideMap, *, word: str, footer: str) -> bytes:
    """Draws the map as PNG: the tissue, the truth where it is known, the probability.

    A map in context shows the probability of patches alone beside it.

    `word` is what positive means, e.g. "IDC"; `footer` a line below the picture.
    """
    shown = [slide] if slide.context is None else [slide.context.alone, slide]
    panels = 1 + slide.has_truth + len(shown)
    down = 2 if panels == 4 else 1
    across = panels // down
    figure, axes = _panels(slide, down, across)
    _lay_tissue(axes, slide)
    if slide.has_truth:
        _draw(axes[1], slide.true_outline(), _TRUTH, width=_line(slide), filled=True)
        share = _percent(slide.figures.true_area_fraction)
        axes[1].set_title(f"labelled {word}: {share} of the area", fontsize=10)
    for place, each in zip(axes[-len(shown) :], shown, strict=True):
        colours = _lay_probability(place, each)
        _draw(place, each.outline(), _OUTLINE, width=_line(slide), filled=False)
        place.set_title(_called(each, word, _way(each, slide)), fontsize=10)
    upper, lower = axes[-len(shown)].get_position(), axes[-1].get_position()
    scale = (lower.x1 + 0.02, lower.y0, 0.012, upper.y1 - lower.y0)
    bar, label = figure.colorbar(colours, cax=figure.add_axes(scale)), f"probability of {word}"
    below = f"pixels of the slide. {footer}"
    if scale[3] * figure.get_figheight() > _LETTER * len(label):
        bar.set_label(label)
    else:  # the words would be longer than the bar of a wide slide
        below = f"colours: {label}; {below}"
        bar.set_ticks([0, 1])
    bottom = 0.07 / figure.get_figheight()
    figure.supxlabel(below, fontsize=8, color="#555555", y=bottom)
    return style.png(figure, dots_per_inch=_DOTS)


def _panels(slide: SlideMap, down: int, across: int) -> "tuple[Figure, list[Any]]":
    """Makes a figure of panels in the shape of the slide, each with room for three lines above.

    Matplotlib would take as long to find the places itself as to draw the map.
    """
    from matplotlib.figure import Figure

    height, width = slide.picture.shape[:2]
    tall = min(9.0, max(3.2, 4.6 * height / width))
    wide, high = 4.6 * across + 0.9, tall * down + 1.1
    figure = Figure(figsize=(wide, high))
    title = 0.7  # inches
    figure.subplots_adjust(
        left=0.45 / wide,
        right=1 - 0.95 / wide,
        bottom=0.45 / high,
        top=1 - title / high,
        wspace=0.04,
        hspace=title / (tall - title / 2),
    )
    return figure, list(figure.subplots(down, across, sharex=True, sharey=True).flat)


def _way(drawn: SlideMap, whole: SlideMap) -> str:
    """Says how the patches of a panel are judged; empty where there is one way only."""
    if whole.context is None:
        return ""
    if drawn.context is None:
        return "ALONE: every patch judged by itself\n"
    lone = int(drawn.context.lone.sum())
    without = f", {lone:,} alone" if lone else ""
    found = drawn.context.neighbours.mean()
    return f"IN CONTEXT: with {found:.1f} of 8 neighbours on average{without}\n"


def _called(slide: SlideMap, word: str, way: str) -> str:
    figures = slide.figures
    return (
        f"{way}called {word} at {score_text(slide.threshold)}: "
        f"{_percent(figures.area_fraction)} of the area,\n"
        f"mean probability {score_text(figures.score)}"
    )


def _lay_tissue(axes: "list[Axes]", slide: SlideMap) -> None:
    height, width = slide.picture.shape[:2]
    left, top = slide.origin
    extent = (left, left + width * slide.shrink, top + height * slide.shrink, top)
    for place in axes:
        place.imshow(slide.picture, extent=extent, interpolation="nearest")
        place.tick_params(labelsize=7)
    axes[0].set_title(f"{slide.name}: patches in their places", fontsize=10, parse_math=False)


def _lay_probability(axes: "Axes", slide: SlideMap) -> Any:
    from matplotlib.patches import Rectangle

    cells = slide.cells
    left, right, bottom, top = axes.images[0].get_extent()
    axes.add_patch(
        Rectangle((left, top), right - left, bottom - top, color="white", alpha=0.35, linewidth=0)
    )
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
