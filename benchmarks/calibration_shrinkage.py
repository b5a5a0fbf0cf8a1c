"""How far can a temperature fitted on few patients be trusted? Measured on kept runs.

    python benchmarks/calibration_shrinkage.py DIR

DIR holds runs of `patients_left_out.py ... -- --calibration none`. For every run a
temperature T is fitted on the stored validation predictions, drawn towards 1 as
T^(p / (p + k)) with p validating patients, and judged on the testing patients: log loss
and expected calibration error, mean over runs. k = 0 trusts it fully, infinity is T = 1.
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cancernet.measures.calibration import calibration_metrics, fit_calibration
from cancernet.measures.calls import Calls
from cancernet.measures.decisions import scale
from cancernet.measures.scored import read_scored

STRENGTHS = (0, 1, 3, 10, math.inf)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rows: dict[float, list[tuple[float, float]]] = {strength: [] for strength in STRENGTHS}
    found = []
    for path in sorted(folder.glob("*/validation_predictions.csv")):
        validation, _ = read_scored(path)
        testing, _ = read_scored(path.with_name("predictions.csv"))
        fit = fit_calibration(validation.truth, validation.probabilities, method="temperature")
        patients = len(set(validation.patients))
        found.append(fit.temperature)
        for strength in STRENGTHS:
            temperature = fit.temperature ** (patients / (patients + strength))
            score = scale(testing.probabilities, temperature)[:, 1]
            measured = calibration_metrics(Calls(testing.truth, score))
            rows[strength].append((measured["log_loss"], measured["ece"]))
    print(f"{len(found)} runs; temperatures {', '.join(f'{t:.2f}' for t in found)}\n")
    print("| k | log loss | ECE | runs better than T = 1 (log loss) |")
    print("|---|---:|---:|---:|")
    plain = np.array(rows[math.inf])
    for strength, values in rows.items():
        loss, error = np.array(values).T
        better = int((loss < plain[:, 0]).sum())
        name = "infinity (T = 1)" if math.isinf(strength) else strength
        print(f"| {name} | {loss.mean():.4f} | {error.mean():.4f} | {better} of {len(loss)} |")


if __name__ == "__main__":
    main()
