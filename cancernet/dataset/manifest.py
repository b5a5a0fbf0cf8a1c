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
from cancernet.base.files import sha256_of
from cancernet.base.words import counted
from cancernet.config import SPLITS
from cancernet.dataset.build_record import BUILD, BUILD_AGAIN, SetFacts, read_build
from cancernet.dataset.notices import SplitCounts

MANIFEST = "manifest.csv"
LEFT_OUT = "left_out.csv"
# The program's own mark on a folder it made and may replace. Names that begin like it
# are the program's too, so a cache may lie beside the images.
MARKER = ".cancernet-build"
OWN_PREFIX = ".cancernet"

COLUMNS = ("path", "source", "patient", "label", "split", "sha256", "x", "y")

NO_POSITION = -1


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

    def at(self, rows: np.ndarray) -> "Part":
        """Returns the images at these places, int64 (n,), in their order."""
        return Part(
            [self.paths[row] for row in rows],
            self.labels[rows],
            [self.patients[row] for row in rows],
            self.x[rows],
            self.y[rows],
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuiltDataset(SetFacts):
    """A built data set.

    Attributes:
        image_size: (width, height) in pixels that most images have.
        parts: split -> its images.
        whole: the data set as it lies on the disk, where this divides its images otherwise.
    """

    folder: Path
    name: str
    image_size: tuple[int, int]
    parts: dict[str, Part]
    whole: "BuiltDataset | None" = None

    def split(self, name: str) -> Part:
        """Returns the images of `training`, `validation` or `testing`."""
        return self.parts[name]

    def divided(self, parts: dict[str, Part], **changes: Any) -> "BuiltDataset":
        """Returns a data set of these parts, counted; `changes` are other fields."""
        counts = {
            name: SplitCounts.of(part.labels.tolist(), part.patients, self.classes, self.positive)
            for name, part in parts.items()
        }
        return dataclasses.replace(self, parts=parts, counts=counts, **changes)

    def check_files(self) -> None:
        """Looks whether every image of the manifest is there.

        Raises:
            CancerNetError: some are missing or empty; the first is named.
        """
        missing = [path for part in self.parts.values() for path in part.paths if self._lacks(path)]
        if missing:
            raise CancerNetError(
                f"{counted(len(missing), 'image of', 'images of')} {self.folder / MANIFEST} "
                f"{'is' if len(missing) == 1 else 'are'} missing or empty, first {missing[0]}; "
                f"{BUILD_AGAIN}"
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
    facts = {field.name: getattr(built, field.name) for field in dataclasses.fields(SetFacts)}
    return BuiltDataset(
        **facts,
        folder=folder,
        name=built.dataset,
        image_size=(built.image_size.width, built.image_size.height),
        parts=parts,
    )


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
