"""The wrong calls that the network was surest of, with their pictures."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cancernet.measures import scored as scores
from cancernet.measures.scored import Scored
from cancernet.report.content import ReportContent
from cancernet.report.pictures import Picture, small_picture

EACH = 8
MOST_OF_A_PATIENT = EACH // 2
LONGEST_SIDE = 160  # pixels; a page must stay small enough to send


@dataclasses.dataclass(frozen=True, kw_only=True)
class WrongCall:
    """One image on the wrong side of the operating point.

    Attributes:
        path: as the data set names it.
        patient: whose it is.
        score: probability of positive, 0-1.
        positive: whether it is in truth.
    """

    path: str
    patient: str
    score: float
    positive: bool

    @property
    def name(self) -> str:
        """The file's own name."""
        return Path(self.path).name


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShownCall:
    """A wrong call with what can be shown of it: the image, and what the call rested on."""

    call: WrongCall
    pictures: list[Picture]


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorstErrors:
    """The wrong calls of a report: positives missed, and false alarms, the surest first."""

    missed: list[ShownCall]
    alarms: list[ShownCall]


def worst_errors(content: ReportContent) -> WorstErrors | None:
    """Returns the surest wrong calls with their pictures; None where no image is at hand."""
    folder = content.image_folder
    if folder is None:
        return None
    positive = content.assessment.positive_indices
    missed, alarms = surest_wrong(content.testing, positive, content.threshold)

    def shown(call: WrongCall) -> ShownCall:
        heat = content.heat_map(call.path) if content.heat_map is not None else None
        files = [folder / call.path, *([heat] if heat is not None else [])]
        found = [small_picture(file, longest=LONGEST_SIDE) for file in files]
        return ShownCall(call=call, pictures=[picture for picture in found if picture])

    return WorstErrors(missed=list(map(shown, missed)), alarms=list(map(shown, alarms)))


def surest_wrong(
    testing: Scored, positive: list[int], threshold: object, each: int = EACH
) -> tuple[list[WrongCall], list[WrongCall]]:
    """Returns missed positives by rising score and false alarms by falling score.

    Args:
        testing: scored images.
        positive: columns of the positive classes.
        threshold: positive iff score >= threshold; one, or (images,) one for each.
        each: at most so many of either, and at most half of them of one patient.
    """
    truth = scores.positive_truth(testing, positive).astype(bool)
    score = scores.positive_score(testing.probabilities, positive)
    called = score >= np.asarray(threshold)
    missed = np.flatnonzero(truth & ~called)
    alarms = np.flatnonzero(~truth & called)
    missed = missed[np.argsort(score[missed], kind="stable")]
    alarms = alarms[np.argsort(-score[alarms], kind="stable")]

    def calls(places: np.ndarray) -> list[WrongCall]:
        return [
            WrongCall(
                path=testing.paths[place],
                patient=testing.patients[place],
                score=float(score[place]),
                positive=bool(truth[place]),
            )
            for place in _few_a_patient(places, testing.patients, each)
        ]

    return calls(missed), calls(alarms)


def _few_a_patient(places: np.ndarray, patients: Sequence[str], each: int) -> list[int]:
    """The first `each` places, but no more than half of them of one patient."""
    kept: list[int] = []
    taken: Counter[str] = Counter()
    for place in places.tolist():
        taken[patients[place]] += 1
        if taken[patients[place]] <= -(-each // 2):
            kept.append(place)
        if len(kept) == each:
            break
    return kept
