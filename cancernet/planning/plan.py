"""A training as values: what is asked for, what is trained where, its epochs, its results."""

import dataclasses
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cancernet.base.console import install_extra
from cancernet.base.errors import CancerNetError
from cancernet.base.settings import flag_of
from cancernet.config import TrainConfig
from cancernet.context.judge import ContextAssessment
from cancernet.dataset.manifest import BuiltDataset
from cancernet.measures.assess import Assessment
from cancernet.runs import run_folder
from cancernet.runs.run_record import FoldOfRun, Input, RunRecord


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resume:
    """How to resume an unfinished training.

    Attributes:
        given: settings given now; they must equal the run's unless `insist` is set.
        insist: resume although the program, the data or a setting differs.
        finish_now: train no further; finish with the best epoch so far.
    """

    given: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    insist: bool = False
    finish_now: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Logs:
    """Where others may watch a training, besides the log in its folder.

    Attributes:
        tensorboard: folder of TensorBoard's event files, or None for none.
        mlflow: whether MLflow logs it.
    """

    tensorboard: Path | None = None
    mlflow: bool = False

    def check(self) -> None:
        """Raises CancerNetError when a package is missing that MLflow's local store needs."""
        for name in ("mlflow", "sqlalchemy", "alembic"):
            if self.mlflow and importlib.util.find_spec(name) is None:
                raise CancerNetError(
                    f"--mlflow needs the package {name}; install it with {install_extra('mlflow')}"
                )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked for: a new run, or to resume one.

    Attributes:
        data: folder of a built data set, or a data set that is open already, such as a fold.
        recipe: name of the recipe, for the record.
        given: the settings that were given beside it; `config` has them.
        command: the command line, for the record.
        beside: finished runs whose figures the report shows beside these.
        fold: what run.json says of the fold, where this is one of a cross-validation.
        logs: where others may watch it.
        resume: how to resume; None begins a new run.
    """

    folder: Path
    data: Path | BuiltDataset
    config: TrainConfig
    recipe: str = ""
    given: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    command: str = ""
    beside: Sequence[Path] = ()
    fold: FoldOfRun | None = None
    logs: Logs = Logs()
    resume: Resume | None = None

    def settings_words(self) -> str:
        """Names the recipe, and as flags what was given beside it; empty without a recipe."""
        flags = [
            flag_of(f"no_{name}")
            if value is False
            else f"{flag_of(name)} {value}".removesuffix(" True")
            for name, value in self.given.items()
        ]
        beside = f", with {', '.join(flags)}" if flags else ""
        return f"Settings of {self.recipe}{beside}" if self.recipe else ""

    def for_images(self, images: int) -> "Plan":
        """Returns the plan with the epochs that its length means for this many training images."""
        return dataclasses.replace(self, config=self.config.for_images(images))


def input_of(dataset: BuiltDataset, config: TrainConfig) -> Input:
    """Returns what a network that is trained so takes in."""
    side = config.image_size
    return Input(width=side, height=side, interpolation=config.interpolation, bits=dataset.bits)


@dataclasses.dataclass(frozen=True)
class Training:
    """What is trained, with which settings, into which folder."""

    folder: Path
    dataset: BuiltDataset
    config: TrainConfig

    @property
    def checkpoint(self) -> Path:
        """The folder of what an unfinished training needs to go on."""
        return self.folder / run_folder.CHECKPOINT

    @property
    def input(self) -> Input:
        """What the network takes in."""
        return input_of(self.dataset, self.config)

    @property
    def positive(self) -> list[int]:
        """Places of the positive classes among all classes."""
        return [self.dataset.classes.index(name) for name in self.dataset.positive]


@dataclasses.dataclass
class State:
    """The bookkeeping of a training after its last complete epoch.

    Attributes:
        history: one row per epoch, column name to value.
        best_value: the best value of the monitored measure so far.
        best_epoch: the epoch that reached it, counted from 1; 0 before the first.
        waited: epochs since then.
        plateau_waited: epochs since the last better one or lowering of the rate.
        seconds: time spent training in complete epochs, without validation.
        cpu_seconds: the same of all processors together.
        phase: 0, or 1 where the top of the backbone learns after the head.
        phase_start: complete epochs before this phase.
    """

    history: list[dict[str, int | float]] = dataclasses.field(default_factory=list)
    best_value: float = float("nan")
    best_epoch: int = 0
    waited: int = 0
    plateau_waited: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    phase: int = 0
    phase_start: int = 0

    def __post_init__(self) -> None:
        numbers = (self.best_epoch, self.waited, self.plateau_waited, self.phase, self.phase_start)
        if min(numbers) < 0 or self.phase > 1:
            raise ValueError("its bookkeeping is damaged")

    @property
    def epochs(self) -> int:
        """Complete epochs."""
        return len(self.history)

    def begin_phase(self, phase: int) -> None:
        """Notes that another phase begins after the last complete epoch."""
        self.phase, self.phase_start = phase, self.epochs
        self.waited = self.plateau_waited = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finished:
    """The results of a training.

    Attributes:
        state: the bookkeeping of the epochs.
        assessment: both splits with their scores, the operating point and every figure at it.
            In context where patches have places.
        context: the further facts about figures in context; None for patches judged alone.
        record: run.json without the hashes of the run's files.
    """

    training: Training
    state: State
    assessment: Assessment
    record: RunRecord
    context: ContextAssessment | None = None

    @property
    def alone(self) -> Assessment:
        """The figures of each patch alone."""
        return self.context.alone if self.context else self.assessment
