"""Puts both splits of a run in context, and measures what the neighbours change."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from cancernet.base.patch_name import read_place
from cancernet.base.records import Record
from cancernet.config import SPLITS
from cancernet.context.context import Context, operating_points
from cancernet.context.neighbours import Places
from cancernet.measures.assess import (
    TESTING,
    VALIDATION,
    Assessment,
    FoldScores,
    ScoreSet,
    assess_at,
    pool,
)
from cancernet.measures.calls import Calls
from cancernet.measures.comparison import Comparison, compare
from cancernet.measures.decisions import OperatingPoint, Rule, both_classes
from cancernet.measures.operating_point import choose_operating_point
from cancernet.measures.scored import ALONE, NEIGHBOURS, PROBABILITY, Scored

GROUPS = ((0, 0), (1, 3), (4, 7), (8, 8))  # least and most neighbours


@dataclasses.dataclass(frozen=True, kw_only=True)
class NeighbourRow(Record):
    """Testing patches grouped by how many of the eight patches around them are there.

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
        side: of a patch, pixels of the slide.
    """
    return Places.at([read_place(path) for path in paths], slides, side)


def slides_of(paths: Sequence[str], patients: Sequence[str]) -> list[str]:
    """Names the slide of every patch: its patient and, where the path begins with it, its split.

    Where the patient is not known and the path stands for it, the file name tells the slide.
    """
    slides = []
    for path, patient in zip(paths, patients, strict=True):
        split = path.partition("/")[0]
        place = read_place(path) if patient == path else None
        whose = patient if place is None else place.patient
        slides.append(f"{split}/{whose}" if split in SPLITS else whose)
    return slides


def places_in(scored: Scored, side: int) -> Places:
    """Reads where the patches of a split lie; `side` is that of a patch, pixels of the slide."""
    return places_of(scored.paths, slides_of(scored.paths, scored.patients), side)


@dataclasses.dataclass(frozen=True, kw_only=True)
class InContext:
    """Both splits of a run in context.

    Attributes:
        alone: the scores of each patch alone.
        scores: probabilities and operating point in context; a patch without neighbours is
            one alone and keeps the operating point of that case.
        touching: split -> (n,) how many of the eight patches around each are there.
        contexts: how the scores were made; of pooled folds one for each.
        slide_points: testing patient -> the operating point of its slide, where that has its own.
        folds: of a cross-validation, in context.
        alone_folds: the same folds, each patch alone.
    """

    alone: ScoreSet
    scores: ScoreSet
    touching: Mapping[str, np.ndarray]
    contexts: tuple[Context, ...]
    slide_points: Mapping[str, float] = dataclasses.field(default_factory=dict)
    folds: tuple[FoldScores, ...] = ()
    alone_folds: tuple[FoldScores, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContextAssessment(InContext):
    """The facts about a run in context besides its figures.

    Attributes:
        alone: the scores of each patch alone and their figures.
        by_neighbours: testing in context by the number of neighbours.
        difference: in context minus alone, of the same patches, with patients resampled.
    """

    alone: Assessment
    by_neighbours: tuple[NeighbourRow, ...]
    difference: Comparison

    def columns(self, split: str) -> dict[str, Sequence[object]]:
        """Returns what `predictions.csv` adds to the columns in context."""
        classes, alone = self.alone.classes, self.alone.scored[split].probabilities.T.tolist()
        return {
            NEIGHBOURS: self.touching[split].tolist(),
            f"{ALONE}predicted": [classes[call] for call in self.alone.predicted(split)],
            **{
                f"{ALONE}{PROBABILITY}{name}": list(map(repr, row))
                for name, row in zip(classes, alone, strict=True)
            },
        }


def assess_in_context(judged: InContext, *, seed: int) -> ContextAssessment:
    """Judges each patch alone, testing by the number of neighbours, and the difference."""
    alone, scores = judged.alone, judged.scores
    calls, touching = scores.calls(TESTING), judged.touching[TESTING]
    facts = vars(judged) | {"alone": assess_at(alone, seed=seed)}
    return ContextAssessment(
        **facts,
        difference=compare(
            alone.scored[TESTING],
            scores.scored[TESTING],
            alone,
            thresholds=(alone.threshold(), scores.threshold()),
            seed=seed,
        ),
        by_neighbours=tuple(
            _row(calls, (least <= touching) & (touching <= most), least, most)
            for least, most in GROUPS
        ),
    )


def assess_judged(
    judged: ScoreSet | InContext, *, seed: int
) -> tuple[Assessment, ContextAssessment | None]:
    """Judges both splits at operating points that stay as they are.

    Returns:
        The figures, and the further facts about those in context; None for patches alone.
    """
    if isinstance(judged, ScoreSet):
        return assess_at(judged, seed=seed), None
    return assess_at(judged.scores, seed=seed), assess_in_context(judged, seed=seed)


def put_in_context(
    alone: ScoreSet, context: Context, choice: Rule | OperatingPoint, *, side: int
) -> InContext | None:
    """Puts the scores of patches alone in context; for two classes.

    Args:
        alone: the scores of each patch alone, calibrated.
        context: how scores in context are made.
        choice: the operating point in context, or the rule that chooses it on validation.
        side: of a patch, pixels of the slide.

    Returns:
        The scores in context; None where no testing image has a place.
    """
    places = {split: places_in(images, side) for split, images in alone.scored.items()}
    if not places[TESTING].known:
        return None
    positive = alone.positive_indices[0]
    scored, found, touching = {}, {}, {}
    for split, images in alone.scored.items():
        probability = images.probabilities[:, positive]
        judged = context.judge(probability, places[split])
        probabilities = both_classes(judged.probability, positive)
        scored[split] = dataclasses.replace(images, probabilities=probabilities)
        found[split], touching[split] = judged, judged.neighbours
    point = choice
    if isinstance(point, Rule):
        rule = alone.calibration.expecting(point, alone.positive_indices)
        point = choose_operating_point(alone.calls_of(scored[VALIDATION]), rule)
    thresholds, slide_points = {}, {}
    for split, judged in found.items():
        thresholds[split], own = operating_points(
            context,
            judged,
            places[split],
            alone=alone.operating_point.threshold,
            chosen=point.threshold,
        )
        patients = np.asarray(alone.scored[split].patients)[own].tolist()
        slide_points[split] = dict(zip(patients, thresholds[split][own].tolist(), strict=True))
    scores = dataclasses.replace(alone, scored=scored, operating_point=point, thresholds=thresholds)
    return InContext(
        alone=alone,
        scores=scores,
        touching=touching,
        contexts=(context,),
        slide_points=slide_points[TESTING],
    )


def pool_in_context(folds: Mapping[str, InContext]) -> InContext:
    """Puts all folds of a cross-validation together, each with its own context.

    Args:
        folds: name -> the fold in context.
    """
    alone = [FoldScores(**vars(fold.alone), name=name) for name, fold in folds.items()]
    around = [FoldScores(**vars(fold.scores), name=name) for name, fold in folds.items()]
    return InContext(
        alone=pool(alone),
        scores=pool(around),
        touching={
            split: np.concatenate([fold.touching[split] for fold in folds.values()])
            for split in (VALIDATION, TESTING)
        },
        contexts=tuple(context for fold in folds.values() for context in fold.contexts),
        slide_points={k: v for fold in folds.values() for k, v in fold.slide_points.items()},
        folds=tuple(around),
        alone_folds=tuple(alone),
    )


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
