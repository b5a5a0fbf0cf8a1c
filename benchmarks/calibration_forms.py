"""How the probabilities of a network trained with class weights become believable.

    python benchmarks/patients_left_out.py IDC_FOLDER --work DIR
    python benchmarks/calibration_forms.py DIR [--runs 'run-idc-cancernet-*']

Nothing is trained: the scores of finished runs are corrected in every form, fitted on validation
alone, and the patients left out are judged. The protocol, written down before any form was
measured:

- With z the log odds of the network itself and s those of the training images' share of IDC,
  every form is z / T + b: the *temperature* alone (b = 0), as it was; *weights out* before it
  (b = s / T) or after it (b = s), which fits no further number (Elkan 2001); *offset* (Platt
  2000), where b is fitted too; and *both*, which fits how far b is from s. What is fitted is drawn
  towards what is expected by p / (p + 10), p being the validating patients.
- In context, the run's gain and offset work on z / T as ever and b is added to what they give, so
  that neither the ranking nor, with the threshold moved alike, any call changes by b.
- Judged are log loss, Brier score, expected calibration error (ECE) and the distance of mean
  score and share of IDC: of all sparse patients' patches pooled over the folds, and the mean over
  the dense patients, each by itself; also of all patients' patches by number of neighbours. Rows
  are compared by paired differences; the 95 % interval is from drawing patients with replacement
  (of all folds together, since a fold has one or two dense ones).
- A form is kept if its log loss and Brier score of sparse patients in context are lower, with
  intervals below 0, alone not higher, and the distance of mean and share shrinks with no
  neighbours and with eight. Of two that are not told apart, the one that fits fewer numbers is
  taken. Dense patients are shown: nobody of their kind validates, and the share of IDC differs
  from one slide to the next.

Added after the first figures: the weights out after a temperature that was fitted as if there were
none (*the same, weights out*), all patients together, and intervals over all folds.
"""

import argparse
import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
from context_forms import Patches, read
from finished_runs import finished_runs, parse_arguments
from judged import DRAWS
from scipy.optimize import minimize
from scipy.special import expit

from cancernet.context.judge import GROUPS
from cancernet.measures.calibration import PRIOR_PATIENTS, expected_calibration_error
from cancernet.measures.decisions import both_classes, log_odds
from cancernet.runs.run_folder import Run

MEASURES = ("log loss", "Brier score", "ECE", "mean - share")


@dataclasses.dataclass(frozen=True)
class Scores:
    """Testing patches in one form: (n,) patient, truth, probability, neighbours."""

    patient: np.ndarray
    truth: np.ndarray
    score: np.ndarray
    neighbours: np.ndarray


def main() -> None:
    arguments = parse_arguments(__doc__.splitlines()[0])
    found: dict[str, list[Scores]] = defaultdict(list)
    for fold, run in finished_runs(arguments):
        validation, testing = (
            read(run.folder / name) for name in ("validation_predictions.csv", "predictions.csv")
        )
        share = run.record.dataset.counts["training"]
        expected = np.log(share.positives / (share.images - share.positives))
        for name, temperature, offset in forms(raw(run, validation), validation, expected):
            print(f"fold {fold}, {name}: T = {temperature:.3f}, b = {offset:+.3f}", flush=True)
            for way, judged in judge(run, testing, temperature, offset):
                found[f"{name}, {way}"].append(Scores(testing.patients, testing.truth, *judged))
    pooled = {
        name: Scores(*(np.concatenate([getattr(one, f.name) for one in runs])
                       for f in dataclasses.fields(Scores)))
        for name, runs in found.items()
    }  # fmt: skip
    print_figures(pooled, arguments)


def raw(run: Run, patches: Patches) -> np.ndarray:
    """Returns the log odds of the network itself: the run's own correction undone."""
    return log_odds(run.calibration.undo(both_classes(patches.probability, 1))[:, 1])


