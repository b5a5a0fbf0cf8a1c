"""Reads a data set that `build_dataset.py` built: which image is where, and what it is.

The folder holds `manifest.csv` (one row an image), `left_out.csv` (what is not in the
set, and why) and `build.json` (how it was made, and the manifest's SHA-256).
"""

import csv
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.files import read_json, sha256_of
from cancernet.base.verdicts import CheckVerdict, Verdict
from cancernet.base.words import counted
from cancernet.config import DATASETS, SPLITS
from cancernet.dataset.leaks import Leak, read_leaks
from cancernet.dataset.notices import Notice, read_notices
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
        counts: split -> patients, images, positives and `classes` (label -> images).
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
    counts: dict[str, Any]
    left_out: dict[str, int]
    image_size: tuple[int, int]
    fingerprint: str
    parts: dict[str, Part]
    unit: str = "patient"
    leaks: tuple[Leak, ...] = ()
    notices: tuple[Notice, ...] = ()
    absent: dict[str, list[str]] = dataclasses.field(default_factory=dict)
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


def read_dataset(folder: Path) -> BuiltDataset:
    """Reads the manifest of a built data set; about a second for 277,524 images.

    Raises:
        CancerNetError: there is none, it is damaged, or it was changed by hand.
    """
    folder = Path(folder)
    facts = read_build(folder)
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise CancerNetError(f"{folder} has lost its {MANIFEST}; {BUILD_AGAIN}")
    if sha256_of(manifest) != facts.get("fingerprint"):
        raise CancerNetError(
            f"{manifest} is not the file that was built (it was changed or damaged); {BUILD_AGAIN}"
        )
    try:
        check_kinds(facts)
        classes = tuple(facts["classes"])
        return BuiltDataset(
            folder=folder,
            name=facts["dataset"],
            title=facts["title"],
            classes=classes,
            words=tuple(facts["words"]),
            positive=tuple(facts["positive"]),
            drawn=bool(facts["drawn"]),
            split_kind=facts["split_kind"],
            counts=facts["counts"],
            left_out=facts["left_out"],
            image_size=(facts["image_size"]["width"], facts["image_size"]["height"]),
            fingerprint=facts["fingerprint"],
            parts=_read_parts(manifest, classes),
            unit=facts["unit"],
            leaks=read_leaks(facts),
            notices=read_notices(facts),
            absent=facts["absent"],
        )
    except (KeyError, TypeError, ValueError, OverflowError, csv.Error) as error:
        raise CancerNetError(
            f"{folder / BUILD} is of another version or damaged ({error!r}); {BUILD_AGAIN}"
        ) from None


def read_build(folder: Path) -> dict[str, Any]:
    """Returns the content of `build.json`.

    Raises:
        CancerNetError: no such folder, not a built data set, or unreadable.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CancerNetError(_missing(folder))
    try:
        facts = read_json(folder / BUILD)
    except FileNotFoundError:
        raise CancerNetError(_not_built(folder)) from None
    except (OSError, ValueError) as error:
        raise CancerNetError(f"{folder / BUILD} cannot be read ({error}); {BUILD_AGAIN}") from None
    if not isinstance(facts, dict):
        raise CancerNetError(f"{folder / BUILD} is damaged; {BUILD_AGAIN}")
    return facts


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
        content = read_json(path)
        if "fingerprint" in content:
            current = content["fingerprint"] == read_json(folder / BUILD)["fingerprint"]
        else:  # of an earlier version; clocks jump, so that it can be wrong
            current = path.stat().st_mtime >= (folder / BUILD).stat().st_mtime
        if not current:
            return []
        return [
            CheckVerdict(str(one["name"]), Verdict(one["verdict"]), str(one["sentence"]))
            for one in content["checks"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []


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


def check_kinds(facts: dict[str, Any]) -> None:
    """Makes sure that the content of `build.json` is what this version writes and reads.

    Raises:
        KeyError: an entry is missing; an earlier version did not write it.
        TypeError: an entry is of another kind.
    """
    for name in ("classes", "words", "positive", "warnings"):
        value = facts[name]
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise TypeError(f"{name} is no list of texts")
    facts["leaks"]  # an earlier version did not write them
    read_leaks(facts)
    read_notices(facts)
    for name in ("dataset", "title", "split_kind", "unit"):
        if not isinstance(facts[name], str):
            raise TypeError(f"{name} is no text")
    for name in ("counts", "left_out", "absent", "image_size"):
        if not isinstance(facts[name], dict):
            raise TypeError(f"{name} is no object")
    if not all(type(facts["image_size"][side]) is int for side in ("width", "height")):
        raise TypeError("image_size is not in whole pixels")


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
