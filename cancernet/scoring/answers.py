"""Writing predictions: text for a person, JSON lines, or a CSV that can be continued."""

import contextlib
import csv
import dataclasses
import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from cancernet.base.errors import CancerNetError
from cancernet.base.files import LockedError, json_text, lock, read_json, write_json
from cancernet.base.records import Record, from_json
from cancernet.base.words import some
from cancernet.runs.run_folder import Run
from cancernet.scoring.predictor import Failure, Prediction

FLUSH_EVERY = 1024  # rows
NO_POINT = "no operating point: 0.5 was not chosen on data"


def as_text(prediction: Prediction, run: Run) -> str:
    """Returns one prediction for a person: class in words, probability, operating point."""
    lines = [
        f"{prediction.path}: {prediction.word} (class {prediction.label})",
        f"  {point_text(prediction, run)}",
    ]
    if prediction.operating_point is None:
        named = zip(run.words, prediction.probabilities.values(), strict=True)
        lines.append("  " + ", ".join(f"{word} {score_text(value)}" for word, value in named))
    return "\n".join(lines)


def point_text(prediction: Prediction, run: Run) -> str:
    """Says on which side of the operating point the positive classes' probability falls."""
    score, threshold = prediction.positive_probability, prediction.operating_point
    opening = f"probability of {run.positive_words} "
    if threshold is None:
        return f"{opening}{score_text(score)}, {NO_POINT}"
    side = "at or above" if prediction.positive else "below"
    shown, point = score_text(score), score_text(threshold)
    if shown == point:  # they differ in later digits, so these are shown
        shown, point = f"{score:.6g}", f"{threshold:.6g}"
    return f"{opening}{shown}, {side} the operating point {point}"


def as_json(result: Prediction | Failure) -> str:
    """Returns one result as one line of JSON."""
    return json_text(result)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Owner(Record):
    """The content of `<name>.part.json`: which run fills the table, and for which images.

    `images` is a hash of the paths that were named, `named` names the first few of them.
    """

    run: str
    checksum: str | None
    images: str = ""
    named: str = ""


