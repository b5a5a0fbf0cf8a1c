"""Reads a data set that `build_dataset.py` built: which image is where, and what it is.

The folder holds `manifest.csv` (one row an image), `left_out.csv` (what is not in the
set, and why) and `build.json` (how it was made, and the manifest's SHA-256).
"""

import csv
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.files import read_json, sha256_of
from cancernet.base.records import EntryError, Record, from_json
from cancernet.base.verdicts import CheckVerdict, Verdict
from cancernet.base.words import counted
from cancernet.config import DATASETS, SPLITS
from cancernet.dataset.build_record import BuildRecord
from cancernet.dataset.leaks import Leak
from cancernet.dataset.notices import Notice
from cancernet.dataset.split_counts import SplitCounts
from cancernet.dataset.words import say_leaks, say_notice

MANIFEST = "manifest.csv"
LEFT_OUT = "left_out.csv"
BUILD = "build.json"
AUDIT = "audit.json"
# The program's own mark on a folder it made and may replace. Names that begin like it
# are the program's too, so a cache may lie beside the images.
MARKER = ".cancernet-build"
OWN_PREFIX = ".cancernet"

COLUMNS = ("path", "source", "patient", "label", "split", "sha256", "x", "y")

NO_POSITION = -1
BUILD_AGAIN = "run build_dataset.py again"

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Part:
    """The images of one split, in the manifest's order.

    Attributes:
        paths: relative to the data set folder, with `/`.
        labels: int64 (n,), places in `BuiltDataset.classes`.
        patients: one id an image.
        x, y: int64 (n,), the patch's upper left corner on its slide in pixels;
            `NO_POSITION` where the file name does not say.
    """

    paths: list[str]
    labels: np.ndarray
    patients: list[str]
    x: np.ndarray
    y: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuiltDataset:
    """A built data set.

    Attributes:
        folder: where it lies.
        name, title: of the data set in the catalogue.
        classes, words, positive: as in the catalogue when it was built.
        drawn: whether the images were drawn by a program.
        leaks: what makes results too good.
        notices: what a reader of any result must know.
        split_kind: how the splits were made, in words.
        counts: of every split.
        left_out: reason -> number of files.
        image_size: (width, height) in pixels that most images have.
        fingerprint: SHA-256 of the manifest.
        unit: what was not split, in a word: patient, source, group.
        absent: split -> classes of which it has no image.
        parts: split -> its images.
        whole: the data set as it lies on the disk, where this divides its images otherwise.
    """

    folder: Path
    name: str
    title: str
    classes: tuple[str, ...]
    words: tuple[str, ...]
    positive: tuple[str, ...]
    drawn: bool
    split_kind: str
    counts: Mapping[str, SplitCounts]
    left_out: Mapping[str, int]
    image_size: tuple[int, int]
    fingerprint: str
    parts: dict[str, Part]
    unit: str = "patient"
    leaks: tuple[Leak, ...] = ()
    notices: tuple[Notice, ...] = ()
    absent: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    whole: "BuiltDataset | None" = None

    @property
    def leak(self) -> str:
        """What leaks, in words; empty when nothing does."""
        return say_leaks(self.leaks)

    @property
    def warnings(self) -> list[str]:
        """What a reader of any result must know, a sentence each."""
        return [say_notice(notice) for notice in self.notices]

    def split(self, name: str) -> Part:
        """Returns the images of `training`, `validation` or `testing`."""
        return self.parts[name]

    def check_files(self) -> None:
        """Looks whether every image of the manifest is there.

        Raises:
            CancerNetError: some are missing or empty; the first is named.
        """
        missing = [path for part in self.parts.values() for path in part.paths if self._lacks(path)]
        if missing:
            raise CancerNetError(
                f"{self.folder} lacks {counted(len(missing), 'image')} of its {MANIFEST}, "
                f"first {missing[0]}; {BUILD_AGAIN}"
            )

    def _lacks(self, path: str) -> bool:
        try:
            return os.stat(os.path.join(self.folder, path)).st_size == 0
        except OSError:
            return True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fingerprint(Record):
    """The one entry of `build.json` that every version wrote alike."""

    fingerprint: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditCheck(Record):
    """One check of an audit, as `audit.json` has it."""

    name: str
    verdict: Verdict
    sentence: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditRecord(Record):
    """What is read of `audit.json`: the checks, and of which data set they are."""

    fingerprint: str | None = None
    checks: tuple[AuditCheck, ...]


