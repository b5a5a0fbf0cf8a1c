"""Labels in a table instead of folders: a file, its label and perhaps its patient a row."""

import contextlib
import csv
import dataclasses
import operator
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from cancernet.base.errors import CancerNetError
from cancernet.base.patch_name import patient_key
from cancernet.base.tables import Column, Table, read_table, read_text, said_pairs
from cancernet.catalog import (
    Dataset,
    Identity,
    LeftOut,
    LeftOutFile,
    Reason,
    group_of,
    shipped_split,
)
from cancernet.dataset.joined import join_files
from cancernet.images.named_files import plain_path


@dataclasses.dataclass(frozen=True)
class Labelled:
    """What a table says about a file, and the line of the first row that says it.

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

    def reader(self, table: Table) -> Callable[[Sequence[str]], str]:
        """Returns what reads the label from the cells of a row.

        That is the cell of the column for the label. Where there is none and every class has a
        column of its own, it is the name of the column that is marked with 1, true or yes, or of
        several such columns.

        Raises:
            CancerNetError: the table has neither.
        """
        own = {place: name for place, name in enumerate(table.columns) if self.find(name)}
        if table.find(Column.LABEL) is None and set(self._class_of.values()) == {
            self.find(name) for name in own.values()
        }:
            return lambda cells: " and ".join(
                name for place, name in own.items() if _folded(cells[place]) in _MARKS
            )
        return operator.itemgetter(table.need(Column.LABEL))


_MARKS = ("1", "true", "yes")


def _folded(label: str) -> str:
    return patient_key(label).casefold()


def read_labels(
    path: Path,
    classes: tuple[str, ...],
    *,
    columns: Sequence[str] = (),
    labels: Sequence[str] = (),
    all_there: bool = True,
) -> Labels:
    """Reads a table with columns for the image and its label, perhaps also for the patient.

    Args:
        columns, labels: of `columns_setting` and `labels_setting`.
        all_there: whether it must have all of these columns.

    Raises:
        CancerNetError: missing, no such columns, a label that is not a class, or a file that
            two rows give two labels or patients; the message names the row.
    """
    table = read_table(path, columns, all_there=all_there)
    meanings = Meanings(classes, labels)
    file, label_of = table.need(Column.IMAGE), meanings.reader(table)
    patient_ = table.find(Column.PATIENT)
    files: dict[str, Labelled] = {}
    for row in table.rows:
        name, said = plain_path(row.cells[file]), label_of(row.cells)
        label = meanings.find(said)
        patient = "" if patient_ is None else row.cells[patient_]
        where = f"row {row.line} of {path}"
        if label is None:
            raise CancerNetError(
                f"{where} has the label {said!r}, which is none of the classes "
                f"{', '.join(classes)}; say what each label means with --labels LABEL=CLASS"
            )
        if patient_ is not None and not patient:
            raise CancerNetError(f"{where} names no patient; fill it in, or take the row out")
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
        doubtful: path -> the name in the table that fits it and other files.
        missing: the rows without a file.
    """

    table: str
    known: dict[str, Identity]
    doubtful: dict[str, str] = dataclasses.field(default_factory=dict)
    missing: list[LeftOutFile] = dataclasses.field(default_factory=list)

    @classmethod
    def match(
        cls, table: Labels, entry: Dataset, images: list[str], *, pattern: str
    ) -> "IdentifyByTable":
        """Finds the file that each row means.

        Args:
            entry: the data set in the catalogue.
            images: paths of the image files, relative to the source folder.
            pattern: finds the patient in a path where the table names none; see `patient_of`.

        Raises:
            CancerNetError: no row means a file, two rows mean one file and do not agree, or
                the pattern fits no path.
        """
        folder = entry.tables.folder if entry.tables is not None else ""
        lines = {name: said.line for name, said in table.files.items()}
        joined = join_files(lines, table.path, images, folder=folder)
        known: dict[str, Identity] = {}
        named: dict[str, str] = {}
        for name, file in joined.files.items():
            said, path = table.files[name], PurePosixPath(file)
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
        return cls(table.path.name, known, joined.doubtful, joined.missing)

    def __call__(self, path: PurePosixPath) -> Identity:
        """Returns label and patient.

        Raises:
            LeftOut: the table does not have it, or not it alone.
        """
        if str(path) not in self.known and (name := self.doubtful.get(str(path))):
            raise LeftOut(Reason.SEVERAL_FILES, f"{name} in {self.table}", failed=True)
        if str(path) not in self.known:
            raise LeftOut(Reason.NO_LABEL, self.table)
        return self.known[str(path)]


@dataclasses.dataclass(frozen=True)
class IdentifyByOwnTable:
    """Looks up the class of an image in a table of the data set's own form.

    Attributes:
        table: name of the file.
        identify: of the entry: says what the table calls an image.
        classes: name in the table -> class.
        missing: the rows without a file.
    """

    table: str
    identify: Callable[[PurePosixPath], Identity]
    classes: dict[str, str]
    missing: list[LeftOutFile]

    @classmethod
    def match(cls, path: Path, entry: Dataset, images: list[str]) -> "IdentifyByOwnTable":
        """Reads the table of an entry and notes which of its rows have no file.

        Raises:
            CancerNetError: it is missing, or cannot be read as the entry reads it.
        """
        assert entry.tables is not None and entry.tables.read is not None
        text = read_text(path)
        try:
            classes = entry.tables.read(text)
        except (ValueError, LookupError, csv.Error):
            classes = {}
        if not classes:
            raise CancerNetError(f"{path} is not the table of {entry.name}: {entry.layout}")
        there = set()
        for image in images:
            with contextlib.suppress(LeftOut):
                there.add(entry.identify(PurePosixPath(image)).label)
        missing = [
            LeftOutFile(name, Reason.NO_FILE, path.name, failed=True)
            for name in classes
            if name not in there
        ]
        return cls(path.name, entry.identify, classes, missing)

    def __call__(self, path: PurePosixPath) -> Identity:
        """Returns class and patient; raises LeftOut where the table does not have it."""
        identity = self.identify(path)
        if identity.label not in self.classes:
            raise LeftOut(Reason.NO_LABEL, self.table)
        return dataclasses.replace(identity, label=self.classes[identity.label])


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
