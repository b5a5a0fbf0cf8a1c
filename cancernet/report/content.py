"""What a report is made from: typed facts that the caller fills in; templates find the words."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cancernet.base.verdicts import CheckVerdict
from cancernet.base.words import DRAWN_IMAGES, NOTICE
from cancernet.config import TrainConfig
from cancernet.context.judge import ContextAssessment
from cancernet.measures.assess import Assessment, FoldScores
from cancernet.report.portrait import Portrait

DRAWN = (
    "The images were drawn by a program. The figures show that the software works; they say "
    "nothing about real tissue."
)


def say_unit(unit: str) -> list[str]:
    """Returns what a reader must know where images are grouped by something else than patients."""
    if unit == "patient":
        return []
    return [
        f"“Patient” here means a {unit}. The data set does not name its patients, so {unit}s of "
        "one patient may be in different splits, and the intervals may be too narrow."
    ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """A network by name, the size of its input in pixels, and more where it is known.

    `first_weights` says where they came from.
    """

    name: str
    width: int
    height: int
    parameters: int | None = None
    first_weights: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked of which network on which data.

    Attributes:
        data_set: the one it was trained on.
        run: the run that is evaluated; empty in the report of a training, as is `judged_on`.
        judged_on: the images that the run is evaluated on, in words.
        folds_asked: what `--folds` was; None without a cross-validation.
    """

    data_set: str
    recipe: str
    network: Network
    run: str = ""
    judged_on: str = ""
    folds_asked: str | int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingFacts:
    """What the training cost; None or empty where it is not known.

    `seconds` are of all epochs, `cpu_seconds` of all processors together, and `finished` is
    the time as ISO 8601, empty when it has just ended.
    """

    seconds: float | None = None
    cpu_seconds: float | None = None
    images_per_second: float | None = None
    epochs: int | None = None
    machine: str = ""
    finished: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlowStep:
    """One box of the data flow; None where a number is not known.

    `note` is a remark, e.g. how the split was made.
    """

    name: str
    patients: int | None
    images: int | None
    positives: int | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Beside:
    """Another run or testing set whose figures are shown beside these, unpaired.

    Attributes:
        split_method: how its splits were made, in words.
        leak: what leaks between them; empty when nothing.
        metrics: as `Assessment.testing`, with the `limits` of each.
        same_images: whether the very same images were judged.
        in_context: whether patches were judged with their neighbours.
    """

    name: str
    split_method: str
    leak: str
    metrics: Mapping[str, Any]
    limits: Mapping[str, tuple[float, float]]
    same_images: bool = False
    in_context: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class SlidePicture:
    """A picture of one testing patient's slide.

    `labelled` and `called` are the shares, 0-1, of the area that is labelled or called positive;
    `called_alone` is the share by patches alone where `called` is in context; `patients` is how
    many testing patients could be shown.
    """

    path: Path
    patient: str
    patches: int
    labelled: float
    called: float
    patients: int
    called_alone: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything `write_report` shows.

    Attributes:
        assessment: the scores and their figures.
        asked: what was asked of which network on which data.
        flow: the way of the images: found, used, training, validation, testing.
        left_out: reason -> number of files that were left out.
        split_method: how the splits were made, in words.
        leak: what leaks between the splits as they were built, or what the run was trained on;
            in sentences, empty for nothing.
        command: what to type to repeat it.
        unit: what the splits keep together, in a word: patient, source, group.
        versions: of the program and the packages it uses, by name.
        commit: of the program; empty when not known.
        created: when, as ISO 8601.
        history: measure -> its value in every epoch.
        best_epoch: the epoch that was kept, from 1.
        notice: the sentence on intended use; shown first and last.
        remarks: more sentences that a reader must know before any figure.
        beside: others whose figures are shown beside these.
        subgroups: column of a table of patients -> the figures of its groups.
        prevalences: shares of positives that the user expects.
        audit: the audit's checks; empty where none was made.
        image_folder: what the testing paths are relative to; None shows no pictures.
        heat_map: testing path -> a picture of what the call rested on, or None.
        folds: of a cross-validation, whose pooled figures the assessment holds.
        slides: maps of testing patients, where the images have places.
        portrait: what to show of data and network; None shows nothing of it.
        judged_again: whether a finished run is judged once more, on these or other images.
        context: the further facts about figures in context; None for patches judged alone.
    """

    title: str
    assessment: Assessment
    asked: Asked
    flow: Sequence[FlowStep]
    left_out: Mapping[str, int]
    split_method: str
    leak: str
    drawn: bool
    command: str
    seed: int
    fingerprint: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    commit: str
    created: str
    history: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)
    best_epoch: int | None = None
    training: TrainingFacts = TrainingFacts()
    notice: str = NOTICE
    remarks: Sequence[str] = ()
    beside: Sequence[Beside] = ()
    subgroups: Mapping[str, Sequence[Mapping[str, Any]]] = dataclasses.field(default_factory=dict)
    prevalences: Sequence[float] = ()
    audit: Sequence[CheckVerdict] = ()
    unit: str = "patient"
    image_folder: Path | None = None
    heat_map: Callable[[str], Path | None] | None = None
    folds: Sequence[FoldScores] = ()
    slides: Sequence[SlidePicture] = ()
    portrait: Portrait | None = None
    judged_again: bool = False
    context: ContextAssessment | None = None

    def __post_init__(self) -> None:
        if not self.notice.strip():
            raise ValueError("a report needs the sentence on its intended use")

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before any figure, the gravest first."""
        found = [DRAWN] if self.drawn else []
        found += [self.leak] if self.leak else []
        found += [
            f"The audit found a leak ({check.name}): {check.sentence}"
            for check in self.audit
            if check.leaks
        ]
        return [*found, *self.remarks, *self.assessment.warnings]

    @property
    def leaking(self) -> bool:
        """Whether the split leaks, as it was built or as an audit found since."""
        return bool(self.leak) or any(check.leaks for check in self.audit)

    @property
    def several_classes(self) -> bool:
        """Whether there are more than two."""
        return len(self.assessment.classes) > 2

    @property
    def chosen(self) -> list[str]:
        """What validation decided in this training, in words."""
        monitor = self.settings.get("monitor", TrainConfig.monitor)
        chosen = {
            "the epoch": bool(self.folds or self.best_epoch) and monitor != "last",
            "the calibration": bool(self.folds) or self.assessment.calibration.method != "none",
            "the operating point": self.assessment.operating_point.chosen_on is not None,
        }
        return [name for name, is_so in chosen.items() if is_so]

    @property
    def footer(self) -> str:
        """The line below every figure; empty when there is nothing to warn of."""
        drawn = DRAWN_IMAGES if self.drawn else ""
        leak = "Leaking split, figures too good." if self.leaking else ""
        return f"{drawn} {leak}".strip()
