"""How every figure looks and how it is written: PNG for slides, SVG for print.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; what matters
differs in line style or marker as well.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from cancernet.base.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
DOTS_PER_INCH = 150
SIDE = 4.8, 5.1  # inches; two such figures stand side by side in a report, letters of one size

# A fixed salt and no date: the same numbers give the same file.
_SETTINGS = {"svg.hashsalt": "cancernet", "svg.fonttype": "path", "font.family": "DejaVu Sans"}


def new_figure(
    *,
    width: float,
    height: float,
    columns: int = 1,
    ratios: Sequence[float] | None = None,
) -> "tuple[Figure, list[Axes]]":
    """Makes a figure of the given size in inches with axes side by side.

    `ratios` are those of the columns' widths; None makes them equal.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    panels = list(figure.subplots(1, columns, squeeze=False, width_ratios=ratios)[0])
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, color="#dddddd", linewidth=0.7)
        axes.set_axisbelow(True)
    return figure, panels


def add_footer(figure: "Figure", footer: str) -> "Figure":
    """Writes a line below a figure, nothing where it is empty, and returns the figure."""
    if footer:
        # supxlabel, unlike text, is given its own room by the layout.
        figure.supxlabel(footer, fontsize=8, color=GREY, wrap=True)
    return figure


def save_figure(figure: "Figure", path: Path) -> tuple[Path, Path]:
    """Writes `path` once as .png and once as .svg, each beside and then renamed."""
    files = figure_files(figure, path.stem)
    for name, content in files.items():
        write_bytes(path.with_name(name), content)
    return (path.with_suffix(".png"), path.with_suffix(".svg"))


def figure_files(
    figure: "Figure", name: str, kinds: Sequence[str] = ("png", "svg")
) -> dict[str, bytes]:
    """Returns the files of a figure, file name to content."""
    files = {}
    for kind in kinds:
        files[f"{name}.{kind}"] = png(figure) if kind == "png" else _svg(figure)
        # The places of things have been found; finding them again took a third of the time.
        figure.set_layout_engine("none")
    return files


def png(figure: "Figure", *, dots_per_inch: int = DOTS_PER_INCH) -> bytes:
    """Draws a figure as a PNG file without transparency.

    Without the fourth channel and at the least compression the file takes three quarters of
    Matplotlib's time, and is as large.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    # `figure.savefig` draws twice, once only to find the places of things; nothing here
    # depends on that (no tight box is asked for).
    with rc_context(_SETTINGS):  # type: ignore[arg-type]
        figure.set_dpi(dots_per_inch)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    stream = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))
    image.save(stream, "PNG", compress_level=1, dpi=(dots_per_inch, dots_per_inch))
    return stream.getvalue()


def _svg(figure: "Figure") -> bytes:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    stream = io.BytesIO()
    with rc_context(_SETTINGS):  # type: ignore[arg-type]
        FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None})
    return stream.getvalue()
