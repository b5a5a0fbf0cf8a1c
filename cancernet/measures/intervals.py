"""Intervals around headline figures: patients are resampled, never patches.

Patches of one patient resemble each other; drawing patches would count the same evidence
many times. A draw is a row of weights, how often each patient was taken, so that no image is
touched twice: counts are one matrix product, areas under curves two running sums (`ranking`).

The bootstrap gives the standard error of the log odds of a figure; the interval is the
figure's log odds ± that many standard errors as Student's t asks, with the *effective*
number of patients n: t(n - 1) · sqrt(n / (n - 1)). Effective is Kish's number,
(Σm)² / Σm² for patients with m images: ten patients of whom one has most of the images
know less than ten alike (Kish 1965; Carter, Schnepel & Steigerwald 2017,
doi:10.1162/REST_a_00639). Log odds keep the limits inside 0-1 and follow the skew near 1.

Percentile and BCa limits were tried first and are too narrow with 30 patients;
`python benchmarks/interval_coverage.py` compares the three on data of known truth.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from cancernet.base.records import Written
from cancernet.measures.calls import Calls
from cancernet.measures.metrics import METRICS, count_metrics, ratio
from cancernet.measures.ranking import Ranking, coarsened, weighted_areas
from cancernet.measures.remarks import FEW_PATIENTS, Kind, Remark, remark, sentences

LEVEL = 0.95
RESAMPLES = 2000
# A metric that is undefined in more draws than this gets no interval.
MOST_UNDEFINED = 0.1
UNDEFINED = (float("nan"), float("nan"))
# Weights held at once, so that a data set where every image is a patient still fits.
BLOCK = 4_000_000

Judged = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Intervals:
    """Intervals of one split.

    Attributes:
        limits: (low, high) for every metric; both NaN where no interval can be given.
        level: share of intervals that cover the truth, 0-1.
        patients: that were resampled.
        remarks: what these intervals cannot tell.
    """

    limits: dict[str, tuple[float, float]]
    level: float
    patients: int
    patients_with_positives: int
    patients_with_negatives: int
    resamples: int
    seed: int
    remarks: tuple[Remark, ...] = ()

    @Written
    def notes(self) -> tuple[str, ...]:
        """The remarks in sentences."""
        return sentences(self.remarks)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """How much a metric rests on.

    Attributes:
        patients: effective number of patients, at least 1; not whole.
        step: smallest distance from 0 and 1 that the images could show.
    """

    patients: float
    step: float


def patient_intervals(calls: Calls, *, resamples: int = RESAMPLES, seed: int = 7) -> Intervals:
    """Bootstraps patients at a threshold that stays as it is."""
    if resamples < 2:
        raise ValueError("resamples must be at least 2")
    limits = limits_of(calls, *bootstrap(calls, resamples, seed))
    negatives, positives = calls.patients_by_class
    return Intervals(
        limits=limits,
        level=LEVEL,
        patients=len(calls.names),
        patients_with_positives=positives,
        patients_with_negatives=negatives,
        resamples=resamples,
        seed=seed,
        remarks=tuple(_remarks(calls, limits)),
    )


def limits_of(calls: Calls, once: Judged, draws: Judged) -> dict[str, tuple[float, float]]:
    """Returns the limits of every metric; the other arguments are those of `bootstrap`."""
    found = {
        name: interval_of(
            float(once[name][0]),
            draws[name],
            evidence(calls, name),
            lowest=-1.0 if name == "mcc" else 0.0,
        )
        for name in METRICS
    }
    if np.isnan([found["sensitivity"][0], found["specificity"][0]]).any():
        # The half without a spread would count as certain: 53 % coverage where it happened.
        found["balanced_accuracy"] = UNDEFINED
    return found


def interval_of(
    value: float, draws: np.ndarray, rests_on: Evidence, *, lowest: float = 0.0
) -> tuple[float, float]:
    """Returns the limits around one figure.

    Args:
        value: the figure itself, from `lowest` to 1.
        draws: (resamples,) the figure in every draw, NaN where undefined.
        rests_on: effective patients and smallest step.
        lowest: the least value the figure can take (-1 for Matthews' coefficient).

    Returns:
        (NaN, NaN) where the figure or too many draws are undefined, and where all draws
        are equal, as when no image was misclassified: no spread was seen, which is not
        certainty.
    """
    defined = spread_of(value, draws, rests_on.patients)
    if defined is None:
        return UNDEFINED
    share, step = (value - lowest) / (1 - lowest), rests_on.step
    if 0 < share < 1:  # a ratio of unequal classes may lie nearer to 0 or 1 than a step
        step = min(step, share / 2, (1 - share) / 2)
    middle = _log_odds(value, lowest, step)
    error = np.std(_log_odds(defined, lowest, step))
    reach = error * standard_errors(rests_on.patients)
    # exp may overflow to inf for hopeless evidence; the limit is then 0 or 1, rightly.
    with np.errstate(over="ignore"):
        low, high = 1 / (1 + np.exp(-np.array([middle - reach, middle + reach])))
    return float(lowest + (1 - lowest) * low), float(lowest + (1 - lowest) * high)


def spread_of(value: float, draws: np.ndarray, patients: float) -> np.ndarray | None:
    """Returns the draws where the figure is defined; None where they give no interval."""
    defined = draws[~np.isnan(draws)]
    too_few = len(defined) < max(2, (1 - MOST_UNDEFINED) * len(draws))
    if np.isnan(value) or too_few or np.ptp(defined) == 0 or patients <= 1:
        return None
    return defined


def standard_errors(patients: float) -> float:
    """Returns how many standard errors an interval reaches, given the effective patients."""
    from scipy.special import stdtrit

    return float(stdtrit(patients - 1, (1 + LEVEL) / 2) * np.sqrt(patients / (patients - 1)))


def evidence(calls: Calls, name: str) -> Evidence:
    """Returns what a metric rests on: all patients, those with positives, or with negatives.

    What needs both classes rests on the less informative of the two.
    """
    images = calls.positives + calls.negatives
    if name in ("accuracy", "brier"):
        return Evidence(patients=effective_patients(images), step=0.5 / images.sum())
    if name in ("sensitivity", "specificity"):
        of_class = calls.positives if name == "sensitivity" else calls.negatives
        return Evidence(patients=effective_patients(of_class), step=0.5 / max(of_class.sum(), 1.0))
    positives, negatives = max(calls.positives.sum(), 1.0), max(calls.negatives.sum(), 1.0)
    fewer = min(effective_patients(calls.positives), effective_patients(calls.negatives))
    steps = {
        "roc_auc": positives * negatives,  # an area counts pairs
        # One negative above the last positive, and nothing else wrong: 1 - 1 / (P (P + 1)).
        "pr_auc": positives * (positives + 1),
    }.get(name, min(positives, negatives))  # a ratio of the confusion matrix counts images
    return Evidence(patients=fewer, step=0.5 / steps)


def effective_patients(images: np.ndarray) -> float:
    """Returns Kish's effective number of patients from the images of each; 0 for none."""
    total = images.sum()
    return float(total**2 / (images**2).sum()) if total > 0 else 0.0


def _log_odds(value: Any, lowest: float, step: float) -> Any:
    share = np.clip((value - lowest) / (1 - lowest), step, 1 - step)
    return np.log(share) - np.log1p(-share)


def _remarks(calls: Calls, limits: dict[str, tuple[float, float]]) -> Iterator[Remark]:
    negatives, positives = calls.patients_by_class
    if min(positives, negatives) < FEW_PATIENTS:
        yield remark(
            Kind.FEW_PATIENTS,
            patients=len(calls.names),
            with_positives=positives,
            with_negatives=negatives,
            level=LEVEL,
        )
    without = tuple(name for name, pair in limits.items() if np.isnan(pair[0]))
    if without:
        yield remark(Kind.NO_INTERVAL, figures=without)


def bootstrap(calls: Calls, resamples: int, seed: int) -> tuple[Judged, Judged]:
    """Judges all patients once, (1,) of every metric, and in every draw, (resamples,)."""
    weights = draw_weights(strata(calls), resamples, seed)
    return judge_once(calls), judge_weighted(calls, weights)


def judge_once(calls: Calls) -> Judged:
    """Judges all patients, each counted once; arrays of shape (1,)."""
    return _judge_block(calls, np.ones((1, len(calls.names)), np.int64), calls.ranking)


def judge_weighted(calls: Calls, weights: np.ndarray) -> Judged:
    """Judges every weighting of the patients: an array of (weightings,) for every metric.

    `weights` are (weightings, patients), how often each counts, whole numbers. Areas are those of
    the `coarsened` ranking: take them for the spread, and `judge_once` for the figure.
    """
    rows, ranking = max(1, BLOCK // len(calls.names)), coarsened(calls.ranking)
    parts = [
        _judge_block(calls, weights[start : start + rows], ranking)
        for start in range(0, len(weights), rows)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def strata(calls: Calls) -> np.ndarray:
    """Returns for every patient the group within which it is drawn, shape (patients,).

    Where every patient has images of one class only, the share of positive patients was
    fixed by whoever collected them, and a draw keeps it. Otherwise there is one group.
    """
    positive = calls.positives > 0
    mixed = positive & (calls.negatives > 0)
    return np.zeros(len(mixed), np.int64) if mixed.any() else positive.astype(np.int64)


def draw_weights(group: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Draws patients with replacement, within their groups, (patients,).

    Returns:
        (resamples, patients) how often each patient was drawn, small whole numbers.
    """
    generator = np.random.default_rng(seed)
    weights = np.zeros((resamples, len(group)), np.uint16)
    for value in np.unique(group):
        members = np.flatnonzero(group == value)
        size = len(members)
        rows = max(1, BLOCK // size)
        for start in range(0, resamples, rows):
            count = min(rows, resamples - start)
            drawn = generator.integers(0, size, size=(count, size))
            drawn += size * np.arange(count)[:, np.newaxis]
            times = np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size)
            weights[start : start + count, members] = times
    return weights


def _judge_block(calls: Calls, weights: np.ndarray, ranking: Ranking) -> Judged:
    real = weights.astype(np.float64)
    tn, fp, fn, tp = (real @ calls.counts).T
    found = count_metrics(tn, fp, fn, tp)
    found["roc_auc"], found["pr_auc"] = weighted_areas(ranking, calls.patient_index, weights)
    found["brier"] = ratio(real @ calls.squares, tn + fp + fn + tp)
    return found
