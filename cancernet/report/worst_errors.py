"""The wrong calls that the network was surest of, with their pictures."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cancernet.measures.assess import TESTING, ScoreSet
from cancernet.report.content import ReportContent
from cancernet.report.rendering import Picture, small_picture

EACH = 8
MOST_OF_A_PATIENT = EACH // 2
LONGEST_SIDE = 160  # pixels; a page must stay small enough to send


@dataclasses.dataclass(frozen=True, kw_only=True)
class WrongCall:
    """One image on the wrong side of the operating point: its score, 0-1, and whose it is."""

    path: str
    patient: str
    score: float

    @property
    def name(self) -> str:
        """The file's own name."""
        return Path(self.path).name


def surest_wrong(scores: ScoreSet, each: int = EACH) -> tuple[list[WrongCall], list[WrongCall]]:
    """Returns missed testing positives by rising score and false alarms by falling score.

    At most `each` of either, and at most half of them of one patient.
    """
    testing, calls = scores.scored[TESTING], scores.calls()
    positive, score = calls.truth == 1, calls.score
    missed = np.flatnonzero(positive & ~calls.called)
    alarms = np.flatnonzero(~positive & calls.called)

    def surest(places: np.ndarray, order: np.ndarray) -> list[WrongCall]:
        places = places[np.argsort(order[places], kind="stable")]
        return [
            WrongCall(
                path=testing.paths[place],
                patient=testing.patients[place],
                score=float(score[place]),
            )
            for place in _few_a_patient(places, testing.patients, each)
        ]

    return surest(missed, score), surest(alarms, -score)


def pictures_of(content: ReportContent, call: WrongCall) -> list[Picture]:
    """Returns what can be shown of a call: the image, and what the call rested on."""
    assert content.image_folder is not None
    files = [content.image_folder / call.path]
    heat = content.heat_map(call.path) if content.heat_map is not None else None
    files += [heat] if heat is not None else []
    found = [small_picture(file, longest=LONGEST_SIDE) for file in files]
    return [picture for picture in found if picture]


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
