"""Which data set is built: the catalogue's entry, or one of flags; with labels from tables."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from cancernet import catalog
from cancernet.base.errors import CancerNetError, ImageError
from cancernet.base.parallel import in_parallel
from cancernet.base.patch_name import patient_key
from cancernet.building.settings import BY_HEADER, FOLDER, BuildSettings
from cancernet.catalog import (
    Contradiction,
    Dataset,
    Identity,
    LeftOut,
    LeftOutFile,
    OwnClasses,
    Reason,
)
from cancernet.catalog.paths import key_path, refuse_mask, shipped_split
from cancernet.dataset.joined import read_patients
from cancernet.dataset.label_table import (
    IdentifyByOwnTable,
    IdentifyByTable,
    patient_of,
    read_labels,
)
from cancernet.images.dicom import patient_id
from cancernet.images.reading import read_file

CHUNK = 64  # files whose headers are read at a time
UNIT_UNKNOWN = (
    "With --group-by image every image counts as a patient of its own: if several images are of "
    "one patient, the splits leak."
)
BY_LOOKING = (
    "File names do not tell the patients: images that look alike, or whose names mark them as "
    "copies, form one group, but two different images of one patient are not recognised and may "
    "be in two splits."
)


def describe_dataset(
    settings: BuildSettings, images: list[str]
) -> tuple[Dataset, list[LeftOutFile]]:
    """Returns the catalogue's entry, or one made of the flags, and rows of tables without a file.

    Raises:
        CancerNetError: a table is missing, wrong, or does not fit the `images`.
    """
    entry = _of_flags(settings) if settings.dataset == FOLDER else catalog.dataset(settings.dataset)
    if settings.include_masks and entry.identify_with_masks is not None:
        entry = dataclasses.replace(entry, identify=entry.identify_with_masks)
    missing: list[LeftOutFile] = []
    named = False
    if (path := table_path(settings)) is not None:
        entry, missing, named = _with_labels(entry, path, settings, images)
    if named and (settings.group_by or settings.patient_table):
        raise CancerNetError(
            f"{path} has a column for the patient, which says what belongs together; leave out "
            "--group-by and --patient-table"
        )
    if settings.patient_table is not None:
        patients, more = read_patients(settings.patient_table, images, columns=settings.columns)
        entry = _of_patients(entry, patients, settings.patient_table.name)
        missing += more
    elif settings.group_by == BY_HEADER:
        entry = _of_patients(entry, _patients_of_headers(settings.source, images), "its header")
    return entry, missing


def _with_labels(
    entry: Dataset, path: Path, settings: BuildSettings, images: list[str]
) -> tuple[Dataset, list[LeftOutFile], bool]:
    """Returns the entry that reads labels from a table, its rows without file, patients or not."""
    if entry.tables is not None and entry.tables.read is not None:
        own = IdentifyByOwnTable.match(path, entry, images)
        return dataclasses.replace(entry, identify=own), own.missing, False
    table = read_labels(
        path,
        entry.classes,
        columns=settings.columns,
        labels=settings.labels,
        all_there=settings.patient_table is None,
    )
    identify = IdentifyByTable.match(table, entry, images, pattern=settings.pattern)
    entry = dataclasses.replace(entry, identify=identify)
    if table.has_patients:
        entry = dataclasses.replace(entry, unit="patient", by_content=False, grouping="")
    return entry, identify.missing, table.has_patients


@dataclasses.dataclass(frozen=True)
class IdentifyWithPatients:
    """Takes the class from elsewhere, and the patient of each path from `patients`."""

    identify: Callable[[PurePosixPath], Identity]
    patients: Mapping[str, str]
    where: str

    def __call__(self, path: PurePosixPath) -> Identity:
        """Returns class and patient; raises LeftOut where one of them is not known."""
        identity = self.identify(path)
        if str(path) not in self.patients:
            raise LeftOut(Reason.NO_PATIENT, f"not in {self.where}", failed=True)
        return dataclasses.replace(identity, patient=self.patients[str(path)])


def _of_patients(entry: Dataset, patients: Mapping[str, str], where: str) -> Dataset:
    identify = IdentifyWithPatients(entry.identify, patients, where)
    return dataclasses.replace(
        entry, identify=identify, unit="patient", by_content=False, grouping=""
    )


def _patients_of_headers(source: Path, images: list[str]) -> dict[str, str]:
    """Returns path -> patient, by the ids in DICOM headers.

    An id is compared and forgotten: patients are numbered in the order of their first files.
    """
    ids: dict[int, str] = {}
    chunks = (
        [source / path for path in images[begin : begin + CHUNK]]
        for begin in range(0, len(images), CHUNK)
    )
    with contextlib.closing(in_parallel(_read_ids, chunks)) as results:
        for place, found in results:
            ids.update(enumerate(found, place * CHUNK))
    numbers: dict[str, str] = {}
    return {
        path: numbers.setdefault(ids[place], f"dicom-{len(numbers) + 1:05}")
        for place, path in enumerate(images)
        if ids[place]
    }


def _read_ids(paths: list[Path]) -> list[str]:
    found = []
    for path in paths:
        try:
            found.append(patient_key(patient_id(read_file(path)[0])))
        except ImageError:  # decoding it says what is wrong
            found.append("")
    return found


def table_path(settings: BuildSettings) -> Path | None:
    """Returns the file with the labels; None when the folders are the labels."""
    if settings.table is not None:
        return settings.table
    entry = catalog.DATASETS.get(settings.dataset)
    if entry is None or entry.tables is None:
        return None
    return settings.source / entry.tables.labelled


@dataclasses.dataclass(frozen=True)
class IdentifyByFolder:
    """Reads `…/<class>/…/<name>`; a pattern finds the patient (empty: every image is its own).

    A dataclass, not a closure, so that it can be sent to other processes.
    """

    classes: tuple[str, ...]
    pattern: str

    def __call__(self, path: PurePosixPath) -> Identity:
        """Returns class and patient; raises LeftOut or Contradiction."""
        above = [part for part in path.parts[:-1] if part in self.classes]
        if not above:
            raise LeftOut(Reason.NO_CLASS)
        if len(set(above)) > 1:
            raise Contradiction(f"it is in folders of two classes, {above[0]} and {above[-1]}")
        refuse_mask(path)
        patient = patient_of(path, self.pattern)
        return Identity(patient, above[-1], part=shipped_split(path)[0])


def _of_flags(settings: BuildSettings) -> Dataset:
    own = OwnClasses(settings.classes, settings.positive, settings.words)
    by_content, pattern = settings.by_content, settings.pattern
    grouping = BY_LOOKING if by_content else UNIT_UNKNOWN if not pattern else ""
    return Dataset(
        name=FOLDER,
        title=f"Images of {settings.source.name or settings.source}",
        classes=own.classes,
        words=own.words,
        positive=own.positive,
        identify=IdentifyByFolder(settings.classes, pattern),
        key=key_path,
        layout="<class>/….png for every class in --classes, or --table FILE",
        origin="your own images",
        licence="yours to know",
        defects=(),
        unit="patient" if pattern else "group" if by_content else "image",
        by_content=by_content,
        grouping=grouping,
    )
