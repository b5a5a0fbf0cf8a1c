"""What a report costs over the number of predictions: figures, intervals, pictures, tables.

    python benchmarks/report_growth.py RUN [--sizes 10000 100000] [--folder DIR]

RUN is a finished IDC run. Its table of testing predictions is repeated under other patients' names,
with a little noise, until it has as many rows; `evaluate_model.py --rule youden` judges these in
context, with intervals over patients, and writes the report. Nothing is scored.
"""

import argparse
import csv
import dataclasses
import shutil
import sys
import tempfile
from itertools import count, islice
from pathlib import Path

import numpy as np
from measured import ROOT, run_once, write

sys.path.insert(0, str(ROOT))

from cancernet.runs.run_folder import open_run, vouch_for, write_run_file

TABLE = "predictions.csv"
NOISE = 0.3  # standard deviation, log odds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=(10_000, 100_000, 1_000_000))
    parser.add_argument("--folder", type=Path, help="keep the runs and reports here")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print("| predictions | patients | s | processor s | peak MB | report, MB |")
    print("|---:|---:|---:|---:|---:|---:|")
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for size in arguments.sizes:
            folder = (arguments.folder or Path(temporary)) / f"run-{size}"
            patients, report = enlarge(arguments.run, folder, size), folder / "report"
            cost = run_once(
                [sys.executable, "evaluate_model.py", "--run", folder, "--rule", "youden",
                 "--output", report]
            )  # fmt: skip
            page = (report / "report.html").stat().st_size / 1e6
            rows.append({"predictions": size, "patients": patients, **vars(cost), "page": page})
            print(
                f"| {size:,} | {patients:,} | {cost.seconds:.1f} | {cost.cpu_seconds:.1f} "
                f"| {cost.peak_megabytes:,.0f} | {page:.1f} |",
                flush=True,
            )
    write(arguments.json, {"rows": rows})


def enlarge(source: Path, folder: Path, size: int) -> int:
    """Copies a run with a table of so many testing predictions; returns how many patients."""
    shutil.copytree(source, folder)
    with open(source / TABLE, newline="") as file:
        found = list(csv.DictReader(file))
    random, patients = np.random.default_rng(1), set()
    with open(folder / TABLE, "w", newline="") as file:
        table = csv.DictWriter(file, found[0], lineterminator="\n")
        table.writeheader()
        for copy, row in islice(((copy, row) for copy in count() for row in found), size):
            patient = f"{row['patient']}c{copy}"
            table.writerow(renamed(row, patient, float(np.exp(random.normal(0, NOISE)))))
            patients.add(patient)
    record = open_run(source).record
    assert record.files is not None, "a finished run vouches for its files"
    files = {**record.files, **vouch_for(folder, [TABLE])}
    write_run_file(folder, dataclasses.replace(record, files=files))
    return len(patients)


def renamed(row: dict[str, str], patient: str, factor: float) -> dict[str, str]:
    """Returns a row as another patient's, with the odds of IDC multiplied by a factor."""
    path = Path(row["path"])
    new = {
        "patient": patient,
        "path": str(path.with_name(path.name.replace(row["patient"], patient, 1))),
    }
    for column in ("probability_1", "alone_probability_1"):
        odds = factor * float(row[column]) / max(1 - float(row[column]), 1e-9)
        new |= {column: repr(odds / (1 + odds)), f"{column[:-1]}0": repr(1 / (1 + odds))}
    return row | new


if __name__ == "__main__":
    main()
