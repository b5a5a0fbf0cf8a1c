"""`build.json` as a typed record: how a data set was built, and what is in it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from cancernet.base.records import Record
from cancernet.dataset.leaks import Leak, upgraded_leaks
from cancernet.dataset.notices import Notice, NoticeKind
from cancernet.dataset.split_counts import SplitCounts


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageSize(Record):
    """The size in pixels that most images have, and how many have it."""

    width: int
    height: int
    images: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unlisted(Record):
    """Patients, and their images, that no split list names."""

    patients: int = 0
    images: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildRecord(Record):
    """The content of `build.json`.

    Attributes:
        dataset, title: of the data set in the catalogue.
        classes, words, positive: as in the catalogue when it was built.
        drawn: whether the images were drawn by a program.
        source: folder as downloaded.
        listing: digest of that folder, to tell whether it has changed.
        settings: what was asked, by name.
        split_kind: how the splits were made, in words.
        unit: what was not split, in a word: patient, source, group.
        absent: split -> classes of which it has no image.
        leaks: what makes results too good; `leak` says it in words, empty when nothing does.
        notices: what a reader of any result must know; `warnings` says it in sentences.
        same_patients: patient -> other spellings of the same number that were joined with it;
            None where an earlier version did not look.
        counts: of every split.
        left_out: reason -> number of files.
        failed: number of files that could not be used because of a defect.
        failed_reasons: their reasons.
        listed_without_images: patients on a split list that have no images.
        fingerprint: SHA-256 of the manifest.
    """

    program: str = "cancernet build_dataset.py"
    dataset: str
    title: str
    classes: tuple[str, ...]
    words: tuple[str, ...]
    positive: tuple[str, ...]
    drawn: bool
    source: str = ""
    listing: str = ""
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)
    split_kind: str
    unit: str
    absent: Mapping[str, tuple[str, ...]]
    leak: str
    leaks: tuple[Leak, ...]
    warnings: tuple[str, ...]
    notices: tuple[Notice, ...]
    same_patients: Mapping[str, tuple[str, ...]] | None = None
    counts: Mapping[str, SplitCounts]
    left_out: Mapping[str, int]
    failed: int = 0
    failed_reasons: tuple[str, ...] = ()
    listed_without_images: tuple[str, ...] = ()
    unlisted: Unlisted = Unlisted()
    image_size: ImageSize
    fingerprint: str

    @classmethod
    def upgraded(cls, entries: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the entries of version 0.1.0, which wrote sentences, in today's form."""
        entries = upgraded_leaks(entries)
        warnings = entries.get("warnings")
        if "notices" in entries or not isinstance(warnings, list):
            return entries
        kind = NoticeKind.SENTENCE.value
        return {**entries, "notices": [{"kind": kind, "sentence": each} for each in warnings]}

    def __post_init__(self) -> None:
        if len(set(self.classes)) != len(self.classes) or len(self.words) != len(self.classes):
            raise ValueError("`classes` must be different names with one of `words` each")
        if not set(self.positive) <= set(self.classes):
            raise ValueError("`positive` must name some of `classes`")