def forms(
    odds: np.ndarray, validation: Patches, expected: float
) -> Iterator[tuple[str, float, float]]:
    """Yields name, temperature and offset of every form."""
    patients = len(np.unique(validation.patients))
    trust = patients / (patients + PRIOR_PATIENTS)
    sign = np.where(validation.truth == 1, 1.0, -1.0)

    def fit(corrected: Callable[..., np.ndarray], start: list[float]) -> np.ndarray:
        return minimize(lambda values: np.logaddexp(0, -sign * corrected(*values)).mean(), start).x

    (cold,) = trust * fit(lambda cold: odds * np.exp(-cold), [0.0])
    yield "temperature", np.exp(cold), 0.0
    yield "the same, weights out", np.exp(cold), expected
    (cold,) = trust * fit(lambda cold: (odds + expected) * np.exp(-cold), [0.0])
    yield "weights out, temperature", np.exp(cold), expected * np.exp(-cold)
    (cold,) = trust * fit(lambda cold: odds * np.exp(-cold) + expected, [0.0])
    yield "temperature, weights out", np.exp(cold), expected
    cold, offset = fit(lambda cold, offset: odds * np.exp(-cold) + offset, [0.0, 0.0])
    yield "temperature and offset", np.exp(trust * cold), trust * offset
    yield "both", np.exp(trust * cold), expected + trust * (offset - expected)


def judge(
    run: Run, testing: Patches, temperature: float, offset: float
) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    """Yields alone and in context: the testing patches' probabilities and neighbours."""
    scaled = raw(run, testing) / temperature
    context = dataclasses.replace(run.context, even=0.0)
    around = context.judge(expit(scaled), testing.places)
    yield "alone", (expit(scaled + offset), around.neighbours)
    yield "in context", (expit(log_odds(around.probability) + offset), around.neighbours)


def measured(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Returns the `MEASURES`, the last as a distance."""
    inside = np.clip(score, 1e-12, 1 - 1e-12)
    loss = -np.log(np.where(truth == 1, inside, 1 - inside)).mean()
    away = abs(score.mean() - truth.mean())
    return np.array(
        [loss, ((score - truth) ** 2).mean(), expected_calibration_error(truth, score), away]
    )


def print_figures(pooled: dict[str, Scores], arguments: argparse.Namespace) -> None:
    """Prints every form's figures, and its differences from the temperature alone."""
    some = next(iter(pooled.values()))
    dense = np.isin(some.patient, arguments.dense)
    groups = {"sparse": ~dense, "dense": dense, "everyone": ~dense | dense}
    for least, most in GROUPS:
        name = f"{least} neighbours" if least == most else f"{least} to {most} neighbours"
        groups[name] = (some.neighbours >= least) & (some.neighbours <= most)
    for group, chosen in groups.items():
        for way in ("alone", "in context"):
            rows = {name: each for name, each in pooled.items() if name.endswith(way)}
            drawn = draws(some.patient, chosen, each_alone=group == "dense")
            values = {name: figures(each, drawn) for name, each in rows.items()}
            first = next(iter(values.values()))
            share = some.truth[chosen].mean()
            title = f"{group}, {way}: {chosen.sum():,} patches, share of IDC {share:.3f}"
            print(f"\n| {title} | mean score | {' | '.join(MEASURES)} |\n|---|---|---|---|---|---|")
            for name, each in values.items():
                less = each - first
                low, high = np.quantile(less[1:], (0.025, 0.975), axis=0)
                cells = [
                    f"{value:.4f}"
                    + f" ({change:+.4f} [{least:+.4f}, {most:+.4f}])" * bool(less.any())
                    for value, change, least, most in zip(each[0], less[0], low, high, strict=True)
                ]
                form, mean = name.removesuffix(f", {way}"), rows[name].score[chosen].mean()
                print(f"| {form} | {mean:.3f} | {' | '.join(cells)} |")


def draws(patient: np.ndarray, chosen: np.ndarray, *, each_alone: bool) -> list[list[np.ndarray]]:
    """Returns the rows that are judged together, of all patients and then of patients drawn."""
    random, found = np.random.default_rng(1), []
    rows = [np.flatnonzero(chosen & (patient == name)) for name in np.unique(patient[chosen])]
    for draw in range(DRAWS + 1):
        numbers = random.choice(len(rows), len(rows)) if draw else range(len(rows))
        drawn = [rows[number] for number in numbers]
        found.append(drawn if each_alone else [np.concatenate(drawn)])
    return found


def figures(scores: Scores, drawn: list[list[np.ndarray]]) -> np.ndarray:
    """Returns the measures of all patients, then of every draw; (draws + 1, measures)."""
    return np.array(
        [
            np.mean([measured(scores.truth[rows], scores.score[rows]) for rows in together], axis=0)
            for together in drawn
        ]
    )


if __name__ == "__main__":
    main()
