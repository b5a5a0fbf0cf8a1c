"""A model of another system on the command line: the flags that describe it, and its opening."""

import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.errors import CancerNetError
from cancernet.base.settings import flag_of, setting
from cancernet.config import INTERPOLATIONS

if TYPE_CHECKING:
    from cancernet.scoring.described import ClassNames
    from cancernet.scoring.other_models import ModelAlone

GROUP = "a Keras or ONNX model without a run folder (--run FILE)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelFlags:
    """The flags that describe a model; the fields are those of `ModelDescription`."""

    dataset: str | None = setting(
        None, "its classes in order, as in the catalogue", group=GROUP, metavar="NAME"
    )
    classes: tuple[str, ...] = setting(
        (), "its classes in the order of its outputs, instead of --dataset", group=GROUP
    )
    positive: tuple[str, ...] = setting((), "which of --classes are positive", group=GROUP)
    preprocessing: str | None = setting(
        None,
        "how its pixels are prepared: unit is 0-1; inside: the model does it",
        group=GROUP,
        choices=("inside", "unit", "tf", "torch", "caffe"),
    )
    image_size: int | None = setting(
        None, "height and width, where the file does not say", group=GROUP, metavar="N"
    )
    interpolation: str | None = setting(
        None, "default: bilinear", group=GROUP, choices=INTERPOLATIONS
    )
    recipe: str | None = setting(
        None,
        "take data set, size and interpolation from a recipe, whose models prepare pixels "
        "themselves",
        group=GROUP,
        metavar="NAME_OR_FILE",
    )
    weights: Path | None = setting(
        None, "its weights, where the other file is the network only (.json)", group=GROUP
    )
    sha256: str | None = setting(None, "the hash the file must have", group=GROUP, metavar="HEX")

    @property
    def given(self) -> dict[str, Any]:
        """The flags that were given, by field."""
        return {name: value for name, value in vars(self).items() if value not in (None, ())}

    @contextlib.contextmanager
    def open(self, named: Path, classes: "ClassNames | None" = None) -> Iterator["ModelAlone"]:
        """Opens a model for the time of the block, and says on stderr what it is taken for.

        Args:
            named: a file of which `is_model_alone` is true.
            classes: those of labelled images, where no flag names others.

        Raises:
            CancerNetError: something is not described, or the file is refused, cannot be loaded
                or does not fit.
        """
        from cancernet.scoring import other_models
        from cancernet.scoring.described import ModelDescription
        from cancernet.scoring.words import assumed_text

        description = ModelDescription(**self.given, own_classes=classes)
        with contextlib.ExitStack() as stack:
            if named.suffix.lower() == other_models.ONNX:
                opened: ModelAlone = other_models.open_onnx_model(named, description)
            else:
                opened = stack.enter_context(other_models.open_keras_model(named, description))
            print(f"note: {assumed_text(opened)}", file=sys.stderr)
            yield opened


def is_model_alone(named: Path | None, flags: ModelFlags) -> bool:
    """Tells whether --run names a model of another system rather than a run folder.

    Raises:
        CancerNetError: it can be neither, or flags describe a model and --run names none.
    """
    from cancernet.base.files import is_file
    from cancernet.runs.run_folder import RUN_FILE

    if named is not None and not is_file(named / RUN_FILE):
        from cancernet.scoring import model_file, other_models

        other_models.refuse_other(named, weights=flags.weights)
        onnx = named.is_file() and named.suffix.lower() == other_models.ONNX
        if onnx or model_file.is_model_file(named):
            return True
        if not named.exists():
            return False  # who opens the run says so
    if given := next(iter(flags.given), None):
        raise CancerNetError(
            f"{flag_of(given)} is only for a model without a run folder; leave it out"
        )
    return False
