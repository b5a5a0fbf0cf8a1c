"""How far a training is, read from its run folder while another process trains into it."""

import datetime
import itertools
import statistics
from pathlib import Path
from typing import Any

from cancernet.base.errors import RunError
from cancernet.base.files import parse_json
from cancernet.base.locks import is_locked
from cancernet.runs import run_folder

MOST_EPOCHS = 10**9


def describe_status(folder: Path) -> str:
    """Says in a few lines what a run is doing; changes nothing in it.

    Args:
        folder: a run folder, begun or finished.

    Raises:
        RunError: there is no run there, or its run.json is damaged.
    """
    content = run_folder.read_run_file(folder)
    epochs = epoch_lines(folder / run_folder.LOG)
    total = _total_epochs(folder, content)
    lines = [f"{folder}: {_what_it_does(folder, content)}"]
    if content["status"] != "finished":
        lines.append(f"epoch {max(epochs, default=0)} of {total} is complete")
        left = _time_left(epochs, total)
        if left is not None and is_locked(folder / run_folder.LOCK):
            lines.append(f"about {left} of training left, then the evaluation")
    if epochs:
        last = epochs[max(epochs)]
        measures = [
            f"{name} {value:.4g}"
            for name, value in last.items()
            if isinstance(value, float) and name not in ("time", "epoch", "epochs")
        ]
        lines.append(f"last epoch: {', '.join(measures)}")
    return "\n".join(lines)


def epoch_lines(path: Path) -> dict[int, dict[str, Any]]:
    """Reads `log.jsonl`: epoch number (from 1) to its line; a repeated epoch's last line holds.

    A missing file has no epochs; a line that is no JSON object is skipped.
    """
    found: dict[int, dict[str, Any]] = {}
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return found
    for line in text.splitlines():
        try:
            entry = parse_json(line)
        except ValueError:
            continue
        epoch = entry.get("epoch") if isinstance(entry, dict) else None
        if type(epoch) is int and 0 < epoch < MOST_EPOCHS:
            found[epoch] = entry
    return found


def _what_it_does(folder: Path, content: dict[str, Any]) -> str:
    if content["status"] == "finished":
        return f"finished {content.get('finished', '')}"
    if is_locked(folder / run_folder.LOCK):
        return "at work now"
    return f"stopped before its end; go on with `python train_model.py --resume --run {folder}`"


def _time_left(epochs: dict[int, dict[str, Any]], total: int) -> str | None:
    """Estimates from the median time between the lines of the last epochs; None where it cannot."""
    try:
        times = [
            datetime.datetime.fromisoformat(epochs[number]["time"])
            for number in sorted(epochs)[-6:]
        ]
        steps = [(b - a).total_seconds() for a, b in itertools.pairwise(times) if b > a]
        if not steps:
            return None
        seconds = round(statistics.median(steps) * (total - max(epochs)))
        return str(datetime.timedelta(seconds=max(seconds, 0)))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None  # somebody wrote another time into the log


def _total_epochs(folder: Path, content: dict[str, Any]) -> int:
    config = content.get("config")
    if isinstance(config, dict) and isinstance(content.get("status"), str):
        total, more = config.get("epochs"), config.get("fine_tune_epochs", 0)
        if type(total) is int and type(more) is int and 0 <= total + more < MOST_EPOCHS:
            return total + more
    raise RunError(
        f"{folder / run_folder.RUN_FILE} does not say how long the training is; restore it"
    )
