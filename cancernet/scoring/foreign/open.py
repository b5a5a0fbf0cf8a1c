"""From the flags of `predict.py` to a predictor around somebody else's file."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from cancernet import catalog
from cancernet.base.errors import RunError
from cancernet.recipe_file import named_settings
from cancernet.scoring.foreign.parts import whole_file
from cancernet.scoring.foreign.predictor import BarePredictor, open_bare


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stated:
    """What somebody stated of a bare model; None where nothing was.

    Attributes:
        dataset: name in the catalogue: classes in order, which are positive.
        recipe: name or file: data set, size, interpolation; its networks prepare pixels
            themselves.
        image_size: height and width of the input, pixels.
        interpolation: how images are brought to that size.
        preprocessing: how pixels are prepared.
        sha256: of the whole file.
    """

    dataset: str | None = None
    recipe: str | None = None
    image_size: int | None = None
    interpolation: str | None = None
    preprocessing: str | None = None
    sha256: str | None = None


@contextlib.contextmanager
def opened(named: Path, stated: Stated) -> Iterator[BarePredictor]:
    """Opens a bare model for the time of the block.

    Raises:
        CancerNetError: something was not stated, or the file is refused; see `open_bare`.
    """
    dataset, size, interpolation, preprocessing = stated.dataset, stated.image_size, None, None
    if stated.recipe is not None:
        config = named_settings(stated.recipe)
        dataset = dataset or config.dataset
        size = size or config.image_size
        interpolation, preprocessing = config.interpolation, "inside"
    preprocessing = stated.preprocessing or preprocessing
    if dataset is None:
        raise RunError(
            f"{named} is a bare model, and nothing says what its outputs mean; name the data set "
            "with --dataset, or a --recipe"
        )
    if preprocessing is None:
        raise RunError(
            f"{named} is a bare model, and nothing says how its pixels were prepared; say "
            "--preprocessing unit (0-1, as most published systems), tf, torch, caffe, or inside "
            "(the model does it), or name a --recipe"
        )
    facts = catalog.dataset(dataset)
    with whole_file(named, sha256=stated.sha256) as path:
        yield open_bare(
            path,
            shown=named,
            classes=facts.classes,
            words=facts.words,
            positive=facts.positive,
            image_size=size,
            interpolation=stated.interpolation or interpolation or "bilinear",
            preprocessing=preprocessing,
        )
