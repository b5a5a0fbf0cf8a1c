"""The description of another system's model, which comes without a run folder."""

import dataclasses
from pathlib import Path
from typing import Any, Protocol

from cancernet.base.errors import CancerNetError, RunError
from cancernet.base.files import is_file
from cancernet.base.settings import flag_of, setting
from cancernet.config import INTERPOLATIONS
from cancernet.scoring.model_file import NETWORK_ONLY, SUFFIXES, is_model_file

GROUP = "a Keras or ONNX model without a run folder (--run FILE)"


WITHOUT_WEIGHTS = (
    "is an architecture without weights, so it cannot predict; name a .keras or .h5 file that "
    "holds both, or a .json file and its weights with --weights FILE"
)
_ARCHITECTURES = (NETWORK_ONLY, ".yaml", ".yml")  # as Keras writes them
ONNX = ".onnx"


class ClassNames(Protocol):
    """Classes in the order of a model's outputs, what each means, and which are positive."""

    @property
    def classes(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def words(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def positive(self) -> tuple[str, ...]: ...  # noqa: D102


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """What a person says about a model, in flags; None where nothing was said."""

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
    own_classes: ClassNames | None = None  # of a built data set, where nobody said others

    @property
    def given(self) -> dict[str, Any]:
        """The flags that were given, by field."""
        return {name: value for name, value in vars(self).items() if value not in (None, ())}

    def with_recipe(self) -> "ModelDescription":
        """Returns the description, completed from the recipe where nothing else was said."""
        if self.recipe is None:
            return self
        from cancernet.recipe_file import named_settings

        config = named_settings(self.recipe)
        return dataclasses.replace(
            self,
            dataset=self.dataset or (None if self.classes else config.dataset),
            image_size=self.image_size or config.image_size,
            interpolation=self.interpolation or config.interpolation,
            preprocessing=self.preprocessing or "inside",
        )

    def complete(self, named: Path) -> "ModelDescription":
        """Returns the description with its recipe, if it says what is needed for this model.

        Raises:
            RunError: the classes or the preprocessing are not stated, or the classes twice.
            CancerNetError: the classes do not go together.
        """
        known = self.with_recipe()
        if self.dataset is not None and self.classes:
            raise RunError("--dataset and --classes both name the classes; leave out one")
        if self.positive and not self.classes:
            raise RunError("--positive goes with --classes")
        missing, flags = [], []
        if not (known.dataset or known.classes or known.own_classes):
            missing.append("what its outputs mean")
            flags.append(
                "--classes A B --positive B in the order of its outputs (or name the data set with "
                "--dataset)"
            )
        if known.preprocessing is None:
            missing.append("how its pixels were prepared")
            flags.append(
                "--preprocessing unit (0-1, as in the tutorial and most published systems), tf, "
                "torch, caffe or inside (the model does it)"
            )
        if missing and (whose := _run_of(named)):
            raise RunError(f"{named} {whose}")
        if missing:
            raise RunError(
                f"{named} has no run folder that says {' or '.join(missing)}; add "
                f"{' and '.join(flags)}, or a --recipe"
            )
        return known

    @property
    def facts(self) -> ClassNames:
        """Its classes; raises CancerNetError where they are not known or do not go together."""
        from cancernet import catalog

        if self.classes:
            return catalog.OwnClasses(self.classes, self.positive)
        if self.dataset is None and self.own_classes is not None:
            return self.own_classes
        return catalog.dataset(self.dataset or "")


def is_model_alone(named: Path | None, said: ModelDescription) -> bool:
    """Tells whether --run names a model of another system rather than a run folder.

    Raises:
        CancerNetError: it can be neither, or flags describe a model and --run names none.
    """
    from cancernet.runs.run_folder import RUN_FILE

    if named is not None and not is_file(named / RUN_FILE):
        refuse_other(named, weights=said.weights)
        onnx = named.is_file() and named.suffix.lower() == ONNX
        if onnx or is_model_file(named):
            return True
        if not named.exists():
            return False  # who opens the run says so
    if given := next(iter(said.given), None):
        raise CancerNetError(
            f"{flag_of(given)} is only for a model without a run folder; leave it out"
        )
    return False


def refuse_other(named: Path, *, weights: Path | None) -> None:
    """Raises RunError for what is neither a run nor a model; says what it is, and what to name.

    Args:
        named: a path, also of a file that is not there.
        weights: file of the weights, where the model is in two files.
    """
    if (named / "saved_model.pb").is_file():
        # It holds code, which would be run.
        raise RunError(
            f"{named} is a SavedModel, which is not opened here; if you trust it, `python -m "
            f"tf2onnx.convert --saved-model {named} --output {named.name}{ONNX}` makes a file of it"
        )
    if named.is_file() and (what := _other_file(named, weights)):
        raise RunError(f"{named} {what}")


def _run_of(named: Path) -> str:
    """Says that a file is the model of a run; empty where no run lies around it."""
    from cancernet.runs.run_folder import RUN_FILE

    in_a_run = (named.parent / RUN_FILE).is_file()
    return f"is the model of a run; name its folder, --run {named.parent}" if in_a_run else ""


def _other_file(named: Path, weights: Path | None) -> str:
    """Says what a file is or seems to be; empty for a model."""
    from cancernet.runs.run_folder import RUN_FILE

    suffix = named.suffix.lower()
    if named.name == RUN_FILE:
        return f"is the record of a run; name its folder, --run {named.parent}"
    if suffix in _ARCHITECTURES and (weights is None or suffix != NETWORK_ONLY):
        return WITHOUT_WEIGHTS
    if suffix == ONNX:
        return _run_of(named)
    if suffix == ".tflite":
        return (
            f"is a TFLite file, which is not opened here: `python -m tf2onnx.convert --tflite "
            f"{named.name} --output {named.stem}{ONNX}` makes an ONNX file of it"
        )
    if not is_model_file(named):
        return f"is neither a run folder nor a model ({', '.join((*SUFFIXES, ONNX))})"
    return ""
