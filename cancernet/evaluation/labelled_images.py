"""Reads labelled images of any form: a built set, a manifest, or folders named by class."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from cancernet import catalog
from cancernet.base.errors import CancerNetError
from cancernet.base.files import sha256_of
from cancernet.base.patch_name import find_respelled, kept_spellings
from cancernet.base.tables import Column, Table, read_table
from cancernet.base.words import counted
from cancernet.config import SPLITS
from cancernet.dataset.build_record import BUILD
from cancernet.dataset.joined import join_beside, read_patients, say_missing
from cancernet.dataset.label_table import Meanings
from cancernet.dataset.manifest import MANIFEST, digest, read_dataset
from cancernet.dataset.notices import notice_respelled, say_notice
from cancernet.images.named_files import NamedFiles, plain_path
from cancernet.runs.run_folder import Run
from cancernet.scoring.inputs import Inputs

ALL = "all"
UNKNOWN_CLASS = "of a class that the run does not know"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labelled:
    """Images with their truth, in one order.

    Attributes:
        folder: that `paths` are relative to.
        paths: of the images, with `/`.
        labels: (images,) int64, places in the run's classes.
        patients: name of every image's patient; where it is not known, the image's path.
        unnamed: images whose patient is not known, so that each counts as one of its own.
        respelled: which ids were taken for one patient, in a sentence; or empty.
        left_out: reason -> number of files that were left out.
        missing: rows of a table without a file.
        how: which images these are, in words.
        leak: what leaks between the splits of that set; empty when nothing.
        fingerprint: of a built set; empty for others.
    """

    name: str
    folder: Path
    paths: list[str]
    labels: np.ndarray
    patients: list[str]
    unnamed: int
    left_out: dict[str, int]
    how: str
    missing: int = 0
    drawn: bool = False
    leak: str = ""
    fingerprint: str = ""
    respelled: str = ""

    @property
    def patients_known(self) -> bool:
        """Whether the patient of every image is known."""
        return self.unnamed == 0

    @property
    def unknown_patients(self) -> str:
        """A sentence for whom the patients are not known; empty where all are."""
        if self.patients_known:
            return ""
        some_of_them = f"{self.unnamed:,} of {len(self.paths):,} images"
        whose = "these images" if self.unnamed == len(self.paths) else some_of_them
        return (
            f"The patients of {whose} are not known, so that each of them counts as a patient of "
            "its own: the intervals are too narrow. A table with a column `patient`, filled in "
            "every row, mends that."
        )

    def content(self, classes: tuple[str, ...]) -> str:
        """Returns a digest of bytes, label and patient of all images, whatever their names."""
        return digest(
            f"{sha256_of(self.folder / path)} {classes[label]} {patient}"
            for path, label, patient in zip(self.paths, self.labels, self.patients, strict=True)
            if (self.folder / path).is_file()
        )


def read_labelled(
    path: Path,
    run: Run,
    *,
    split: str | None = None,
    patient_table: Path | None = None,
    columns: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> Labelled:
    """Reads labelled images for a run.

    Args:
        path: a built data set, a folder with a `manifest.csv` or with folders named by
            class somewhere above the files, or a table with columns for the image, its
            label and perhaps its patient.
        run: for its classes and its data set.
        split: of a built set, one of `SPLITS` or "all"; None is testing of the run's own, else all.
        patient_table: names the patients, where `path` does not.
        columns, labels: of `columns_setting` and `labels_setting`.

    Raises:
        CancerNetError: nothing there, or nothing that fits the run's classes.
    """
    if not path.exists():
        raise CancerNetError(f"there is no {path}; name a folder or table of labelled images")
    if (path / BUILD).is_file():
        if labels:
            raise CancerNetError(f"--labels is not for a built data set as {path} is; leave it out")
        found = _read_built(path, run, split)
    elif split not in (None, ALL):
        raise CancerNetError(f"--split {split} is for data sets that build_dataset.py built")
    elif path.is_file() or (path / MANIFEST).is_file():
        named = path if path.is_file() else path / MANIFEST
        table = read_table(named, columns, all_there=patient_table is None)
        found = _read_table(table, run, Meanings(run.classes, labels))
    else:
        found = _read_folders(path, run, labels)
    if not found.paths:
        reasons = "; ".join(f"{reason}: {count:,}" for reason, count in found.left_out.items())
        raise CancerNetError(
            f"{path} has no labelled image for this run; its classes are "
            f"{', '.join(run.classes)}{f' ({reasons})' if reasons else ''}; say what other labels "
            "or folders mean with --labels NAME=CLASS"
        )
    if patient_table is not None:
        return _with_patients(found, patient_table, columns)
    return found


def _read_built(folder: Path, run: Run, split: str | None) -> Labelled:
    dataset = read_dataset(folder)
    if set(dataset.classes) != set(run.classes):
        raise CancerNetError(
            f"{folder} has the classes {', '.join(dataset.classes)}, the run "
            f"{', '.join(run.classes)}; evaluate on data with the same classes"
        )
    own = dataset.fingerprint == run.record.dataset.fingerprint
    chosen = split or ("testing" if own else ALL)
    names = SPLITS if chosen == ALL else (chosen,)
    parts = [dataset.split(name) for name in names]
    places = np.array([run.classes.index(name) for name in dataset.classes])
    dataset.check_files()
    return Labelled(
        name=folder.resolve().name,
        folder=folder,
        paths=[path for part in parts for path in part.paths],
        labels=places[np.concatenate([part.labels for part in parts])],
        patients=[patient for part in parts for patient in part.patients],
        unnamed=0,
        left_out={},
        how=f"{', '.join(names)} of a data set built {dataset.split_kind}",
        drawn=dataset.drawn,
        leak=dataset.leak if own else "",
        fingerprint=dataset.fingerprint,
    )


def _read_table(table: Table, run: Run, meanings: Meanings) -> Labelled:
    path = table.path
    file, label_of = table.need(Column.IMAGE), meanings.reader(table)
    patient = table.find(Column.PATIENT)
    nameless = next((row.line for row in table.rows if not row.cells[file]), None)
    if nameless is not None:
        raise CancerNetError(f"row {nameless} of {path} names no file")
    meant = [(row.cells, meanings.find(label_of(row.cells))) for row in table.rows]
    kept = [(cells, name) for cells, name in meant if name is not None]
    lines = {plain_path(row.cells[file]): row.line for row in table.rows}
    named, below = [plain_path(cells[file]) for cells, _ in kept], _files_below(path.parent)
    joined = join_beside({name: lines[name] for name in named}, path, below)
    there = [row for row in kept if plain_path(row[0][file]) in joined.files]
    paths = [joined.files[plain_path(cells[file])] for cells, _ in there]
    twice = [name for name, count in Counter(paths).items() if count > 1]
    if twice:
        raise CancerNetError(
            f"{path} names {counted(len(twice), 'image')} more than once, first "
            f"{twice[0]}; name each image once, or it counts twice"
        )
    strange = [plain_path(cells[file]) for cells, name in meant if name is None]
    of_strange = NamedFiles(below).find_all(strange).values() if strange else ()
    counts = {
        UNKNOWN_CLASS: len(strange),
        catalog.Reason.NO_FILE.value: len(joined.missing),
        catalog.Reason.NO_LABEL.value: len(set(below).difference(paths, *of_strange)),
    }
    patients, respelled = _one_spelling_each(
        [cells[patient] if patient is not None else "" for cells, _ in there]
    )
    return Labelled(
        name=path.parent.resolve().name if path.name == MANIFEST else path.stem,
        folder=path.parent,
        paths=paths,
        labels=np.array([run.classes.index(name) for _, name in there], np.int64),
        patients=[name or place for name, place in zip(patients, paths, strict=True)],
        unnamed=patients.count(""),
        left_out={reason: count for reason, count in counts.items() if count},
        missing=len(joined.missing),
        how=f"all images of {path.name}",
        respelled=respelled,
    )


def _with_patients(found: Labelled, table: Path, columns: Sequence[str]) -> Labelled:
    """Returns labelled images with the patients that a second table names.

    Raises:
        CancerNetError: their patients are known, or the table does not fit.
    """
    if found.unnamed < len(found.paths):
        raise CancerNetError(
            "--patient-table is for images whose patients are not known, but those of "
            f"{found.folder} are; leave it out"
        )
    patients, missing = read_patients(
        table, _files_below(found.folder), columns=columns, advice="name them as --data does"
    )
    say_missing(table, missing)
    named, respelled = _one_spelling_each([patients.get(path, "") for path in found.paths])
    return dataclasses.replace(
        found,
        patients=[name or path for name, path in zip(named, found.paths, strict=True)],
        unnamed=named.count(""),
        respelled=respelled,
        missing=found.missing + len(missing),
    )


def _files_below(folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in Inputs([folder], with_masks=True)]


def _one_spelling_each(named: list[str]) -> tuple[list[str], str]:
    """Returns one spelling for every patient, and which ids were joined, in a sentence."""
    respelled = find_respelled(set(named))
    kept = kept_spellings(respelled)
    said = " ".join(map(say_notice, notice_respelled(respelled)))
    return [kept.get(name, name) for name in named], said


def _read_folders(folder: Path, run: Run, given: Sequence[str]) -> Labelled:
    dataset = catalog.DATASETS.get(run.record.dataset.name)
    class_of = Meanings(run.classes, given).find if given else {c: c for c in run.classes}.get
    paths, labels, named, reasons = [], [], [], []
    inputs = Inputs([folder])
    for file in inputs:
        relative = PurePosixPath(file.relative_to(folder).as_posix())
        try:
            label, patient = _identity(relative, class_of, dataset)
        except catalog.LeftOut as reason:
            reasons.append(reason.reason.value)
            continue
        paths.append(str(relative))
        labels.append(run.classes.index(label))
        named.append(patient)
    reasons += [catalog.Reason.MASK.value] * inputs.masks
    reasons += [catalog.Reason.LINK.value] * inputs.links
    patients, respelled = _one_spelling_each(named)
    return Labelled(
        name=folder.resolve().name,
        folder=folder,
        paths=paths,
        labels=np.array(labels, np.int64),
        patients=[name or path for name, path in zip(patients, paths, strict=True)],
        unnamed=patients.count(""),
        left_out=dict(Counter(reasons).most_common()),
        how="folders named by class",
        respelled=respelled,
    )


def _identity(
    path: PurePosixPath, class_of: Callable[[str], str | None], dataset: catalog.Dataset | None
) -> tuple[str, str]:
    """Returns the label and the patient ("" where not known) that a path says.

    `class_of` gives the class that the name of a folder means; None if it means none.

    Raises:
        catalog.LeftOut: not an image of one of the classes.
    """
    label = next(filter(None, map(class_of, reversed(path.parts[:-1]))), None)
    in_a_table = dataset is not None and dataset.tables is not None and dataset.tables.read
    if dataset is not None and not in_a_table:
        try:
            found = dataset.identify(path)
            return found.label, found.patient
        except catalog.Contradiction:
            raise
        except catalog.LeftOut:
            pass  # the folder of a class is enough
    if label is None:
        raise catalog.LeftOut(catalog.Reason.NO_CLASS)
    return label, ""