class CsvFile:
    """A CSV of predictions that grows under another name and is renamed when complete.

    While it grows it is called `<name>.part`, and `<name>.part.json` says which run writes
    it and for which images. After an interruption the same command finds both and
    continues: complete rows are not scored again, and a line that was cut is dropped. A
    lock, held until `write` is done or the object is gone, keeps out a second process.

    Attributes:
        done: the paths of the rows that an interrupted command left.
        failed: how many of these could not be read.
    """

    def __init__(self, path: Path, run: Run, named: Sequence[Path] = ()) -> None:
        """Opens or continues the file.

        Args:
            path: the table.
            run: the run that fills it.
            named: the files and folders whose images it will hold.

        Raises:
            CancerNetError: the final file exists already, the unfinished one is of another
                run or other images, or another process is filling it.
        """
        self.path = path
        self._part = path.with_name(path.name + ".part")
        self._owner_file = path.with_name(path.name + ".part.json")
        self._run = run
        self._owner = self._identify(named)
        self.failed = 0
        self._held = contextlib.ExitStack()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._held.enter_context(lock(path.with_name(path.name + ".part.lock")))
        except LockedError:
            raise CancerNetError(
                f"another process is filling {path}; wait for it, or name another --csv file"
            ) from None
        if path.exists():
            raise CancerNetError(f"{path} exists already; move it away or name another --csv file")
        self.done = self._continue() if self._part.exists() else self._begin()

    def write(self, results: Iterable[Prediction | Failure]) -> Iterator[Prediction | Failure]:
        """Appends results as they come and passes them on; renames the file at the end."""
        with self._held, _opened(self._part, "a") as file:
            writer = csv.DictWriter(file, self._columns(), restval="")
            for count, result in enumerate(results, start=1):
                writer.writerow(self._row(result))
                if count % FLUSH_EVERY == 0:
                    file.flush()
                yield result
            file.close()
            self._part.replace(self.path)
            self._owner_file.unlink(missing_ok=True)

    def _begin(self) -> set[str]:
        write_json(self._owner_file, self._owner)
        with _opened(self._part, "w") as file:
            csv.writer(file).writerow(self._columns())
        return set()

    def _continue(self) -> set[str]:
        own = self._owner
        try:
            begun = from_json(_Owner, read_json(self._owner_file))
        except (OSError, ValueError):
            begun = _Owner(run="", checksum="")
        if (begun.run, begun.checksum) != (own.run, own.checksum):
            raise CancerNetError(
                f"{self._part} was begun with another run; move it away or name another --csv file"
            )
        if begun.images != own.images:
            raise CancerNetError(
                f"{self._part} was begun for {begun.named or 'other images'}; name the same in the "
                "same way, move it away, or name another --csv file"
            )
        self._drop_cut_line()
        done: set[str] = set()
        with _opened(self._part, "r") as file:
            for row in csv.DictReader(file):
                done.add(row["path"])
                self.failed += bool(row["error"])
        return done

    def _drop_cut_line(self) -> None:
        """Cuts the file after its last complete record."""
        columns = len(self._columns())
        end = 0
        with open(self._part, "rb") as file:
            record = b""
            for line in file:
                record += line
                # A quoted path may hold a newline: a record ends where quotes are paired.
                if not line.endswith(b"\r\n") or record.count(b'"') % 2:
                    continue
                if len(next(csv.reader([record.decode("utf-8", "replace")]))) == columns:
                    end += len(record)
                    record = b""
        with open(self._part, "rb+") as file:
            file.truncate(end)
        if end == 0:
            self._begin()

    def _identify(self, named: Sequence[Path]) -> _Owner:
        # Rows are recognized by their paths as they were typed, which must mean the same files.
        typed = [part for path in named for part in (str(path), str(path.resolve()))]
        return _Owner(
            run=self._run.name,
            checksum=self._run.record.checksum,
            images=hashlib.sha256("\0".join(typed).encode("utf-8", "surrogateescape")).hexdigest(),
            named=some([str(path) for path in named], 3),
        )

    def _columns(self) -> list[str]:
        probabilities = [f"probability_{name}" for name in self._run.classes]
        return ["path", "label", "word", *probabilities, "positive", "operating_point", "error"]

    def _row(self, result: Prediction | Failure) -> dict[str, str | bool]:
        if isinstance(result, Failure):
            return {"path": result.path, "error": result.error}
        return {
            "path": result.path,
            "label": result.label,
            "word": result.word,
            **{f"probability_{name}": repr(p) for name, p in result.probabilities.items()},
            "positive": "" if result.positive is None else result.positive,
            "operating_point": (
                "" if result.operating_point is None else repr(result.operating_point)
            ),
        }


def _opened(path: Path, mode: str) -> IO[str]:
    """Opens a table; file names that are not valid UTF-8 are written as the bytes they are."""
    return open(path, mode, encoding="utf-8", errors="surrogateescape", newline="")


def distribution(path: Path, run: Run) -> list[str]:
    """Returns a line for each class: how many images of a CSV of predictions were assigned it."""
    with _opened(path, "r") as file:
        counts = Counter(row["label"] for row in csv.DictReader(file) if row["label"])
    total = counts.total()
    width = max(len(word) for word in run.words)
    return [
        f"  {run.word(name):{width}}  {counts[name]:>8,}  {100 * counts[name] / total:5.1f} %"
        for name in run.classes
        if total
    ]


def score_text(value: float) -> str:
    """Returns a probability with three decimals, but never 0.000 or 1.000 for what is neither."""
    if 0.0005 <= value < 0.9995 or value in (0.0, 1.0):
        return f"{value:.3f}"
    if value < 0.5:
        return f"{value:.1e}"
    return f"1 - {1 - value:.0e}" if value < 1 and math.isfinite(value) else str(value)
