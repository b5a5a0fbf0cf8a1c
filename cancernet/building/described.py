"""Which data set is built: one of the catalogue, or one that the flags describe."""

import dataclasses
from pathlib import Path, PurePosixPath

from cancernet import catalog
from cancernet.base.errors import CancerNetError
from cancernet.building.settings import FOLDER, BuildSettings
from cancernet.catalog import Contradiction, Dataset, Identity, LeftOut, Reason
from cancernet.catalog.paths import key_path, refuse_mask, shipped_split
from cancernet.dataset.label_table import IdentifyByTable, patient_of, read_labels

UNIT_UNKNOWN = (
    "Nobody said which images are of one patient (--group-by image), so every image counts as a "
    "patient of its own: if some belong together, the splits leak."
)
BY_LOOKING = (
    "No name says which images are of one patient: images that look alike, or whose names say "
    "that they are copies, are one group, but two different images of one patient are not "
    "recognised and may be in two splits."
)


def describe_dataset(settings: BuildSettings, images: list[str]) -> Dataset:
    """Returns the catalogue's entry, or one made of the flags.

    Args:
        settings: every choice.
        images: the image files under the source folder, for matching with a table.

    Raises:
        CancerNetError: the table of labels is missing, wrong, or does not fit the files.
    """
    entry = _of_flags(settings) if settings.dataset == FOLDER else catalog.dataset(settings.dataset)
    if settings.include_masks and entry.identify_with_masks is not None:
        entry = dataclasses.replace(entry, identify=entry.identify_with_masks)
    path = table_path(settings)
    if path is None:
        return entry
    table = read_labels(path, entry.classes)
    if table.has_patients and settings.group_by:
        raise CancerNetError(
            f"{path} has a column `patient`, which says what belongs together; leave out --group-by"
        )
    identify = IdentifyByTable.match(table, entry, images, pattern=settings.pattern)
    if table.has_patients:
        return dataclasses.replace(
            entry, identify=identify, unit="patient", by_content=False, grouping=""
        )
    return dataclasses.replace(entry, identify=identify)


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
    """Reads `…/<class>/…/<name>`; what belongs together by a pattern on the path.

    A dataclass, not a closure, so that it can be sent to other processes.

    Attributes:
        classes: names of the class folders.
        pattern: regular expression; its group `patient`, else its first group, else all
            that it matches is the patient. Empty: every image is its own.
    """

    classes: tuple[str, ...]
    pattern: str

    def __call__(self, path: PurePosixPath) -> Identity:
        """Returns class and patient.

        Raises:
            LeftOut: not in a class folder, a mask, or the pattern does not match.
            Contradiction: it is in folders of two classes.
        """
        above = [part for part in path.parts[:-1] if part in self.classes]
        if not above:
            raise LeftOut(Reason.NO_CLASS)
        if len(set(above)) > 1:
            raise Contradiction(f"it is in folders of two classes, {above[0]} and {above[-1]}")
        refuse_mask(path)
        patient = patient_of(path, self.pattern)
        return Identity(patient, above[-1], part=shipped_split(path)[0])


def _of_flags(settings: BuildSettings) -> Dataset:
    by_content, pattern = settings.by_content, settings.pattern
    grouping = BY_LOOKING if by_content else UNIT_UNKNOWN if not pattern else ""
    return Dataset(
        name=FOLDER,
        title=f"Images of {settings.source.name or settings.source}",
        classes=settings.classes,
        words=settings.words or settings.classes,
        positive=tuple(name for name in settings.classes if name in settings.positive),
        identify=IdentifyByFolder(settings.classes, pattern),
        key=key_path,
        layout="<class>/….png for every class in --classes, or --table FILE",
        origin="your own images",
        licence="yours to know",
        unit="patient" if pattern else "group" if by_content else "image",
        by_content=by_content,
        grouping=grouping,
    )
