"""What the calls of `cancernet.api` return, and how a notebook shows it."""

import dataclasses
import html
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cancernet.base.errors import CancerNetError, ImageError
from cancernet.images.reading import encoded, read_rgb
from cancernet.scoring.output import PROBABILITIES

if TYPE_CHECKING:
    import pandas

    from cancernet.dataset.build_record import BuildRecord
    from cancernet.runs.metrics_file import Metrics

SIDE = 160  # width of a picture, pixels
PICTURED = 24  # predictions of a list that are shown


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Told:
    """A result that `print` and a notebook show as the command shows it."""

    text: str = dataclasses.field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text)}</pre>"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction(_Told):
    """What a run says about one image; a notebook shows it below the image.

    Attributes:
        path: the image's path as it was given; `image 1`, `image 2`, … where it had none.
        label: the predicted class, for two classes by the operating point, for more the most
            probable; empty where there was an error.
        word: what that class means to a reader.
        call: what the operating point says: one of two classes, or `positive` or `negative` of
            more; None without an operating point.
        positive: whether the positive classes reach the operating point; None without one.
        probability: of `label`, 0-1.
        probabilities: class -> probability; they add up to 1.
        positive_probability: of the positive classes together, 0-1.
        operating_point: what that is compared with; None where none was chosen on data.
        neighbours: how many of the eight patches around it were used; None where the run does
            not judge in context or the file's name gives no position.
        alone_probabilities: class -> probability of the image without neighbours; empty where
            the run does not judge in context.
        slide_point: whether the operating point is the slide's own, because nearly all of it is
            there; None where the run does not judge in context.
        unlike_training: whether the image is unlike those of the training; None
            where the run cannot tell.
        named_like_mask: whether the file's name or folder is that of a segmentation mask.
        error: why the image could not be scored; empty where it was.
        image: the file, or the image itself.
        closing: what a reader of any prediction must know.
    """

    path: str
    label: str = ""
    word: str = ""
    call: str | None = None
    positive: bool | None = None
    probability: float = math.nan
    probabilities: Mapping[str, float] = dataclasses.field(default_factory=dict)
    positive_probability: float = math.nan
    operating_point: float | None = None
    neighbours: int | None = None
    alone_probabilities: Mapping[str, float] = dataclasses.field(default_factory=dict)
    slide_point: bool | None = None
    unlike_training: bool | None = None
    named_like_mask: bool = False
    error: str = ""
    image: Path | Image.Image = dataclasses.field(repr=False, compare=False)
    closing: str = dataclasses.field(default="", repr=False, compare=False)

    def row(self) -> dict[str, Any]:
        """Returns the row of a table, column -> value, with one column for each class."""
        facts = {field.name: getattr(self, field.name) for field in dataclasses.fields(Prediction)}
        for name in ("text", "image", "closing"):
            del facts[name]
        for prefix, name in PROBABILITIES.items():
            facts |= {f"{prefix}_{label}": score for label, score in facts.pop(name).items()}
        return facts

    def as_figure(self) -> str:
        """Returns the image with its prediction below, as HTML."""
        try:
            shown = read_rgb(self.image) if isinstance(self.image, Path) else self.image
        except ImageError:
            return super()._repr_html_()
        return _captioned(shown, self.text)

    def _repr_html_(self) -> str:
        return f"{self.as_figure()}<p>{html.escape(self.closing)}</p>"


class Predictions(list[Prediction]):
    """Predictions in the order of their images."""

    def to_pandas(self) -> "pandas.DataFrame":
        """Returns a table with a row for each image and a column for each class's probability.

        Raises:
            CancerNetError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise CancerNetError(
                "to_pandas needs the package pandas; install it with `pip install pandas`"
            ) from None
        return pandas.DataFrame([prediction.row() for prediction in self])

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def _repr_html_(self) -> str:
        shown = "".join(prediction.as_figure() for prediction in self[:PICTURED])
        more = len(self) - PICTURED
        below = [f"and {more:,} more"] * (more > 0) + [each.closing for each in self[:1]]
        words = "".join(f"<p>{html.escape(line)}</p>" for line in below)
        return shown + words


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Explanation(_Told):
    """What an answer depends on: where the network looks, not where disease is.

    Attributes:
        prediction: the answer, in context where the run judges so; the map is of the image alone.
        map: float32 0-1 at the network's input size, shape (height, width).
        overlay: the image with the map over it, RGB 0-255, uint8 (height, width, 3); the pixels
            of a small image are repeated.
        label: the class that is explained.
        method: how the map was made.
        layer: whose feature maps were used; empty for occlusion.
    """

    prediction: Prediction
    map: NDArray[np.float32] = dataclasses.field(repr=False)
    overlay: NDArray[np.uint8] = dataclasses.field(repr=False)
    label: str
    method: str
    layer: str

    def _repr_html_(self) -> str:
        return _captioned(Image.fromarray(self.overlay), self.text, side=2 * SIDE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSet(_Told):
    """A data set that was built.

    Attributes:
        facts: the content of its `build.json`: classes, counts, leaks, notices.
        failed: files with a defect, which were left out: source, reason, detail.
        unchanged: whether exactly this set was there already.
    """

    folder: Path
    facts: "BuildRecord" = dataclasses.field(repr=False)
    failed: list[tuple[str, str, str]]
    unchanged: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation(_Told):
    """Figures of a run on labelled images.

    Attributes:
        metrics: the content of `metrics.json`; `metrics.testing` are those of the images.
        leak: what the run was trained on of these images or patients; empty for nothing.
        left_out: reason -> number of files that were not judged.
        report: the page with all figures; None where no folder was named for it.
    """

    metrics: "Metrics" = dataclasses.field(repr=False)
    leak: str
    left_out: Mapping[str, int]
    report: Path | None


def _captioned(image: Image.Image, text: str, *, side: int = SIDE) -> str:
    """Returns a picture, `side` pixels wide, with words below, for a notebook."""
    small = image.copy()
    small.thumbnail((side, side))
    return (
        f'<figure style="display: inline-block; width: {2 * SIDE}px; vertical-align: top">'
        f'<img src="data:image/png;base64,{encoded(small, "PNG")}" alt="" width="{side}">'
        f'<figcaption style="white-space: pre-wrap">{html.escape(text)}</figcaption></figure>'
    )