def read_dataset(folder: Path) -> BuiltDataset:
    """Reads the manifest of a built data set; about a second for 277,524 images.

    Raises:
        CancerNetError: there is none, it is damaged, or it was changed by hand.
    """
    folder = Path(folder)
    built = read_build(folder)
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise CancerNetError(f"{folder} has lost its {MANIFEST}; {BUILD_AGAIN}")
    if sha256_of(manifest) != built.fingerprint:
        raise CancerNetError(
            f"{manifest} is not the file that was built (it was changed or damaged); {BUILD_AGAIN}"
        )
    try:
        parts = _read_parts(manifest, built.classes)
    except KeyError as error:
        raise CancerNetError(
            f"{manifest} names the class or split {error}, which {BUILD} does not; {BUILD_AGAIN}"
        ) from None
    except (OSError, ValueError, OverflowError) as error:
        raise CancerNetError(f"{manifest} is damaged: {error}; {BUILD_AGAIN}") from None
    return BuiltDataset(
        folder=folder,
        name=built.dataset,
        title=built.title,
        classes=built.classes,
        words=built.words,
        positive=built.positive,
        drawn=built.drawn,
        split_kind=built.split_kind,
        counts=built.counts,
        left_out=built.left_out,
        image_size=(built.image_size.width, built.image_size.height),
        fingerprint=built.fingerprint,
        parts=parts,
        unit=built.unit,
        leaks=built.leaks,
        notices=built.notices,
        absent=built.absent,
    )


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
    folder = Path(folder)
    if not folder.is_dir():
        raise CancerNetError(_missing(folder))
    try:
        return from_json(kind, read_json(folder / BUILD))
    except FileNotFoundError:
        raise CancerNetError(_not_built(folder)) from None
    except EntryError as error:
        raise CancerNetError(
            f"{folder / BUILD} is damaged or of another version: {error}; {BUILD_AGAIN}"
        ) from None
    except (OSError, ValueError) as error:
        raise CancerNetError(f"{folder / BUILD} cannot be read ({error}); {BUILD_AGAIN}") from None


def manifest_rows(manifest: Path) -> Iterator[list[str]]:
    """Gives the rows of a manifest one by one, without the heading.

    Raises:
        ValueError: the heading or a row does not have the columns of `COLUMNS`, or it is no CSV.
    """
    with open(manifest, encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        try:
            if tuple(next(rows, ())) != COLUMNS:
                raise ValueError(f"the columns are not {', '.join(COLUMNS)}")
            for row in rows:
                if len(row) != len(COLUMNS):
                    raise ValueError(f"row {rows.line_num} is incomplete")
                yield row
        except csv.Error as error:  # a stray quote makes one endless cell of the rest
            raise ValueError(f"row {rows.line_num}: {error}") from None


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
    checks = audit.checks if current else ()
    return [CheckVerdict(check.name, check.verdict, check.sentence) for check in checks]


def count_part(part: Part, classes: Sequence[str], positive: Sequence[str]) -> SplitCounts:
    """Returns what one split of a data set holds."""
    images = np.bincount(part.labels, minlength=len(classes)).tolist()
    by_class = dict(zip(classes, images, strict=True))
    return SplitCounts(
        patients=len(set(part.patients)),
        images=len(part.paths),
        positives=sum(by_class[name] for name in positive),
        classes=by_class,
    )


def content_of(dataset: BuiltDataset, split: str) -> str:
    """Returns a digest of bytes, label and patient of a split's images, whatever their names.

    Raises:
        CancerNetError: the manifest cannot be read.
    """
    wanted = set(dataset.split(split).paths)
    try:
        return digest(
            f"{row[5]} {row[3]} {row[2]}"
            for row in manifest_rows(dataset.folder / MANIFEST)
            if row[0] in wanted
        )
    except (OSError, ValueError, csv.Error) as error:
        raise CancerNetError(
            f"{dataset.folder / MANIFEST} cannot be read ({error}); {BUILD_AGAIN}"
        ) from None


def digest(lines: Iterable[str]) -> str:
    """Returns the SHA-256 of lines `<SHA-256 of the file> <label> <patient>` in any order."""
    text = "\n".join(sorted(lines))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _read_parts(manifest: Path, classes: tuple[str, ...]) -> dict[str, Part]:
    place = {label: index for index, label in enumerate(classes)}
    # A patient has thousands of rows: one string for all of them.
    once: dict[str, str] = {}
    columns: dict[str, tuple[list[str], list[int], list[str], list[int], list[int]]]
    columns = {split: ([], [], [], [], []) for split in SPLITS}
    for path, _, patient, label, split, _, x, y in manifest_rows(manifest):
        paths, labels, patients, xs, ys = columns[split]
        if path[:1] in ("/", "") or (".." in path and ".." in path.split("/")):
            raise ValueError(f"the path {path!r:.80} leads out of the data set")
        paths.append(path)
        labels.append(place[label])
        patients.append(once.setdefault(patient, patient))
        xs.append(int(x) if x else NO_POSITION)
        ys.append(int(y) if y else NO_POSITION)
    return {
        split: Part(
            paths,
            np.array(labels, np.int64),
            patients,
            np.array(xs, np.int64),
            np.array(ys, np.int64),
        )
        for split, (paths, labels, patients, xs, ys) in columns.items()
    }


def _missing(folder: Path) -> str:
    # datasets/<name> is where building puts the data set of that name.
    named = folder.parent == DATASETS and folder.name != "idc"
    build = f"python build_dataset.py{f' --dataset {folder.name}' if named else ''}"
    sample = DATASETS / "sample" / folder.name
    if folder.parent == DATASETS and sample.is_dir():
        return (
            f"there is no data set in {folder}; build it with `{build}`, or take the drawn sample "
            f"with --data {sample}"
        )
    return (
        f"there is no data set in {folder}; build it with `{build}`, or draw a sample with "
        f"`{build} --sample`"
    )


def _not_built(folder: Path) -> str:
    if all((folder / split).is_dir() for split in SPLITS):
        return (
            f"{folder} has the folders {', '.join(SPLITS)} but no {BUILD}: it was not made by "
            "build_dataset.py, so nobody knows its patients; build from the original images"
        )
    return (
        f"{folder} is not a built data set (no {BUILD}); build it with `python build_dataset.py`, "
        "or name another folder with --data"
    )
