"""A run folder: everything a trained model needs, complete in itself.

    output/<run>/
        run.json         what was trained, on what, how, and the facts prediction needs
        model.keras      the network for Keras          model.onnx   the same for ONNX Runtime
        metrics.json     predictions.csv   validation_predictions.csv    history.csv
        figures/         report.html
        log.jsonl        one line an epoch, for whoever watches
        checkpoint/      only while the training is unfinished

`run.json` is written last: a run counts as finished when it says so, and it holds
the SHA-256 of the files it vouches for and of itself. A cross-validation has
`cross_validation.json` in its place, which says which patients are in which fold and how far it
is, and its folds are whole runs below it: `fold-01/`, `fold-02/`, …
"""

import dataclasses
import datetime
import functools
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cancernet.base.console import typed
from cancernet.base.errors import RunError
from cancernet.base.files import (
    read_json,
    sha256_of,
    write_json,
)
from cancernet.base.records import EntryError, as_json, from_json
from cancernet.config import OUTPUT
from cancernet.measures.decisions import NONE, Calibration
from cancernet.runs.run_record import (
    CROSS_VALIDATION,
    FORMAT,
    ContextRecord,
    CrossValidationRecord,
    RunRecord,
)

RUN_FILE = "run.json"
MODEL_KERAS = "model.keras"
MODEL_ONNX = "model.onnx"
CHECKPOINT = "checkpoint"
LOCK = ".lock"
LOG = "log.jsonl"
HISTORY = "history.csv"
PREDICTIONS = "predictions.csv"
VALIDATION_PREDICTIONS = "validation_predictions.csv"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A run, as prediction sees it: where it lies, and what its run.json says."""

    folder: Path
    record: RunRecord

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    @property
    def onnx(self) -> Path:
        """The model for ONNX Runtime."""
        return self.folder / MODEL_ONNX

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the model's outputs."""
        return self.record.classes

    @property
    def words(self) -> tuple[str, ...]:
        """What each class means to a reader."""
        return self.record.words

    @property
    def positive(self) -> tuple[str, ...]:
        """The classes that count as positive."""
        return self.record.positive

    @functools.cached_property
    def positive_columns(self) -> list[int]:
        """Columns of the positive classes."""
        return [self.classes.index(name) for name in self.positive]

    @property
    def positive_words(self) -> str:
        """The positive classes in words, e.g. "IDC"."""
        return " or ".join(map(self.word, self.positive))

    @property
    def threshold(self) -> float:
        """The operating point, on the scale of corrected probabilities; NaN without one.

        An image is positive when the positive classes' probability is at least this.
        """
        point = self.record.operating_point
        return math.nan if point is None else point.threshold

    @property
    def rule(self) -> str:
        """How the operating point was chosen, in words."""
        point = self.record.operating_point
        return "" if point is None else point.rule

    @property
    def calibration(self) -> Calibration:
        """The correction of probabilities; runs from before there was one have none."""
        return self.record.calibration or NONE

    @property
    def context(self) -> ContextRecord:
        """How patches are judged with their neighbours; ValueError for a run that does not."""
        if self.record.context is None:
            raise ValueError(f"{self.folder} does not judge in context")
        return self.record.context

    @property
    def drawn(self) -> bool:
        """Whether the model was trained on images drawn by a program."""
        return self.record.dataset.drawn

    @property
    def leak(self) -> str:
        """What leaks between the splits of its data; empty when nothing."""
        return self.record.dataset.leak

    def word(self, label: str) -> str:
        """What a class means to a reader."""
        return self.words[self.classes.index(label)]


def whole_of(folder: Path) -> Path:
    """Returns the cross-validation of which a run is a fold, or the run itself."""
    return folder.parent if (folder.parent / CROSS_VALIDATION).is_file() else folder


def open_run(folder: Path, *, check: tuple[str, ...] = (MODEL_ONNX,)) -> Run:
    """Opens a finished run; `check` names the files whose SHA-256 is compared with run.json.

    Raises:
        RunError: no run there, unfinished, a file missing or altered.
    """
    folder = Path(folder)
    record = read_run_file(folder)
    if not record.is_finished:
        raise RunError(
            f"the training in {folder} is not finished; go on with "
            f"`{typed('train')} --resume --run {whole_of(folder)}`"
        )
    for name in check:
        _check_file(folder, name, record)
    return Run(folder=folder, record=record)


def read_run_file(folder: Path) -> RunRecord:
    """Reads and verifies run.json.

    Raises:
        RunError: missing, damaged, altered, or written by a newer format.
    """
    path = folder / RUN_FILE
    content = _read_content(folder, path)
    if not isinstance(content, dict) or content.get("checksum") != _checksum(content):
        raise RunError(
            f"{path} was altered after training (its checksum differs), so its operating "
            "point and classes cannot be trusted; restore it from a copy"
        )
    if content.get("format") != FORMAT:
        raise RunError(
            f"{path} has format {content.get('format')!r:.40}, this program reads format "
            f"{FORMAT}; use the version that wrote it"
        )
    try:
        return from_json(RunRecord, content)
    except EntryError as error:
        raise RunError(f"{path}: {error}; restore the file from a copy or train again") from None


def _read_content(folder: Path, path: Path) -> Any:
    if not folder.exists():
        raise RunError(f"there is no run folder {folder}; train one with `{typed('train')}`")
    if not folder.is_dir():
        raise RunError(f"{folder} is a file; a run is a folder, such as output/<run>")
    try:
        return read_json(path)
    except FileNotFoundError:
        if (folder / CROSS_VALIDATION).exists():
            raise RunError(
                f"{folder} holds a cross-validation; name one of its folds, such as "
                f"{folder / 'fold-01'}"
            ) from None
        raise RunError(f"{folder} is not a run folder: it holds no {RUN_FILE}") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); restore it from a copy") from None


def write_run_file(folder: Path, record: RunRecord) -> None:
    """Writes run.json atomically, with its checksum."""
    content = as_json(record)
    write_json(folder / RUN_FILE, {**content, "checksum": _checksum(content)})


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


def vouch_for(folder: Path, names: list[str]) -> dict[str, str]:
    """Returns {file name: SHA-256} of files in a run folder, for run.json."""
    return {name: sha256_of(folder / name) for name in names}


def newest_run(output: Path = OUTPUT) -> Path:
    """Returns the folder of the run that finished last.

    Raises:
        RunError: there is none; the message says which command makes one.
    """
    finished: list[tuple[str, Path]] = []
    for path in Path(output).glob(f"*/{RUN_FILE}"):
        try:
            record = read_run_file(path.parent)
        except RunError:
            continue  # a damaged run must not hide the sound ones
        if record.is_finished:
            finished.append((record.finished or "", path.parent))
    if not finished:
        raise RunError(
            f"there is no trained run in {output}; train one with `{typed('train')}`, "
            "or name one with --run"
        )
    return max(finished)[1]


def now() -> str:
    """The time as ISO 8601 in UTC with microseconds, which sorts as text."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def _check_file(folder: Path, name: str, record: RunRecord) -> None:
    try:
        found = sha256_of(folder / name)
    except FileNotFoundError:
        raise RunError(f"{folder} lacks {name}; restore it from a copy or train again") from None
    if found != (record.files or {}).get(name):
        raise RunError(
            f"{folder / name} was altered or damaged after training (its SHA-256 differs from "
            f"{RUN_FILE}); restore it from a copy or train again"
        )


def _checksum(content: Mapping[str, object]) -> str:
    rest = {key: value for key, value in content.items() if key != "checksum"}
    text = json.dumps(rest, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
