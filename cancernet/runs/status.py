"""How far a training is, read from its run folder while another process trains into it."""

import dataclasses
import datetime
import itertools
import statistics
from pathlib import Path

from cancernet.base.console import typed
from cancernet.base.errors import RunError
from cancernet.base.files import is_locked, parse_json
from cancernet.base.records import Record, from_json
from cancernet.runs import run_folder
from cancernet.runs.run_record import RunRecord

MOST_EPOCHS = 10**9


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpochLine(Record):
    """One line of `log.jsonl` that tells of an epoch; its measures are in `others`."""

    epoch: int
    time: str = ""
    epochs: int | None = None
    event: str = ""


def describe_status(folder: Path) -> str:
    """Says in a few lines what a run, begun or finished, is doing; changes nothing in it.

    Raises:
        RunError: there is no run there, or its run.json is damaged.
    """
    record = run_folder.read_run_file(folder)
    epochs = epoch_lines(folder / run_folder.LOG)
    total = _total_epochs(folder, record)
    lines = [f"{folder}: {_what_it_does(folder, record)}"]
    if not record.is_finished:
        done = f"epoch {max(epochs)}" if epochs else "no epoch"
        lines.append(f"{done} of {total} is complete")
        left = _time_left(epochs, total)
        if left is not None and is_locked(folder / run_folder.LOCK):
            lines.append(f"about {left} of training left, then the evaluation")
    if epochs:
        last = epochs[max(epochs)].others.items()
        measures = [f"{name} {value:.4g}" for name, value in last if isinstance(value, float)]
        lines.append(f"last epoch: {', '.join(measures)}")
    return "\n".join(lines)


def epoch_lines(path: Path) -> dict[int, EpochLine]:
    """Reads `log.jsonl`: epoch number (from 1) -> its line; of a repeated epoch, the last line.

    A missing file has no epochs; a line that does not tell of an epoch is skipped.
    """
    found: dict[int, EpochLine] = {}
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return found
    for line in text.splitlines():
        try:
            entry = from_json(EpochLine, parse_json(line))
        except ValueError:
            continue
        if 0 < entry.epoch < MOST_EPOCHS:
            found[entry.epoch] = entry
    return found


def _what_it_does(folder: Path, record: RunRecord) -> str:
    if record.is_finished:
        return f"finished {record.finished or ''}"
    if is_locked(folder / run_folder.LOCK):
        return "at work now"
    return f"stopped before its end; go on with `{typed('train')} --resume --run {folder}`"


def _time_left(epochs: dict[int, EpochLine], total: int) -> str | None:
    """Estimates from the median time between the lines of the last epochs; None where it cannot."""
    try:
        times = [
            datetime.datetime.fromisoformat(epochs[number].time) for number in sorted(epochs)[-6:]
        ]
        steps = [(b - a).total_seconds() for a, b in itertools.pairwise(times) if b > a]
        if not steps:
            return None
        seconds = round(statistics.median(steps) * (total - max(epochs)))
        return str(datetime.timedelta(seconds=max(seconds, 0)))
    except (TypeError, ValueError, OverflowError):
        return None  # somebody wrote another time into the log


def _total_epochs(folder: Path, record: RunRecord) -> int:
    total, more = record.config.get("epochs"), record.config.get("fine_tune_epochs", 0)
    if type(total) is int and type(more) is int and 0 <= total + more < MOST_EPOCHS:
        return total + more
    raise RunError(
        f"{folder / run_folder.RUN_FILE} does not say how many epochs there are; "
        "restore it from a copy"
    )
