"""One image with its prediction as the title, for a slide or a note."""

from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.files import plain_name, written_beside
from cancernet.base.images import read_rgb
from cancernet.runs.run_folder import Run
from cancernet.scoring.answers import point_text, score_text
from cancernet.scoring.predictor import Prediction

SUFFIXES = (".png", ".jpg", ".jpeg", ".pdf", ".svg")
LARGEST_SIDE = 2048  # pixels; larger images are shown smaller


def check_target(path: Path) -> None:
    """Raises CancerNetError for a name that matplotlib cannot write, or that is taken."""
    if path.suffix.lower() not in SUFFIXES:
        raise CancerNetError(f"--figure {path} must end in one of {', '.join(SUFFIXES)}")
    if path.exists():
        raise CancerNetError(f"--figure {path} exists already; move it away or name another file")


def write_figure(path: Path, prediction: Prediction, run: Run, *, notice: str) -> None:
    """Writes the image as PNG, JPEG, PDF or SVG: its prediction above, the notice below."""
    from matplotlib.figure import Figure

    image = read_rgb(Path(prediction.path))
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    figure = Figure(figsize=(5.2, 5.9), layout="constrained", dpi=150)
    axes = figure.subplots()
    axes.imshow(image)
    axes.axis("off")
    axes.set_title(
        f"{_shown(prediction.word)}: probability {score_text(prediction.probability)}\n",
        fontsize=12,
    )
    axes.text(
        0.5,
        1.01,
        point_text(prediction, run),
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        fontsize=7.5,
        color="#444444",
        wrap=True,
    )
    drawn = "Trained on drawn pictures: means nothing for tissue. " if run.drawn else ""
    figure.supxlabel(
        f"{_shown(Path(prediction.path).name)} · {_shown(run.name)}\n{drawn}{notice}",
        fontsize=7.5,
        wrap=True,
    )
    with written_beside(path) as temporary:
        figure.savefig(temporary)


def _shown(name: str) -> str:
    """Returns a name that matplotlib draws as it is: a dollar sign begins no formula."""
    return plain_name(name).replace("$", r"\$")
