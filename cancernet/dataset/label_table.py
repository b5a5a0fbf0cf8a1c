"""Labels in a CSV file instead of folders: `filename,label[,patient]`."""

import csv
import dataclasses
import hashlib
from collections import defaultdict
from pathlib import Path, PurePosixPath

from cancernet import catalog
from cancernet.base.errors import CancerNetError
from cancernet.building.settings import BuildSettings
from cancernet.catalog import Dataset, Identity, LeftOut
from cancernet.catalog.entry import shipped_part
from cancernet.catalog.patient_id import patient_key
from cancernet.dataset.group_pattern import group_of

FILENAME, LABEL, PATIENT = "filename", "label", "patient"
NAMED = 3


@dataclasses.dataclass(frozen=True)
class Labels:
    """A table of labels.

    Attributes:
        path: the file.
        labels: file name as the table has it, with `/` -> label.
        patients: the same -> patient; empty when the table has no such column.
        rows: the same -> the row that names it, as the lines of the file are counted.
    """

    path: Path
    labels: dict[str, str]
    patients: dict[str, str]
    rows: dict[str, int]


def table_path(settings: BuildSettings) -> Path | None:
    """Returns the file with the labels; None when folders say them."""
    if settings.table is not None:
        return settings.table
    entry = catalog.DATASETS.get(settings.dataset)
    if entry is None or entry.tables is None:
        return None
    return settings.source / entry.tables.labelled


def table_digest(settings: BuildSettings) -> str:
    """Returns the SHA-256 of the file with the labels, or nothing."""
    path = table_path(settings)
    if path is None:
        return ""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""  # reading it for its labels gives the reason


def read_labels(path: Path, classes: tuple[str, ...]) -> Labels:
    """Reads a CSV file with a heading that has `filename`, `label` and perhaps `patient`.

    Raises:
        CancerNetError: missing, no such columns, a label that is no class, or a file
            that stands there twice with two labels or patients; the message names the row.
    """
    labels: dict[str, str] = {}
    patients: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for number, row in read_table(path, (FILENAME, LABEL)):
        name, label = row[FILENAME].replace("\\", "/").removeprefix("./"), row[LABEL]
        if label not in classes:
            raise CancerNetError(
                f"row {number} of {path} has the label {label!r}, which is none of the classes "
                f"{', '.join(classes)}"
            )
        if labels.setdefault(name, label) != label:
            raise CancerNetError(
                f"row {number} of {path} gives {name} the label {label}, an earlier row "
                f"{labels[name]}; take one of them out"
            )
        if PATIENT in row:
            if not row[PATIENT]:
                raise CancerNetError(f"row {number} of {path} names no patient")
            first = patients.setdefault(name, row[PATIENT])
            if patient_key(first) != patient_key(row[PATIENT]):
                raise CancerNetError(
                    f"row {number} of {path} says that {name} is of patient {row[PATIENT]}, an "
                    f"earlier row of {first}; take one of them out"
                )
        numbers.setdefault(name, number)
    if not labels:
        raise CancerNetError(f"{path} has a heading but no rows")
    return Labels(path, labels, patients, numbers)


