"""`cross_validation.json` as a typed record, which a cross-validation has in place of `run.json`.

Its folds are whole runs below it:

    output/<run>/
        cross_validation.json  which patients are in which fold, and how far it is
        predictions.csv        every image once, by the fold that tested it
        metrics.json  figures/  report.html     fold-01/ fold-02/ ...
"""

import dataclasses
from pathlib import Path

from cancernet.base.console import typed
from cancernet.base.errors import RunError
from cancernet.base.files import read_json, write_json
from cancernet.base.records import Record, from_json
from cancernet.runs.run_record import CROSS_VALIDATION, Fold, TrainingRecord


@dataclasses.dataclass(frozen=True, kw_only=True)
class WholeDataset(Record):
    """The data set that the folds divide: where it lies, and the SHA-256 of its manifest."""

    folder: str
    fingerprint: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrossValidationRecord(TrainingRecord):
    """The content of `cross_validation.json`; `asked` is what --folds named."""

    dataset: WholeDataset
    asked: str
    folds: tuple[Fold, ...]

    def __post_init__(self) -> None:
        if not self.folds:
            raise ValueError("`folds` is empty")


def write_cross_validation(folder: Path, record: CrossValidationRecord) -> None:
    """Writes the record atomically."""
    write_json(folder / CROSS_VALIDATION, record)


def read_cross_validation(folder: Path) -> CrossValidationRecord:
    """Reads the record.

    Raises:
        RunError: there is none, or it is damaged.
    """
    path = folder / CROSS_VALIDATION
    try:
        return from_json(CrossValidationRecord, read_json(path))
    except FileNotFoundError:
        raise RunError(f"{folder} holds no cross-validation ({CROSS_VALIDATION})") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}); start a new run") from None


def read_finished_folds(folder: Path) -> CrossValidationRecord:
    """Reads the record of a finished cross-validation.

    Raises:
        RunError: there is none, it is damaged, or not finished.
    """
    record = read_cross_validation(folder)
    if not record.is_finished:
        raise RunError(
            f"the cross-validation in {folder} is not finished; go on with "
            f"`{typed('train')} --resume --run {folder}`"
        )
    return record
