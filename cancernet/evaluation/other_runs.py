"""Another run's testing figures, to stand beside those of a report."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cancernet.base.errors import RunError
from cancernet.evaluation.run_results import read_finished
from cancernet.evaluation.trained_on import leak_of
from cancernet.report.content import Beside
from cancernet.runs.run_folder import CROSS_VALIDATION


def read_besides(folders: Sequence[str]) -> tuple[list[Beside], list[str]]:
    """Reads several, for a report at the end of a training.

    Returns:
        Those that can be read, and a sentence on each that cannot any more: what stands
        beside is no reason to lose a training.
    """
    found, missing = [], []
    for folder in folders:
        try:
            found.append(read_beside(Path(folder)))
        except RunError as error:
            missing.append(f"A run that was to stand beside this one is left out: {error}.")
    return found, missing


def read_beside(folder: Path) -> Beside:
    """Reads the testing figures of a finished run or cross-validation.

    Raises:
        RunError: neither, unfinished, or damaged.
    """
    if (folder / CROSS_VALIDATION).is_file():
        record = _json(folder / CROSS_VALIDATION)
        if record.get("status") != "finished":
            raise RunError(f"the cross-validation in {folder} is not finished; finish it first")
        split, leak = f"in {len(record['folds'])} folds of whole patients", ""
    else:
        run = read_finished(folder).run
        split, leak = str(run.content["dataset"].get("split", "")), leak_of(run)
    metrics = _json(folder / "metrics.json")
    try:
        testing = metrics["testing"]
        limits = metrics.get("intervals", {}).get("testing", {}).get("limits", {})
        return Beside(
            name=folder.resolve().name,
            split_method=split,
            leak=leak,
            metrics=testing,
            limits={name: tuple(limits.get(name, (math.nan, math.nan))) for name in testing},
        )
    except (KeyError, AttributeError, TypeError) as error:
        raise RunError(f"{folder / 'metrics.json'} is damaged ({error})") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error})") from None
    if not isinstance(content, dict):
        raise RunError(f"{path} is damaged")
    return content
