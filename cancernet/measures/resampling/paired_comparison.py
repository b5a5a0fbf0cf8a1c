"""Two runs on the same testing images: paired, with patients resampled."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.measures import scored as scores
from cancernet.measures.remarks import FEW_PATIENTS, Kind, Remark, remark
from cancernet.measures.resampling.bootstrap import (
    METRICS,
    PatientSums,
    draw_weights,
    judge_weighted,
    patient_sums,
    strata,
)
from cancernet.measures.resampling.intervals import (
    LEVEL,
    RESAMPLES,
    evidence,
    spread_of,
    standard_errors,
)
from cancernet.measures.scored import Scored
from cancernet.measures.words import sentences


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """How two runs differ on one testing set.

    Attributes:
        first: metrics of the first run.
        second: metrics of the second.
        difference: second − first.
        limits: (low, high) around every difference; NaN where no spread was seen.
        patients: that were resampled.
        resamples: number of draws.
        remarks: what the intervals cannot tell.
        notes: the same in sentences.
    """

    first: dict[str, float]
    second: dict[str, float]
    difference: dict[str, float]
    limits: dict[str, tuple[float, float]]
    patients: int
    resamples: int
    remarks: tuple[Remark, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.notes:
            object.__setattr__(self, "notes", sentences(self.remarks))


def compare(
    first: Scored,
    second: Scored,
    *,
    positive: list[int],
    thresholds: tuple[Any, Any],
    resamples: int = RESAMPLES,
    seed: int = 7,
) -> Comparison:
    """Compares two runs, each at its own operating point, with the same drawn patients.

    Args:
        first: testing images as the first run scored them.
        second: the same images as the second run scored them, in any order.
        positive: columns of the positive classes.
        thresholds: operating points of the first and the second run; each one number, or
            one for every image in that run's order.
        resamples: bootstrap draws.
        seed: of the draws.

    Raises:
        CancerNetError: the two did not score the same images with the same truth.
    """
    second, order = _in_order_of(first, second)
    other = np.asarray(thresholds[1])
    thresholds = (thresholds[0], other[order] if other.ndim else float(other))
    truth = scores.positive_truth(first, positive)
    sums = [
        patient_sums(
            truth, scores.positive_score(run.probabilities, positive), threshold, run.patients
        )
        for run, threshold in zip((first, second), thresholds, strict=True)
    ]
    everybody = np.ones((1, len(sums[0].counts)), np.int64)
    weights = draw_weights(strata(sums[0]), resamples, seed)
    once = [judge_weighted(run, everybody) for run in sums]
    draws = [judge_weighted(run, weights) for run in sums]
    difference = {name: float(once[1][name][0] - once[0][name][0]) for name in METRICS}
    limits = {
        name: _limits(difference[name], draws[1][name] - draws[0][name], sums, name)
        for name in METRICS
    }
    return Comparison(
        first={name: float(once[0][name][0]) for name in METRICS},
        second={name: float(once[1][name][0]) for name in METRICS},
        difference=difference,
        limits=limits,
        patients=everybody.shape[1],
        resamples=resamples,
        remarks=tuple(_remarks(sums[0], first, second)),
    )


def _in_order_of(first: Scored, second: Scored) -> tuple[Scored, np.ndarray]:
    place = {path: number for number, path in enumerate(second.paths)}
    if len(place) != len(first.paths) or set(place) != set(first.paths):
        shared = len(set(place) & set(first.paths))
        raise CancerNetError(
            f"the two runs were not tested on the same images ({len(first.paths):,} and "
            f"{len(second.paths):,}, {shared:,} in common); evaluate both on one data set"
        )
    order = np.array([place[path] for path in first.paths])
    ordered = Scored(
        paths=first.paths,
        patients=[second.patients[number] for number in order],
        truth=second.truth[order],
        probabilities=second.probabilities[order],
    )
    if ordered.patients != first.patients or (ordered.truth != first.truth).any():
        raise CancerNetError(
            "the two runs disagree on the label or the patient of some images, so they were "
            "tested on different editions of the data; evaluate both on one data set"
        )
    return ordered, order


def _limits(
    value: float, draws: np.ndarray, sums: list[PatientSums], name: str
) -> tuple[float, float]:
    """As `intervals.interval_of`, but on the plain scale: differences may be negative."""
    effective = evidence(sums[0], name).patients
    spread = spread_of(value, draws, effective)
    if spread is None:
        return float("nan"), float("nan")
    reach = standard_errors(effective, LEVEL) * np.std(spread)
    return float(value - reach), float(value + reach)


def _remarks(sums: PatientSums, first: Scored, second: Scored) -> Iterator[Remark]:
    if (first.probabilities == second.probabilities).all():
        yield remark(Kind.SAME_PROBABILITIES)
    if min((sums.positives > 0).sum(), (sums.negatives > 0).sum()) < FEW_PATIENTS:
        yield remark(Kind.FEW_PATIENTS_COMPARED, patients=len(sums.counts))
