"""Labels in a table instead of folders: a file, its label and perhaps its patient a row."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from cancernet.base.errors import CancerNetError
from cancernet.base.named_files import NamedFiles, plain_path
from cancernet.base.patch_name import patient_key
from cancernet.base.tables import Column, read_table, said_pairs
from cancernet.base.words import some
from cancernet.catalog import Dataset, Identity, LeftOut, Reason, group_of, shipped_split

EXAMPLES = 3


@dataclasses.dataclass(frozen=True)
class Labelled:
    """What a table says of a file, and the line of the row that says it first.

    The patient is empty when the table has no such column.
    """

    label: str
    patient: str
    line: int


@dataclasses.dataclass(frozen=True)
class Labels:
    """A table of labels: what it says of each file name, with `/`."""

    path: Path
    has_patients: bool
    files: dict[str, Labelled]


class Meanings:
    """The classes that a table's labels mean, in any case and any spelling of a number."""

    def __init__(self, classes: Sequence[str], given: Sequence[str] = ()) -> None:
        """Takes the classes, and `LABEL=CLASS` for a table that has other labels than these.

        Raises:
            CancerNetError: `given` is not of that form, or names another class.
        """
        said = said_pairs(given, "--labels", "LABEL=CLASS") or {name: name for name in classes}
        for label, meant in said.items():
            if meant not in classes:
                raise CancerNetError(
                    f"--labels has {label}={meant}; choose a class from {', '.join(classes)}"
                )
        self._class_of = {_folded(label): meant for label, meant in said.items()}

    def find(self, label: str) -> str | None:
        """Returns the class that a label means; None if it means none."""
        return self._class_of.get(_folded(label))


def _folded(label: str) -> str:
    return patient_key(label).casefold()


def read_labels(
    path: Path,
    classes: tuple[str, ...],
    *,
    columns: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> Labels:
    """Reads a table with columns for the image and its label, perhaps also for the patient.

    Args:
        path: of the table.
        classes: of the data set.
        columns, labels: of `columns_setting` and `labels_setting`.

    Raises:
        CancerNetError: missing, no such columns, a label that is not a class, or a file that
            two rows give two labels or patients; the message names the row.
    """
    table, meanings = read_table(path, columns), Meanings(classes, labels)
    file, label_ = table.need(Column.IMAGE), table.need(Column.LABEL)
    patient_ = table.find(Column.PATIENT)
    files: dict[str, Labelled] = {}
    for row in table.rows:
        name, label = plain_path(row.cells[file]), meanings.find(row.cells[label_])
        patient = "" if patient_ is None else row.cells[patient_]
        where = f"row {row.line} of {path}"
        if label is None:
            raise CancerNetError(
                f"{where} has the label {row.cells[label_]!r}, which is none of the classes "
                f"{', '.join(classes)}; say what each label means with --labels LABEL=CLASS"
            )
        if patient_ is not None and not patient:
            raise CancerNetError(f"{where} names no patient")
        first = files.setdefault(name, Labelled(label, patient, row.line))
        if first.label != label:
            raise CancerNetError(
                f"{where} gives {name} the label {label}, an earlier row {first.label}; take one "
                "of them out"
            )
        if patient_key(first.patient) != patient_key(patient):
            raise CancerNetError(
                f"{where} says that {name} is of patient {patient}, an earlier row of "
                f"{first.patient}; take one of them out"
            )
    if not files:
        raise CancerNetError(f"{path} has a heading but no rows")
    return Labels(path, patient_ is not None, files)


@dataclasses.dataclass(frozen=True)
class IdentifyByTable:
    """Looks a path up in a table that was matched with the files before.

    Attributes:
        table: name of the file, for the reason of what is not in it.
        known: path relative to the source folder -> what the table says of it.
    """

    table: str
    known: dict[str, Identity]

    @classmethod
    def match(
        cls, table: Labels, entry: Dataset, images: list[str], *, pattern: str
    ) -> "IdentifyByTable":
        """Finds the file that each row means, as `NamedFiles` does.

        Args:
            table: what the file says.
            entry: the data set in the catalogue.
            images: paths of the image files, relative to the source folder.
            pattern: finds the patient in a path where the table names none; see `patient_of`.

        Raises:
            CancerNetError: files are missing, a name fits several files, two rows mean one
                file and do not agree, or the pattern fits no path.
        """
        folder = entry.tables.folder if entry.tables is not None else ""
        meant, there = NamedFiles(images).find_all(table.files), set(images)
        known: dict[str, Identity] = {}
        named: dict[str, str] = {}
        missing: list[str] = []
        for name, said in table.files.items():
            inside = f"{folder}/{name}"
            files = [inside] if inside in there else meant[name]
            file = _file_of(name, folder, files, table.path)
            if file is None:
                missing.append(name)
                continue
            path = PurePosixPath(file)
            try:
                patient = said.patient or patient_of(path, pattern)
            except LeftOut as reason:
                raise CancerNetError(f"{file}: {reason}") from None
            identity = Identity(patient, said.label, part=shipped_split(path)[0])
            first = known.setdefault(file, identity)
            if first.label != said.label or patient_key(first.patient) != patient_key(patient):
                other = table.files[named[file]]
                raise CancerNetError(
                    f"rows {other.line} and {said.line} of {table.path} mean the same file {file} "
                    f"by the names {named[file]} and {name}, but give it different labels or "
                    "patients; take one of them out"
                )
            named[file] = name
        if missing:
            raise CancerNetError(
                f"{len(missing):,} of {len(table.files):,} files that {table.path} names are not "
                f"in the source folder: {some(missing, EXAMPLES)}; unpack all, or take their rows "
                "out"
            )
        return cls(table.path.name, known)

    def __call__(self, path: PurePosixPath) -> Identity:
        """Returns label and patient.

        Raises:
            LeftOut: the table does not have it.
        """
        if str(path) not in self.known:
            raise LeftOut(Reason.NO_LABEL, self.table)
        return self.known[str(path)]


def patient_of(path: PurePosixPath, pattern: str) -> str:
    """Returns what a pattern finds in a path, or the path itself without its suffix.

    Raises:
        LeftOut: the pattern does not match.
    """
    if not pattern:
        return str(path.with_suffix(""))
    group = group_of(path, pattern)
    if group is None:
        raise LeftOut(Reason.NO_GROUP)
    return group


def _file_of(name: str, folder: str, files: list[str], table: Path) -> str | None:
    """Returns the one file that is meant; those in the folder of the table's images first."""
    files = [file for file in files if folder and f"/{folder}/" in f"/{file}"] or files
    if len(files) > 1:
        raise CancerNetError(
            f"{name} in {table} fits several files, {files[0]} and {files[1]}; write the path "
            "from the source folder into the table"
        )
    return files[0] if files else None
