"""The same figures for parts of the patients: site, scanner, age group, whatever a table says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.tables import FILE, PATIENT, plain_path, read_table
from cancernet.catalog.patient_id import patient_key
from cancernet.measures.metrics import binary_metrics
from cancernet.measures.resampling.intervals import RESAMPLES, patient_intervals

NOT_GIVEN = "not given"


def read_columns(path: Path) -> tuple[str, dict[str, dict[str, str]]]:
    """Reads a table with a column `patient` or `path` and any others.

    Returns:
        The key that the table uses, and for every other column {key: value}; patients are
        spelled as `patient_key` spells them.

    Raises:
        CancerNetError: no such file, no key column, no other column, or a key that
            stands there twice with different values.
    """
    table = read_table(path)
    file, patient = table.find(FILE), table.find(PATIENT)
    columns = {place: name for place, name in enumerate(table.columns)
               if place not in (file, patient)}  # fmt: skip
    if (file is None and patient is None) or not columns:
        raise CancerNetError(
            f"{path} needs a column `patient` or `path` and one more to group by; it has "
            f"{', '.join(table.columns) or 'none'}"
        )
    for name in columns.values():
        table.need((name.casefold(),))  # refuses two of the same name
    key = "path" if file is not None else "patient"
    found: dict[str, dict[str, str]] = {name: {} for name in columns.values()}
    for row in table.rows:
        who = plain_path(row.cells[file]) if file is not None else ""
        if patient is not None and file is None:
            who = patient_key(row.cells[patient])
        for place, name in columns.items():
            value = row.cells[place] or NOT_GIVEN
            if found[name].setdefault(who, value) != value:
                raise CancerNetError(
                    f"{path}: {key} {who} has two values of {name}, {found[name][who]} and "
                    f"{value}; correct the table"
                )
    return key, found


def subgroup_rows(
    truth: Any,
    score: Any,
    threshold: float,
    patients: Any,
    group: Mapping[str, str],
    *,
    keys: Any = None,
    resamples: int = RESAMPLES,
    seed: int = 7,
) -> list[dict[str, Any]]:
    """Judges every group by itself at the one operating point.

    Args:
        truth, score, threshold, patients: as for `binary_metrics`.
        group: key to the name of its group; a key that is not there is "not given".
        keys: (images,) what `group` is looked up by; the patients when not given.
        resamples: bootstrap draws of the intervals.
        seed: of the draws.

    Returns:
        A row for every group, by name: `group`, all of `binary_metrics`, `limits`
        (of `Intervals`) and `notes`. Many groups of few patients differ by chance alone.
    """
    truth, score, patients = np.asarray(truth), np.asarray(score), np.asarray(patients)
    looked_up = patients if keys is None else np.asarray(keys)
    names = np.array([group.get(str(key), NOT_GIVEN) for key in looked_up])
    rows = []
    for name in np.unique(names):
        part = names == name
        intervals = patient_intervals(
            truth[part], score[part], threshold, patients[part], resamples=resamples, seed=seed
        )
        metrics = binary_metrics(truth[part], score[part], threshold, patients=patients[part])
        rows.append(
            {
                "group": str(name),
                **metrics,
                "limits": intervals.limits,
                "notes": list(intervals.notes),
            }
        )
    return rows
