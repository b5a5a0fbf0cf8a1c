"""What a report is made from: plain values that the training flow fills in."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.notice import NOTICE
from cancernet.measures.assess import Assessment
from cancernet.measures.pooled import FoldScores
from cancernet.measures.scored import Scored
from cancernet.report.portrait import Portrait

DRAWN = (
    "The images were drawn by a program. The figures show that the software works; they say "
    "nothing about real tissue."
)
LEAK = "LEAK"  # the verdict of an audit's check, as `audit.json` has it


def say_unit(unit: str) -> list[str]:
    """Returns what a reader must know where the groups of images are no patients."""
    if unit == "patient":
        return []
    return [
        f"What is called a patient here is a {unit}: the data set does not name its patients, so "
        f"that {unit}s of one patient may stand in different splits and intervals may be too "
        "narrow."
    ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlowStep:
    """One box of the data flow.

    Attributes:
        name: e.g. "training".
        patients: in this step; None when not known.
        images: in this step; None when not known.
        positives: of the images; None when not known.
        note: a remark, e.g. how the split was made.
    """

    name: str
    patients: int | None
    images: int | None
    positives: int | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Beside:
    """Another run or testing set whose figures stand beside these, unpaired.

    Attributes:
        name: what it is.
        split_method: how its splits were made, in words.
        leak: what leaks between them; empty when nothing.
        metrics: as `Assessment.testing`.
        limits: (low, high) of every metric.
        same_images: whether the very same images were judged.
    """

    name: str
    split_method: str
    leak: str
    metrics: Mapping[str, Any]
    limits: Mapping[str, tuple[float, float]]
    same_images: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class SlidePicture:
    """A picture of one testing patient's slide.

    Attributes:
        path: the PNG.
        caption: what it shows, in words.
        patients: how many testing patients could be shown.
    """

    path: Path
    caption: str
    patients: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything `write_report` shows.

    Attributes:
        title: name of the run.
        assessment: what `assess` returned.
        validation: scored images, for the calibration and the curves.
        testing: scored images, likewise.
        asked: what was asked, words to value: data set, task, network, recipe.
        flow: the way of the images: found, used, training, validation, testing.
        left_out: reason to number of files that were left out.
        split_method: how the splits were made, in words.
        leak: what leaks between the splits, in words; empty when nothing.
        drawn: whether the data were drawn by a program.
        history: measure to its value in every epoch.
        best_epoch: the epoch that was kept, from 1.
        training: words to value: seconds, images per second, epochs.
        command: what to type to repeat it.
        seed: of every random number.
        fingerprint: of the data set.
        settings: every setting by name.
        versions: of the program and what it stands on, by name.
        commit: of the program; empty when not known.
        created: when, as ISO 8601.
        notice: the sentence on intended use; shown first and last.
        remarks: more sentences that a reader must know before any figure.
        beside: others whose figures stand beside these.
        subgroups: column of a table of patients to rows of `subgroup_rows`.
        prevalences: shares of positives that the user expects.
        audit: the audit's checks as (name, verdict, sentence); empty where none was made.
        image_folder: what the testing paths are relative to; None shows no pictures.
        heat_map: from a testing path to a picture of what the call rested on, or None.
        folds: of a cross-validation, whose pooled figures the assessment holds.
        thresholds: (images,) of testing where each has its own, as in folds; None where
            the assessment's operating point holds for all.
        slides: maps of testing patients, where the images have places.
        portrait: what to show of data and network; None shows nothing of it.
        judged_again: whether a finished run is judged once more, on these or other images.
        rendered: figures that have been drawn already, file name to content.
    """

    title: str
    assessment: Assessment
    validation: Scored
    testing: Scored
    asked: Mapping[str, Any]
    flow: Sequence[FlowStep]
    left_out: Mapping[str, int]
    split_method: str
    leak: str
    drawn: bool
    history: Mapping[str, Sequence[float]]
    best_epoch: int | None
    training: Mapping[str, Any]
    command: str
    seed: int
    fingerprint: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    commit: str
    created: str
    notice: str = NOTICE
    remarks: Sequence[str] = ()
    beside: Sequence[Beside] = ()
    subgroups: Mapping[str, Sequence[Mapping[str, Any]]] = dataclasses.field(default_factory=dict)
    prevalences: Sequence[float] = ()
    audit: Sequence[tuple[str, str, str]] = ()
    image_folder: Path | None = None
    heat_map: Callable[[str], Path | None] | None = None
    folds: Sequence[FoldScores] = ()
    thresholds: np.ndarray | None = None
    slides: Sequence[SlidePicture] = ()
    portrait: Portrait | None = None
    judged_again: bool = False
    rendered: Mapping[str, bytes] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.notice.strip():
            raise ValueError("a report needs the sentence on its intended use")

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before any figure, the gravest first."""
        found = [DRAWN] if self.drawn else []
        if self.leak:
            said = self.leak.startswith("LEAK")
            found.append(self.leak if said else f"Leak between the splits: {self.leak}")
        found += [
            f"The audit found a leak, {name}: {sentence}"
            for name, verdict, sentence in self.audit
            if verdict == LEAK and sentence not in self.leak
        ]
        return [*found, *self.remarks, *self.assessment.warnings]

    @property
    def leaking(self) -> bool:
        """Whether the split leaks, as it was built or as an audit found since."""
        return bool(self.leak) or any(verdict == LEAK for _, verdict, _ in self.audit)

    @property
    def threshold(self) -> Any:
        """The one threshold of all testing images, or one for each."""
        if self.thresholds is not None:
            return self.thresholds
        return self.assessment.operating_point.threshold

    @property
    def marked(self) -> float | None:
        """The threshold to mark in a figure; None where images have different ones."""
        return None if self.thresholds is not None else float(self.threshold)

    @property
    def footer(self) -> str:
        """The line below every figure; empty when there is nothing to warn of."""
        drawn = "Drawn data, not real tissue." if self.drawn else ""
        leak = "Leaking split, figures too good." if self.leaking else ""
        return " ".join(filter(None, (drawn, leak)))
