"""The description of another system's model, which comes without a run folder."""

import dataclasses
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cancernet import catalog
from cancernet.base.errors import RunError
from cancernet.images.scalings import SCALINGS
from cancernet.recipe_file import named_settings
from cancernet.runs.run_folder import Run
from cancernet.runs.run_record import FINISHED, LONGEST_SIDE, DatasetFacts, Input, RunRecord

INSIDE = "inside"  # the model prepares its pixels itself
_LARGEST_ERROR = 1e-3  # by which a row of probabilities may miss 1


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
    """What a person says about a model; None where nothing was said."""

    dataset: str | None = None  # name in the catalogue: classes in order, which are positive
    classes: tuple[str, ...] = ()  # the same, where the catalogue lacks the data set
    positive: tuple[str, ...] = ()
    recipe: str | None = None  # name or file of one, whose networks prepare pixels themselves
    image_size: int | None = None  # height and width of the input, pixels
    interpolation: str | None = None
    preprocessing: str | None = None
    sha256: str | None = None  # of the whole file
    weights: Path | None = None  # file of the weights, where the other holds the network only
    own_classes: ClassNames | None = None  # of a built data set, where nobody said others

    def with_recipe(self) -> "ModelDescription":
        """Returns the description, completed from the recipe where nothing else was said."""
        if self.recipe is None:
            return self
        config = named_settings(self.recipe)
        return dataclasses.replace(
            self,
            dataset=self.dataset or (None if self.classes else config.dataset),
            image_size=self.image_size or config.image_size,
            interpolation=self.interpolation or config.interpolation,
            preprocessing=self.preprocessing or INSIDE,
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
        if missing:
            raise RunError(
                f"{named} has no run folder that says {' or '.join(missing)}; add "
                f"{' and '.join(flags)}, or a --recipe"
            )
        return known

    @property
    def facts(self) -> ClassNames:
        """Its classes; raises CancerNetError where they are not known or do not go together."""
        if self.classes:
            return catalog.OwnClasses(self.classes, self.positive)
        if self.dataset is None and self.own_classes is not None:
            return self.own_classes
        return catalog.dataset(self.dataset or "")

    def run_of(self, named: Path, sides: tuple[int, int], checksum: str) -> Run:
        """Returns a run that holds what is known of a model.

        Args:
            named: the file.
            sides: height and width of its input.
            checksum: SHA-256 of the file, or of its files.
        """
        facts = self.facts
        (height, width), interpolation = sides, self.interpolation or "bilinear"
        choices = f"{facts.classes} {height}x{width} {interpolation} {self.preprocessing}"
        record = RunRecord(
            status=FINISHED,
            classes=facts.classes,
            words=facts.words,
            positive=facts.positive,
            input=Input(width=width, height=height, interpolation=interpolation),
            dataset=DatasetFacts(name=self.dataset or "", drawn=False, leaks=()),
            checksum=f"{checksum} {choices}",
        )
        return Run(folder=named, record=record)


def input_sides(
    height: int | None, width: int | None, shown: Path, image_size: int | None
) -> tuple[int, int]:
    """Returns the sides of a model's input; --image-size states what the model leaves open.

    Raises:
        RunError: a side is not stated, stated in two ways, or out of bounds.
    """
    height, width = height or image_size, width or image_size
    if height is None or width is None:
        raise RunError(f"{shown} takes images of any size; give the size with --image-size")
    if image_size is not None and (height, width) != (image_size, image_size):
        raise RunError(
            f"{shown} takes images of {width}x{height} pixels, not {image_size}x{image_size}; "
            "leave --image-size out"
        )
    if not (0 < height <= LONGEST_SIDE and 0 < width <= LONGEST_SIDE):
        raise RunError(
            f"{shown} takes images of {width}x{height} pixels; each side must be 1 to "
            f"{LONGEST_SIDE}"
        )
    return int(height), int(width)


def prepared(pixels: np.ndarray, preprocessing: str) -> np.ndarray:
    """Brings RGB 0-255, float32 (n, height, width, 3), to what a model was trained on.

    `preprocessing` is "inside" (the model does it) or a rule of `cancernet/images/scalings.py`.
    """
    if preprocessing == INSIDE:
        return pixels
    scale, offset = SCALINGS[preprocessing]
    if preprocessing == "caffe":
        pixels = pixels[..., ::-1]
    return pixels * np.asarray(scale, np.float32) + np.asarray(offset, np.float32)


def probabilities_of(outputs: np.ndarray, shown: Path) -> np.ndarray:
    """Returns probabilities that add up to 1, (n, classes), of a model's outputs.

    Raises:
        RunError: they are not probabilities.
    """
    found = np.asarray(outputs, np.float64)
    if found.shape[1] == 1:
        # One sigmoid unit gives the probability of the second class.
        found = np.concatenate([1 - found, found], axis=1)
    largest_error = np.abs(found.sum(axis=1) - 1).max()
    if not (found.min() >= 0 and found.max() <= 1 and largest_error <= _LARGEST_ERROR):
        raise RunError(
            f"the outputs of {shown} are not probabilities (from {found.min():.3g} "
            f"to {found.max():.3g}); its last layer must be a softmax or sigmoid"
        )
    return found / found.sum(axis=1, keepdims=True)


def check_outputs(shape: Any, shown: Path, classes: int) -> None:
    """Raises RunError where outputs of a shape, a tuple or several, do not fit the classes."""
    outputs = shape[-1] if not isinstance(shape, list) and len(shape) == 2 else None
    if outputs != classes and not (outputs == 1 and classes == 2):
        raise RunError(
            f"{shown} has outputs of the shape {shape}, which do not fit {classes} classes; name "
            "those it was trained on with --classes, or their data set with --dataset"
        )
