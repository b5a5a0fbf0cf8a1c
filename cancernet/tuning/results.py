"""What a study leaves for a person: the table of trials, the picture, the best recipe."""

import csv
import dataclasses
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.files import write_text
from cancernet.config import TrainConfig
from cancernet.recipe_file import write_recipe
from cancernet.tuning.space import Dimension
from cancernet.tuning.study import NOTE

if TYPE_CHECKING:
    import optuna

RECIPE, TABLE = "best-recipe.json", "trials.csv"
_WORDS = {"COMPLETE": "done", "PRUNED": "pruned", "RUNNING": "running", "FAIL": "cut off"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialRow:
    """One trial.

    Attributes:
        number: from 0, as Optuna counts.
        state: done, pruned, cut off, failed or running.
        value: of the measure; of a pruned trial what it had reached, else None.
        values: setting to value.
        seconds: it took, or None when it was cut off.
        note: why, where there is more to say.
    """

    number: int
    state: str
    value: float | None
    values: dict[str, Any]
    seconds: float | None
    note: str


def trial_rows(study: "optuna.Study") -> list[TrialRow]:
    """Returns every trial that began, in order."""
    rows = []
    for trial in study.get_trials(deepcopy=False):
        if trial.state.name == "WAITING":
            continue
        note = str(trial.user_attrs.get(NOTE, ""))
        state = _WORDS[trial.state.name]
        reached = trial.intermediate_values
        if trial.state.name == "PRUNED" and reached and trial.value is None:
            value: float | None = reached[max(reached)]
        else:
            value = trial.value
        rows.append(
            TrialRow(
                number=trial.number,
                state="failed" if state == "cut off" and note else state,
                value=value,
                values=dict(trial.params),
                seconds=trial.user_attrs.get("seconds"),
                note=note,
            )
        )
    return rows


def table_text(rows: list[TrialRow], best: int | None, measure: str) -> str:
    """Returns the trials as a table of text; the best one has a star."""
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    lines = [["", "trial", "state", measure, *names, "seconds", ""]]
    for row in rows:
        lines.append(
            [
                "*" if row.number == best else "",
                str(row.number),
                row.state,
                "-" if row.value is None else f"{row.value:.4f}",
                *(_short(row.values.get(name, "-")) for name in names),
                "-" if row.seconds is None else f"{row.seconds:.0f}",
                row.note,
            ]
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def write_table(path: Path, rows: list[TrialRow], dimensions: tuple[Dimension, ...]) -> None:
    """Writes the trials as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [dimension.name for dimension in dimensions]
    writer.writerow(["trial", "state", "value", *names, "seconds", "note"])
    for row in rows:
        values = [row.values.get(name, "") for name in names]
        writer.writerow([row.number, row.state, row.value, *values, row.seconds, row.note])
    write_text(path, text.getvalue())


def best_trial(study: "optuna.Study") -> "optuna.trial.FrozenTrial | None":
    """Returns the best trial that was done, or None while there is none."""
    try:
        return study.best_trial
    except ValueError:
        return None


def write_best(path: Path, study: "optuna.Study", base: TrainConfig, measure: str) -> bool:
    """Writes the best trial's settings as a recipe; tells whether there is one."""
    best = best_trial(study)
    if best is None:
        return False
    found = {
        "trial": best.number,
        measure: best.value,
        "each fold": [v for name, v in best.user_attrs.items() if name.startswith("fold ")],
        "searched": best.params,
        **study.user_attrs.get("identity", {}),
    }
    write_recipe(path, dataclasses.replace(base, **best.params), found=found)
    return True


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
