"""Both splits of a run in context: their scores, and how the neighbours matter."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np

from cancernet.base.records import Record
from cancernet.catalog.histology import read_place
from cancernet.context.context import Context, log_odds
from cancernet.context.surroundings import Places, surroundings
from cancernet.measures.assess import TESTING, VALIDATION, Assessment, ScoreSet, assess_at
from cancernet.measures.calls import Calls
from cancernet.measures.decisions import OperatingPoint, Rule
from cancernet.measures.operating_point import choose_operating_point

NEIGHBOURS = ((0, 0), (1, 3), (4, 7), (8, 8))  # least and most of a group


@dataclasses.dataclass(frozen=True, kw_only=True)
class NeighbourRow(Record):
    """Testing patches with as many of the eight patches around them.

    Attributes:
        least, most: neighbours that a patch of this group has.
        images, positives: patches.
        expected: mean probability of being positive, 0-1; NaN without patches.
        observed: share that is positive; NaN without patches.
        sensitivity, specificity: at the operating points; NaN without positives or negatives.
    """

    least: int
    most: int
    images: int
    positives: int
    expected: float
    observed: float
    sensitivity: float
    specificity: float


def places_of(paths: Sequence[str], slides: Sequence[str], side: int) -> Places:
    """Reads places off file names.

    Args:
        paths: of patches, with `/`.
        slides: the slide of each.
        side: of a patch, pixels of the slide.
    """
    found = [read_place(PurePosixPath(path).name) for path in paths]
    columns = [-1 if place is None else place.x // side for place in found]
    rows = [-1 if place is None else place.y // side for place in found]
    return Places(slides, np.array(columns, np.int64), np.array(rows, np.int64))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContextAssessment:
    """What a report and `metrics.json` tell of a run in context."""

    assessment: Assessment
    by_neighbours: tuple[NeighbourRow, ...]
    touching: Mapping[str, np.ndarray]  # split -> (n,) neighbours of each patch

    def columns(self, split: str) -> dict[str, Sequence[object]]:
        """Returns what `predictions.csv` adds to the columns of each patch alone."""
        scores = self.assessment
        probabilities = scores.scored[split].probabilities.T.tolist()
        named = zip(scores.classes, probabilities, strict=True)
        return {
            "neighbours": self.touching[split].tolist(),
            "predicted_in_context": [scores.classes[call] for call in scores.predicted(split)],
            **{f"probability_in_context_{name}": list(map(repr, row)) for name, row in named},
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class InContext:
    """Both splits of a run in context.

    Attributes:
        scores: probabilities and operating point in context; a patch without neighbours is
            one alone and keeps the operating point of that case.
        touching: split -> (n,) how many of the eight patches around each are there.
    """

    scores: ScoreSet
    touching: Mapping[str, np.ndarray]

    def assess(self, *, seed: int) -> ContextAssessment:
        """Judges both splits, and testing by the number of neighbours."""
        calls, touching = self.scores.calls(TESTING), self.touching[TESTING]
        return ContextAssessment(
            assessment=assess_at(self.scores, seed=seed),
            by_neighbours=tuple(
                _row(calls, (least <= touching) & (touching <= most), least, most)
                for least, most in NEIGHBOURS
            ),
            touching=self.touching,
        )


def put_in_context(
    alone: ScoreSet, context: Context, places: Mapping[str, Places], choice: Rule | OperatingPoint
) -> InContext:
    """Puts the scores of patches alone in context; for two classes.

    Args:
        alone: the scores of each patch alone, calibrated.
        context: how scores in context are made.
        places: split -> where its patches lie.
        choice: the operating point in context, or the rule that chooses it on validation.
    """
    positive = alone.positive_indices[0]
    scored, lone, touching = {}, {}, {}
    for split, images in alone.scored.items():
        probability = images.probabilities[:, positive]
        around = surroundings(log_odds(probability), places[split])
        found = context.probability(probability, around)
        columns = (found, 1 - found) if positive == 0 else (1 - found, found)
        scored[split] = dataclasses.replace(images, probabilities=np.stack(columns, axis=1))
        lone[split], touching[split] = around.weight == 0, around.touching
    point = choice
    if isinstance(point, Rule):
        point = choose_operating_point(alone.calls_of(scored[VALIDATION]), point)
    thresholds = {
        split: np.where(lone[split], alone.operating_point.threshold, point.threshold)
        for split in scored
    }
    fields = {field.name: getattr(alone, field.name) for field in dataclasses.fields(ScoreSet)}
    fields |= {"scored": scored, "operating_point": point, "thresholds": thresholds}
    return InContext(scores=ScoreSet(**fields), touching=touching)


def _row(calls: Calls, chosen: np.ndarray, least: int, most: int) -> NeighbourRow:
    truth, called = calls.truth[chosen], calls.called[chosen]
    return NeighbourRow(
        least=least,
        most=most,
        images=len(truth),
        positives=int(truth.sum()),
        expected=_mean(calls.score[chosen]),
        observed=_mean(truth),
        sensitivity=_mean(called[truth == 1]),
        specificity=_mean(~called[truth == 0]),
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan
