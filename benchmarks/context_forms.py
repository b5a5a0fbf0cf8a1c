"""How far neighbours count, and where the operating point of a whole slide lies.

    python benchmarks/patients_left_out.py IDC_FOLDER --work DIR
    python benchmarks/context_forms.py DIR [--runs 'run-idc-cancernet-*']

Nothing is trained: the finished runs in DIR are judged again, with every form of context fitted
on whole slides of training and validation, its operating point chosen on validation, and the
patients left out judged, as `patients_left_out.py` judges them. The third table leaves
the tumour out of the dense slides: what a slide's own operating point costs where there is none.
The fourth says what the best operating point of each dense slide would reach, in hindsight.
The training slides are scored once a run and kept beside it.
"""

import csv
import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from finished_runs import finished_runs, parse_arguments
from judged import Found, Judged, print_differences, print_table

from cancernet.context.context import Context, operating_points
from cancernet.context.judge import places_of
from cancernet.context.neighbours import SPREAD, Places
from cancernet.measures.calls import Calls
from cancernet.measures.decisions import log_odds, rule_of
from cancernet.measures.operating_point import choose_operating_point
from cancernet.runs.run_folder import Run
from cancernet.scoring.prediction import Prediction
from cancernet.scoring.predictor import Predictor
from cancernet.training.context_fit import RAISE, fit_context

SPREADS = (1.5, 2.0, 2.5)
RAISES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of a whole slide's operating point above Otsu's threshold
SIDE = 50  # of a patch, pixels of the slide


@dataclasses.dataclass(frozen=True)
class Patches:
    """Patches of one split: (n,) patients, truth 0 or 1, probability alone, places."""

    patients: np.ndarray
    truth: np.ndarray
    probability: np.ndarray
    places: Places

    def of(self, rows: np.ndarray) -> "Patches":
        return Patches(
            self.patients[rows], self.truth[rows], self.probability[rows], self.places.of(rows)
        )


def main() -> None:
    arguments = parse_arguments(__doc__.splitlines()[0])
    found: Found = defaultdict(dict)
    without_tumour: dict[str, list[float]] = defaultdict(list)
    for number, (fold, run) in enumerate(finished_runs(arguments)):
        folder = run.folder
        splits = (
            scored_training(run, arguments.work / f"data-{fold}" / "training"),
            read(folder / "validation_predictions.csv"),
            read(folder / "predictions.csv"),
        )
        # Several runs of a fold are told apart as seeds are.
        healthy = splits[2].of(
            np.flatnonzero((splits[2].truth == 0) & np.isin(splits[2].patients, arguments.dense))
        )
        for name, judged, alike in forms(run, *splits, healthy):
            for patient in np.unique(alike.patients):
                called = alike.called[alike.patients == patient]
                without_tumour[name].append(1 - float(called.mean()))
            seed = number if "--" in folder.name else int(run.record.config["seed"])
            found[name][fold, seed] = judged
    print_table(found, sorted(arguments.dense))
    print_differences(found, sorted(arguments.dense))
    print("\n| dense slides with the tumour left out | specificity, mean | worst |\n|---|---|---|")
    for name, values in without_tumour.items():
        print(f"| {name} | {np.mean(values):.3f} | {min(values):.3f} |")
    print("\n| dense slides, each at its best point in hindsight | balanced accuracy |\n|---|---|")
    for spread in SPREADS:
        runs = found[form_name(spread, None)].values()
        best = [
            best_balanced_accuracy(judged.truth[rows], judged.score[rows])
            for judged in runs
            for patient in np.intersect1d(judged.patients, arguments.dense)
            for rows in [judged.patients == patient]
        ]
        print(f"| spread {spread} | {np.mean(best):.3f} |")


def form_name(spread: float, raised: float | None) -> str:
    where = "validation" if raised is None else f"the slide, Otsu + {raised}"
    return f"spread {spread}, point of {where}"


def best_balanced_accuracy(truth: np.ndarray, score: np.ndarray) -> float:
    order = np.argsort(-score)
    positive = truth[order] == 1
    sensitivity = positive.cumsum() / positive.sum()
    specificity = 1 - (~positive).cumsum() / (~positive).sum()
    parted = np.append(np.diff(score[order]) != 0, True)  # no threshold parts equal scores
    return float(((sensitivity + specificity) / 2)[parted].max())


def forms(
    run: Run, training: Patches, validation: Patches, testing: Patches, healthy: Patches
) -> Iterator[tuple[str, Judged, Judged]]:
    """Yields the name of every form of context and what it says of both sets that are tested."""
    seconds = json.loads((run.folder / "metrics.json").read_text())["training"]["cpu_seconds"]
    together = [training, validation]
    places = Places(
        np.concatenate([each.places.slides for each in together]),
        np.concatenate([each.places.columns for each in together]),
        np.concatenate([each.places.rows for each in together]),
    )
    for spread in SPREADS:
        context = fit_context(
            np.concatenate([each.probability for each in together]),
            np.concatenate([each.truth for each in together]) == 1,
            places,
            seed=int(run.record.config["seed"]),
            spread=spread,
            even=float(log_odds(np.array(run.calibration.even([1])))),
        )
        judged = context.judge(validation.probability, validation.places)
        calls = Calls(validation.truth, judged.probability, 0.5, validation.patients)
        rule = run.calibration.expecting(rule_of(run.record.config), [1])
        point = choose_operating_point(calls, rule)
        for raised in (None, *RAISES) if spread == SPREAD else (None, RAISE):
            own = raised is not None
            form = dataclasses.replace(context, slide_points=own, raised=raised or 0.0)
            yield (
                form_name(spread, raised),
                judge(form, run, point.threshold, testing, seconds),
                judge(form, run, point.threshold, healthy, seconds),
            )


def judge(context: Context, run: Run, chosen: float, patches: Patches, seconds: float) -> Judged:
    """Judges patches in context; `chosen` is validation's operating point there."""
    found = context.judge(patches.probability, patches.places)
    points, _ = operating_points(context, found, patches.places, alone=run.threshold, chosen=chosen)
    return Judged(
        patients=patches.patients,
        truth=patches.truth,
        score=found.probability,
        called=found.probability >= points,
        cpu_seconds=seconds,
    )


def scored_training(run: Run, folder: Path) -> Patches:
    """Scores the training patches of a run alone; keeps the scores beside it."""
    kept = run.folder.with_name(f"{run.folder.name}.training.csv")
    if not kept.exists():
        paths = sorted(folder.rglob("*.png"))
        answers = Predictor(run).predict_many(paths)
        rows = []
        for path, found in zip(paths, answers, strict=True):
            assert isinstance(found, Prediction), found
            rows.append((path.name, found.probabilities["1"]))
        with open(kept, "w", newline="") as file:
            csv.writer(file).writerows([("path", "probability_1"), *rows])
    return read(kept)


def read(path: Path) -> Patches:
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    column = "alone_probability_1" if "alone_probability_1" in rows[0] else "probability_1"
    names = [Path(row["path"]).name for row in rows]
    patients = [name.split("_idx")[0] for name in names]
    return Patches(
        patients=np.array(patients),
        truth=np.array([int(name.rsplit("_class", 1)[1][0]) for name in names]),
        probability=np.array([float(row[column]) for row in rows]),
        places=places_of(names, patients, SIDE),
    )


if __name__ == "__main__":
    main()