def read_table(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """Reads a CSV file; returns (line number, row) with lower-case column names.

    Raises:
        CancerNetError: it cannot be read or lacks a column.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            heading = [name.strip().lower() for name in next(rows, [])]
            missing = [name for name in columns if name not in heading]
            if missing:
                raise CancerNetError(
                    f"{path} has no column {' and no column '.join(missing)} (its first line must "
                    f"name the columns: {','.join(columns)})"
                )
            found = []
            for row in rows:
                if not any(cell.strip() for cell in row):
                    continue
                if len(row) < len(heading):
                    raise CancerNetError(f"row {rows.line_num} of {path} is incomplete")
                cells = (cell.strip() for cell in row)
                found.append((rows.line_num, dict(zip(heading, cells, strict=False))))
            return found
    except FileNotFoundError:
        raise CancerNetError(f"there is no table {path}") from None
    except IsADirectoryError:
        raise CancerNetError(f"{path} is a folder, not a CSV file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise CancerNetError(f"{path} is no CSV file in UTF-8 ({error})") from None
    except OSError as error:
        raise CancerNetError(f"{path} cannot be read ({error.strerror})") from None


@dataclasses.dataclass(frozen=True)
class IdentifyByTable:
    """Looks a path up in a table that was matched with the files before.

    Attributes:
        table: name of the file, for the reason of what is not in it.
        known: path relative to the source folder -> (label, patient).
    """

    table: str
    known: dict[str, tuple[str, str]]

    @classmethod
    def match(
        cls, table: Labels, entry: Dataset, images: list[str], *, pattern: str
    ) -> "IdentifyByTable":
        """Finds the file that each row means: that very path, or the only one that ends so.

        Args:
            table: what the file says.
            entry: the data set.
            images: the image files under the source folder.
            pattern: says the patient where the table does not; see `patient_of`.

        Raises:
            CancerNetError: files are missing, a name fits several files, two rows mean one
                file and do not agree, or the pattern fits no path.
        """
        folder = entry.tables.folder if entry.tables is not None else ""
        by_end = defaultdict(list)
        for image in images:
            by_end[image.rpartition("/")[2]].append(image)
        known: dict[str, tuple[str, str]] = {}
        named: dict[str, str] = {}
        missing: list[str] = []
        for name, label in table.labels.items():
            file = _file_of(name, folder, by_end[name.rpartition("/")[2]], table.path)
            if file is None:
                missing.append(name)
                continue
            try:
                patient = table.patients.get(name) or patient_of(PurePosixPath(file), pattern)
            except LeftOut as reason:
                raise CancerNetError(f"{file}: {reason}") from None
            first_label, first_patient = known.setdefault(file, (label, patient))
            if first_label != label or patient_key(first_patient) != patient_key(patient):
                raise _two_answers(table, file, named[file], name)
            named[file] = name
        if missing:
            raise CancerNetError(
                f"{len(missing):,} of {len(table.labels):,} files that {table.path} names are not "
                f"in the source folder, first {', '.join(missing[:NAMED])}; unpack all, or take "
                "their rows out"
            )
        return cls(table.path.name, known)

    def __call__(self, path: PurePosixPath) -> Identity:
        """Returns label and patient.

        Raises:
            LeftOut: the table does not have it.
        """
        if str(path) not in self.known:
            raise LeftOut(f"without a label in {self.table}")
        label, patient = self.known[str(path)]
        return Identity(patient, label, part=shipped_part(path))


def patient_of(path: PurePosixPath, pattern: str) -> str:
    """Returns what a pattern finds in a path, or the path itself without its suffix.

    Raises:
        LeftOut: the pattern does not match.
    """
    if not pattern:
        return str(path.with_suffix(""))
    group = group_of(path, pattern)
    if group is None:
        raise LeftOut("--group-by does not match the path")
    return group


def _two_answers(table: Labels, file: str, one: str, other: str) -> CancerNetError:
    """The sentence for a file that two rows mean, by different spellings (`0.png`, `img/0.png`)."""
    return CancerNetError(
        f"rows {table.rows[one]} and {table.rows[other]} of {table.path} mean the same file {file} "
        f"by the names {one} and {other}, but give it different labels or patients; take one of "
        "them out"
    )


def _file_of(name: str, folder: str, candidates: list[str], table: Path) -> str | None:
    exact = [c for c in candidates if c in (name, f"{folder}/{name}")]
    if folder and f"{folder}/{name}" in exact:
        return f"{folder}/{name}"
    if exact:
        return exact[0]
    found = [c for c in candidates if c.endswith("/" + name)]
    inside = [c for c in found if folder and f"/{folder}/" in "/" + c]
    found = inside or found
    if len(found) > 1:
        raise CancerNetError(
            f"{name} in {table} fits several files, {found[0]} and {found[1]}; write the path "
            "from the source folder into the table"
        )
    return found[0] if found else None
