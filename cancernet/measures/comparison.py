"""Two sets of scores of the same images: paired, with patients resampled."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.records import Written
from cancernet.measures.calls import Calls
from cancernet.measures.intervals import (
    RESAMPLES,
    UNDEFINED,
    draw_weights,
    evidence,
    judge_once,
    judge_weighted,
    spread_of,
    standard_errors,
    strata,
)
from cancernet.measures.metrics import METRICS
from cancernet.measures.remarks import FEW_PATIENTS, Kind, Remark, remark, sentences
from cancernet.measures.scored import Classes, Scored


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """How two runs differ on one testing set.

    Attributes:
        first: metrics of the first run.
        second: metrics of the second.
        difference: second − first.
        limits: (low, high) around every difference; NaN where no spread was seen.
        remarks: what the intervals cannot tell.
    """

    first: dict[str, float]
    second: dict[str, float]
    difference: dict[str, float]
    limits: dict[str, tuple[float, float]]
    patients: int
    resamples: int
    remarks: tuple[Remark, ...] = ()

    @Written
    def notes(self) -> tuple[str, ...]:
        """The remarks in sentences."""
        return sentences(self.remarks)


def compare(
    first: Scored,
    second: Scored,
    classes: Classes,
    *,
    thresholds: tuple[Any, Any],
    resamples: int = RESAMPLES,
    seed: int = 7,
) -> Comparison:
    """Compares two runs, each at its own operating point, with the same drawn patients.

    Args:
        first: testing images as the first run scored them.
        second: the same images as the second run scored them, in any order.
        thresholds: operating points of the first and the second run; each one number, or
            one for every image in that run's order.

    Raises:
        CancerNetError: the two did not score the same images with the same truth.
    """
    order = _order_of(first, second)
    other = np.asarray(thresholds[1])
    calls = (
        classes.calls_of(first, thresholds[0]),
        classes.calls_of(second[order], other[order] if other.ndim else float(other)),
    )
    weights = draw_weights(strata(calls[0]), resamples, seed)
    once = [{name: float(value[0]) for name, value in judge_once(each).items()} for each in calls]
    draws = [judge_weighted(each, weights) for each in calls]
    difference = {name: once[1][name] - once[0][name] for name in METRICS}
    return Comparison(
        first=once[0],
        second=once[1],
        difference=difference,
        limits={
            name: _limits(value, draws[1][name] - draws[0][name], calls[0], name)
            for name, value in difference.items()
        },
        patients=len(calls[0].names),
        resamples=resamples,
        remarks=tuple(_remarks(calls[0], first, second[order])),
    )


def _order_of(first: Scored, second: Scored) -> np.ndarray:
    """Returns the place in `second` of each image of `first`."""
    place = {path: number for number, path in enumerate(second.paths)}
    if len(place) != len(first.paths) or set(place) != set(first.paths):
        shared = len(set(place) & set(first.paths))
        raise CancerNetError(
            f"the two runs were not tested on the same images ({len(first.paths):,} and "
            f"{len(second.paths):,}, {shared:,} in common); evaluate both on one data set"
        )
    order = np.array([place[path] for path in first.paths])
    ordered = second[order]
    if ordered.patients != first.patients or (ordered.truth != first.truth).any():
        raise CancerNetError(
            "the two runs disagree on the label or the patient of some images, so they were "
            "tested on different editions of the data; evaluate both on one data set"
        )
    return order


def _limits(value: float, draws: np.ndarray, calls: Calls, name: str) -> tuple[float, float]:
    """As `intervals.interval_of`, but on the plain scale, within what a difference can be."""
    effective = evidence(calls, name).patients
    spread = spread_of(value, draws, effective)
    if spread is None:
        return UNDEFINED
    reach = standard_errors(effective) * np.std(spread)
    most = 2.0 if name == "mcc" else 1.0
    return max(-most, float(value - reach)), min(most, float(value + reach))


def _remarks(calls: Calls, first: Scored, second: Scored) -> Iterator[Remark]:
    if (first.probabilities == second.probabilities).all():
        yield remark(Kind.SAME_PROBABILITIES)
    if min(calls.patients_by_class) < FEW_PATIENTS:
        yield remark(Kind.FEW_PATIENTS_COMPARED, patients=len(calls.names))
