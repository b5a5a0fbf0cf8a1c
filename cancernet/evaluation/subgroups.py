"""The same figures for groups of patients: by site, scanner, age group or any column of a table."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.patch_name import patient_key
from cancernet.base.tables import Column, read_table
from cancernet.base.words import counted, some
from cancernet.images.named_files import NamedFiles, plain_path
from cancernet.measures.assess import TESTING, ScoreSet
from cancernet.measures.calls import Calls
from cancernet.measures.intervals import patient_intervals
from cancernet.measures.metrics import Figures, binary_metrics

NOT_GIVEN = "not given"

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SubgroupRow(Figures):
    """The figures of one group; `limits` and `notes` are those of its `Intervals`."""

    group: str
    limits: Mapping[str, tuple[float, float]]
    notes: tuple[str, ...]


def subgroups(
    table: Path, scores: ScoreSet, *, seed: int, columns: Sequence[str] = ()
) -> dict[str, list[SubgroupRow]]:
    """Returns column -> the rows of its groups, at the run's operating point.

    Raises:
        CancerNetError: the table cannot be read, or names nobody who was tested.
    """
    key, groups = read_columns(table, columns)
    testing = scores.scored[TESTING]
    by_patient = key == "patient"
    keys = [patient_key(name) for name in testing.patients] if by_patient else testing.paths
    if not by_patient:
        groups = _of_files(table, groups, keys)
    known = set().union(*groups.values())
    if not known & set(keys):
        raise CancerNetError(
            f"{table} names none of the {len(set(keys)):,} {key}s that were tested, such as "
            f"{next(iter(keys))}; its column `{key}` must use the same names"
        )
    strangers = sorted(known - set(keys))
    if strangers:
        others = counted(len(strangers), key)
        _log.warning("%s: %s not tested, ignored (%s)", table, others, some(strangers))
    calls = scores.calls()
    found = {
        name: subgroup_rows(calls, group, keys=keys, seed=seed) for name, group in groups.items()
    }
    # Nobody wants a table of the one group that was not given.
    return {name: rows for name, rows in found.items() if [r.group for r in rows] != [NOT_GIVEN]}


def _of_files(
    table: Path, groups: Mapping[str, Mapping[str, str]], files: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Returns the groups by the files that the table's names mean; a name without one stays."""
    meant = NamedFiles(files).find_all(set().union(*groups.values()))
    for name, several in meant.items():
        if len(several) > 1:
            raise CancerNetError(
                f"{name} in {table} fits several tested images, {several[0]} and {several[1]}; "
                "write more of the path into the table"
            )
    return {
        column: {(meant[name] or [name])[0]: group for name, group in rows.items()}
        for column, rows in groups.items()
    }


def read_columns(path: Path, columns: Sequence[str] = ()) -> tuple[str, dict[str, dict[str, str]]]:
    """Reads a table with a column for the patient or the image and any others.

    `columns` is of `columns_setting`; it may also name columns of another table.

    Returns:
        The key that the table uses, and for every other column {key: value}; patients are
        spelled as `patient_key` spells them.

    Raises:
        CancerNetError: no such file, no key column, no other column, or a key that
            stands there twice with different values.
    """
    table = read_table(path, columns, all_there=False)
    file, patient = table.find(Column.IMAGE), table.find(Column.PATIENT)
    others = {place: name for place, name in enumerate(table.columns)
              if place not in (file, patient)}  # fmt: skip
    if (file is None and patient is None) or not others:
        raise CancerNetError(
            f"{path} needs a column `patient` or `path` and one more to group by; it has "
            f"{', '.join(table.columns) or 'none'}"
        )
    folded = [name.casefold() for name in others.values()]
    twice = next((name for name in folded if folded.count(name) > 1), None)
    if twice is not None:
        raise CancerNetError(f"{path} has two columns {twice!r}; name them differently")
    key = "path" if file is not None else "patient"
    found: dict[str, dict[str, str]] = {name: {} for name in others.values()}
    for row in table.rows:
        who = plain_path(row.cells[file]) if file is not None else ""
        if patient is not None and file is None:
            who = patient_key(row.cells[patient])
        for place, name in others.items():
            value = row.cells[place] or NOT_GIVEN
            if found[name].setdefault(who, value) != value:
                raise CancerNetError(
                    f"{path}: {key} {who} has two values of {name}, {found[name][who]} and "
                    f"{value}; correct the table"
                )
    return key, found


def subgroup_rows(
    calls: Calls, group: Mapping[str, str], *, keys: Sequence[str], seed: int
) -> list[SubgroupRow]:
    """Judges every group by itself; many groups of few patients differ by chance alone.

    `group` is key -> the name of its group, and `keys` has the key of every image; one that
    `group` lacks is "not given".
    """
    names = np.array([group.get(str(key), NOT_GIVEN) for key in keys])
    rows = []
    for name in np.unique(names):
        part = calls[names == name]
        found = patient_intervals(part, seed=seed)
        rows.append(
            SubgroupRow(
                **binary_metrics(part), group=str(name), limits=found.limits, notes=found.notes
            )
        )
    return rows
