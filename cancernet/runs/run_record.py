"""`run.json` and `cross_validation.json` as typed records: what was trained, on what and how."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from cancernet import __version__
from cancernet.appearance.appearance import Appearance
from cancernet.base.records import Record, Written
from cancernet.config import INTERPOLATIONS
from cancernet.context.context import Context
from cancernet.dataset.notices import Leak, SplitCounts, say_leaks, upgraded_leaks
from cancernet.measures.decisions import Calibration, OperatingPoint

FORMAT = 1
FINISHED = "finished"
TRAINING = "training"
CROSS_VALIDATION = "cross_validation.json"  # what a cross-validation has instead of `run.json`
LONGEST_SIDE = 4096  # pixels of a network's input; the largest published ones take 800

Setting = bool | int | float | str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Input(Record):
    """What the network takes in: RGB images of this size, scaled to it in this way.

    `bits` is the depth of the data's values where their files have more than 8 and do not state
    it; else 0.
    """

    width: int
    height: int
    channels: int = 3
    range: str = "RGB 0-255"
    interpolation: str
    bits: int = 0

    def __post_init__(self) -> None:
        if self.bits and not 8 <= self.bits <= 16:
            raise ValueError(f"values of {self.bits} bits; there are 8 to 16")
        if not (0 < self.width <= LONGEST_SIDE and 0 < self.height <= LONGEST_SIDE):
            raise ValueError(
                f"{self.width}x{self.height} pixels; each side must be 1 to {LONGEST_SIDE}"
            )
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"the interpolation {self.interpolation!r:.40} is not known")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetFacts(Record):
    """What a run says about its data, so that it no longer needs them.

    Attributes:
        folder: where the training found them, as it was named.
        fingerprint: of the data set, or of this division of it.
        whole: in a fold, the fingerprint of the data set that it divides; else empty.
        split: how the splits were made, in words.
        image_size: (width, height) in pixels that most images have; empty where not known.
        left_out: reason -> number of files.
        unit: what was not split, in a word: patient, source, group.
        testing_content: digest of the testing images with their truth.
        patients: split -> names, so that an evaluation can tell who was trained on.
    """

    name: str = ""
    title: str = ""
    folder: str = ""
    fingerprint: str = ""
    whole: str = ""
    drawn: bool
    leaks: tuple[Leak, ...]
    split: str = ""
    counts: Mapping[str, SplitCounts] = dataclasses.field(default_factory=dict)
    image_size: tuple[int, ...] = ()
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    unit: str = "patient"
    testing_content: str = ""
    patients: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    @classmethod
    def upgraded(cls, entries: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the entries of version 0.1.0, which wrote a sentence, in today's form."""
        return entries if "leaks" in entries else upgraded_leaks({"leaks": [], **entries})

    @Written
    def leak(self) -> str:
        """What leaks, in words; empty when nothing does."""
        return say_leaks(self.leaks)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine(Record):
    """The machine that trained; nothing that identifies the computer."""

    system: str
    processor: str
    cores: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class FirstWeights(Record):
    """Where the first weights came from.

    Attributes:
        source: `none`, `imagenet` or the file as it was given.
        file: the name of the file, or "".
        sha256: of the file, or "".
        part: `backbone` or `network`, or "" without a file.
    """

    source: str
    file: str = ""
    sha256: str = ""
    part: str = ""

    def words(self) -> str:
        """Says it to a person."""
        if not self.file:
            return "random numbers"
        learnt = ", trained on ImageNet (docs/DATASETS.md has origin and terms)"
        origin = learnt if self.source == "imagenet" else ""
        return f"{self.file} for the {self.part}{origin}; SHA-256 {self.sha256}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fold(Record):
    """One fold of a cross-validation by the names of its patients; all others train.

    Attributes:
        number: from 1, as in `fold-01`.
        testing: patients that are tested.
        validation: patients that choose calibration and operating point.
    """

    number: int
    testing: tuple[str, ...]
    validation: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the fold's run folder."""
        return f"fold-{self.number:02d}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoldOfRun(Fold):
    """Which fold a run is, and of how many."""

    of: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkFacts(Record):
    """The trained network; `onnx_difference` is the largest between Keras and ONNX Runtime."""

    name: str
    parameters: int
    trainable: int
    onnx_difference: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingFacts(Record):
    """How the training went; `images_per_second` is NaN where no epoch was timed."""

    seconds: float
    cpu_seconds: float
    images_per_second: float
    epochs: int
    best_epoch: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContextRecord(Context):
    """How patches are judged with their neighbours.

    Attributes:
        side: of a patch, pixels of the slide, in which file names count places.
        operating_point: on the scale of probabilities in context.
    """

    side: int
    operating_point: OperatingPoint

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.side < 1:
            raise ValueError(f"`side` must be at least 1 pixel, but is {self.side}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingRecord(Record):
    """What the records of a run and of a cross-validation have in common.

    Attributes:
        program: version that began it.
        status: `TRAINING` or `FINISHED`.
        beside: runs whose figures the report shows beside these.
    """

    format: int = FORMAT
    program: str = __version__
    status: str
    created: str = ""
    command: str = ""
    recipe: str = ""
    config: Mapping[str, Setting] = dataclasses.field(default_factory=dict)
    beside: tuple[str, ...] = ()
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    commit: str = ""
    finished: str | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the training ended and its files are vouched for."""
        return self.status == FINISHED


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRecord(TrainingRecord):
    """The content of `run.json`; what a training adds at its end is None until then.

    Attributes:
        classes: class names in the order of the model's outputs.
        words: what each class means to a reader.
        positive: the classes that count as positive.
        differences: what changed when the training was resumed with --insist.
        files: name -> SHA-256 of the files that the record vouches for.
        checksum: of all other entries.
    """

    dataset: DatasetFacts
    classes: tuple[str, ...]
    words: tuple[str, ...]
    positive: tuple[str, ...]
    input: Input
    machine: Machine | None = None
    weights: FirstWeights | None = None
    fold: FoldOfRun | None = None
    differences: tuple[str, ...] | None = None
    model: NetworkFacts | None = None
    calibration: Calibration | None = None
    training: TrainingFacts | None = None
    operating_point: OperatingPoint | None = None
    context: ContextRecord | None = None
    appearance: Appearance | None = None
    files: Mapping[str, str] | None = None
    checksum: str | None = None

    def __post_init__(self) -> None:
        # The checksum keeps accidents out; whoever wants to do harm computes another.
        classes, positive = set(self.classes), set(self.positive)
        if not all(self.classes) or len(classes) != len(self.classes) or len(classes) < 2:
            raise ValueError("`classes` must be two or more different names")
        if not all(self.words) or len(self.words) != len(self.classes):
            raise ValueError("`words` must have one word for each of `classes`")
        if not positive or not positive < classes:
            raise ValueError("`positive` must name some of `classes`, but not all")
        if self.operating_point is not None and math.isinf(self.operating_point.threshold):
            raise ValueError("`operating_point.threshold` must be a finite number")
        shares = self.calibration.shares if self.calibration else ()
        if len(shares) not in (0, len(self.classes)):
            raise ValueError("`calibration.shares` must have one number for each of `classes`")
        if self.context is not None and len(self.classes) != 2:
            raise ValueError("`context` needs exactly two `classes`")


@dataclasses.dataclass(frozen=True, kw_only=True)
class WholeDataset(Record):
    """The data set that the folds divide: where it lies, and the SHA-256 of its manifest."""

    folder: str
    fingerprint: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrossValidationRecord(TrainingRecord):
    """The content of `cross_validation.json`; `asked` is what --folds named."""

    dataset: WholeDataset
    asked: str
    folds: tuple[Fold, ...]

    def __post_init__(self) -> None:
        if not self.folds:
            raise ValueError("`folds` is empty")
