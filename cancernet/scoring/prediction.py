"""The score of an image, and the prediction that the run's operating point makes of it."""

import dataclasses
import enum
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cancernet.runs.run_folder import Run
from cancernet.scoring.inputs import is_named_like_mask


class Side(enum.StrEnum):
    """A side of the operating point, where there are more than two classes."""

    NEGATIVE = "negative"
    POSITIVE = "positive"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """The prediction for one image.

    `label` is the predicted class: for two classes by the operating point, for more the
    most probable one.
    """

    path: str  # as it was given
    label: str
    word: str  # what that class means to a reader
    probability: float  # of that class, 0-1
    probabilities: dict[str, float]  # class -> probability; they add up to 1
    positive_probability: float  # sum over the positive classes
    positive: bool | None  # whether that reaches the operating point; None without one
    operating_point: float | None  # None if not chosen on data
    call: str | None  # what that says: one of two classes, or a `Side` of more; None without one
    # Whether it is unlike the training images; None if the run cannot tell.
    unlike_training: bool | None = None
    named_like_mask: bool = False

    @property
    def in_context(self) -> bool:
        """Whether neighbours changed the answer."""
        return False


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictionInContext(Prediction):
    """The prediction for one image by a run that judges patches with their neighbours.

    All other fields are those of the case that answered: in context where the patch has
    neighbours, else alone.
    """

    neighbours: int | None  # how many of the eight patches around it are there; None: no place
    alone_probabilities: dict[str, float]  # class -> probability, the patch alone
    slide_point: bool  # whether the operating point is the slide's own

    @property
    def in_context(self) -> bool:  # noqa: D102
        return bool(self.neighbours) or self.probabilities != self.alone_probabilities


@dataclasses.dataclass(frozen=True)
class Failure:
    """An image that could not be scored, and why in a sentence."""

    path: str
    error: str


class Score(NamedTuple):
    """The score of one image; see `Prediction`."""

    probabilities: np.ndarray  # (classes,)
    unlike_training: bool | None = None


Scored = tuple[str | Path, Score | Failure]


class Judged(NamedTuple):
    """A patch in context, or the columns of many.

    Attributes:
        probabilities: (classes,); those alone where nothing is within reach.
        neighbours: how many of the eight around it are there.
        slide_point: whether that is the slide's own.
    """

    probabilities: np.ndarray
    neighbours: Any
    point: Any
    slide_point: Any


def interpret(run: Run, path: str, score: Score, threshold: float) -> Prediction:
    """Makes the prediction for an image.

    Args:
        path: of the image, as it was given.
        score: of the image, its probabilities in the run's order of classes.
        threshold: the operating point; NaN without one.
    """
    return Prediction(**_facts(run, path, score, threshold))


def interpret_in_context(
    run: Run, path: str, alone: Score, judged: Judged, *, placed: bool
) -> PredictionInContext:
    """Makes the prediction for a patch that was put in context.

    Args:
        run: one that judges in context.
        path: of the image, as it was given.
        placed: whether its name tells a place.
    """
    score = Score(judged.probabilities, alone.unlike_training)
    return PredictionInContext(
        **_facts(run, path, score, float(judged.point)),
        neighbours=int(judged.neighbours) if placed else None,
        alone_probabilities=dict(zip(run.classes, alone.probabilities.tolist(), strict=True)),
        slide_point=bool(judged.slide_point),
    )


def interpreted(run: Run, scored: Iterable[Scored]) -> Iterator[Prediction | Failure]:
    """Makes predictions of scores, by the run's operating point."""
    point = run.threshold
    for path, found in scored:
        yield found if isinstance(found, Failure) else interpret(run, str(path), found, point)


def _facts(run: Run, path: str, score: Score, threshold: float) -> dict[str, Any]:
    row, positives = score.probabilities.tolist(), run.positive_columns
    positive_probability = sum(row[index] for index in positives)
    chosen = not math.isnan(threshold)
    positive = positive_probability >= threshold
    index = row.index(max(row))
    call: str = Side.POSITIVE if positive else Side.NEGATIVE
    if len(row) == 2 and chosen:
        index = positives[0] if positive else 1 - positives[0]
        call = run.classes[index]
    return {
        "path": path,
        "label": run.classes[index],
        "word": run.words[index],
        "probability": row[index],
        "probabilities": dict(zip(run.classes, row, strict=True)),
        "positive_probability": positive_probability,
        "positive": positive if chosen else None,
        "operating_point": threshold if chosen else None,
        "call": call if chosen else None,
        "unlike_training": score.unlike_training,
        "named_like_mask": is_named_like_mask(path),
    }
