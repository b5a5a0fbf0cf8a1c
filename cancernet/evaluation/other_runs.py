"""Another run's testing figures, to stand beside those of a report."""

import math
from collections.abc import Sequence
from pathlib import Path

from cancernet.base.errors import RunError
from cancernet.evaluation.run_results import read_finished
from cancernet.evaluation.trained_on import leak_of
from cancernet.report.content import Beside
from cancernet.runs.metrics_file import read_metrics
from cancernet.runs.run_record import CROSS_VALIDATION, read_finished_folds


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
        folds = read_finished_folds(folder).folds
        split, leak = f"in {len(folds)} folds of whole patients", ""
    else:
        run = read_finished(folder).run
        split, leak = run.record.dataset.split, leak_of(run)
    metrics = read_metrics(folder)
    limits = metrics.intervals["testing"].limits if "testing" in metrics.intervals else {}
    return Beside(
        name=folder.resolve().name,
        split_method=split,
        leak=leak,
        metrics=metrics.testing,
        limits={name: limits.get(name, (math.nan, math.nan)) for name in metrics.testing},
    )
