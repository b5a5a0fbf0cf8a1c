"""`build.json` and `audit.json` as typed records: how a set was built, what its audit found."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from cancernet import catalog
from cancernet.base.console import typed
from cancernet.base.errors import CancerNetError
from cancernet.base.files import read_json
from cancernet.base.records import EntryError, Record, Written, from_json
from cancernet.base.verdicts import CheckVerdict
from cancernet.base.words import did_you_mean, with_word
from cancernet.config import DATASETS, SPLITS
from cancernet.dataset.notices import (
    Leak,
    Notice,
    NoticeKind,
    SplitCounts,
    say_leaks,
    say_notice,
    upgraded_leaks,
)

BUILD = "build.json"
AUDIT = "audit.json"
BUILD_AGAIN = "run build_dataset.py again"

T = TypeVar("T")


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
class Fingerprint(Record):
    """The one entry of `build.json` that every version wrote alike: the manifest's SHA-256."""

    fingerprint: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetFacts:
    """The facts about a built data set, in its record and wherever it is used.

    Attributes:
        title: of the data set in the catalogue.
        classes, words, positive: as in the catalogue when it was built.
        drawn: whether the images were drawn by a program.
        split_kind: how the splits were made, in words.
        unit: what was not split, in a word: patient, source, group.
        absent: split -> classes of which it has no image.
        leaks: what makes results too good.
        notices: what a reader of any result must know.
        left_out: reason -> number of files.
        fingerprint: SHA-256 of the manifest.
        bits: depth of the values in files of more than 8 bits that do not state it, found from
            the largest of them all; 0 where there are none.
    """

    title: str
    classes: tuple[str, ...]
    words: tuple[str, ...]
    positive: tuple[str, ...]
    drawn: bool
    split_kind: str
    unit: str
    absent: Mapping[str, tuple[str, ...]]
    leaks: tuple[Leak, ...]
    notices: tuple[Notice, ...]
    counts: Mapping[str, SplitCounts]
    left_out: Mapping[str, int]
    fingerprint: str
    bits: int = 0

    def called(self, index: int) -> str:
        """Returns a class as a reader knows it: `0 (no IDC)`, `benign`."""
        return with_word(self.classes[index], self.words[index])

    @Written
    def leak(self) -> str:
        """What leaks, in words; empty when nothing does."""
        return say_leaks(self.leaks)

    @Written
    def warnings(self) -> tuple[str, ...]:
        """The notices in sentences."""
        return tuple(map(say_notice, self.notices))


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildRecord(Record, SetFacts):
    """The content of `build.json`.

    Attributes:
        dataset: its name in the catalogue.
        source: folder as downloaded.
        listing: digest of that folder, to tell whether it has changed.
        settings: what was asked, by name.
        same_patients: patient -> other spellings of the same number that were joined with it;
            None where an earlier version did not look.
        failed: number of files that could not be used because of a defect.
        listed_without_images: patients on a split list that have no images.
        oddities: name of an `Oddity` -> images that have it.
    """

    program: str = "cancernet build_dataset.py"
    dataset: str
    source: str = ""
    listing: str = ""
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)
    same_patients: Mapping[str, tuple[str, ...]] | None = None
    failed: int = 0
    failed_reasons: tuple[str, ...] = ()
    listed_without_images: tuple[str, ...] = ()
    unlisted: Unlisted = Unlisted()
    image_size: ImageSize
    oddities: Mapping[str, int] = dataclasses.field(default_factory=dict)

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditRecord(Record):
    """The part of `audit.json` that is read: the checks, and the data set's fingerprint."""

    fingerprint: str | None = None
    checks: tuple[CheckVerdict, ...]


def read_build(folder: Path) -> BuildRecord:
    """Returns the content of `build.json`.

    Raises:
        CancerNetError: no such folder, not a built data set, unreadable, or of an earlier
            version that did not write all of it.
    """
    return _read_build(folder, BuildRecord)


def read_fingerprint(folder: Path) -> str:
    """Returns the SHA-256 of a built set's manifest, whatever version built it.

    Raises:
        CancerNetError: no such folder, not a built data set, or unreadable.
    """
    return _read_build(folder, Fingerprint).fingerprint


def _read_build(folder: Path, kind: type[T]) -> T:
    path = Path(folder) / BUILD
    if not path.parent.is_dir():
        raise CancerNetError(f"there is no data set in {folder}; {_how_to_build(path.parent)}")
    try:
        return from_json(kind, read_json(path))
    except FileNotFoundError:
        raise CancerNetError(_not_built(path.parent)) from None
    except EntryError as error:
        raise CancerNetError(
            f"{path} is damaged or of another version: {error}; {BUILD_AGAIN}"
        ) from None
    except (OSError, ValueError) as error:
        raise CancerNetError(f"{path} cannot be read ({error}); {BUILD_AGAIN}") from None


def read_audit(folder: Path) -> list[CheckVerdict]:
    """Returns the verdicts of a data set's audit.

    Taken from `<folder>.audit/audit.json`, where `build_dataset.py --audit` puts it; empty
    where there is none, or where the set was built again since.
    """
    folder = Path(folder).resolve()
    path = folder.with_name(f"{folder.name}.audit") / AUDIT
    try:
        audit = from_json(AuditRecord, read_json(path))
        if audit.fingerprint is not None:
            current = audit.fingerprint == read_fingerprint(folder)
        else:  # of an earlier version; clocks jump, so that it can be wrong
            current = path.stat().st_mtime >= (folder / BUILD).stat().st_mtime
    except (OSError, ValueError, CancerNetError):
        return []
    return list(audit.checks) if current else []


def _how_to_build(folder: Path) -> str:
    # datasets/<name> is where building puts the data set of that name.
    named = folder.parent == DATASETS and folder.name != "idc"
    known = (*catalog.DATASETS, "folder")
    if named and folder.name not in known:
        return (
            "name the folder of a built set with --data, or a data set of the catalogue with "
            f"--dataset{did_you_mean(folder.name, known)}"
        )
    build = f"{typed('build')}{f' --dataset {folder.name}' if named else ''}"
    sample = DATASETS / "sample" / folder.name
    if folder.parent == DATASETS and sample.is_dir():
        return f"build it with `{build}`, or take the drawn sample with --data {sample}"
    return f"build it with `{build}`, or draw a sample with `{build} --sample`"


def _not_built(folder: Path) -> str:
    if all((folder / split).is_dir() for split in SPLITS):
        return (
            f"{folder} has the folders {', '.join(SPLITS)} but no {BUILD}: it was not made by "
            "build_dataset.py, so nobody knows its patients; build from the original images"
        )
    return (
        f"{folder} is not a built data set (no {BUILD}); build it with `{typed('build')}`, "
        "or name another folder with --data"
    )
