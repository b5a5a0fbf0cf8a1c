"""Scored images: the probabilities of every image, its truth, and what the classes mean."""

import csv
import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.errors import RunError
from cancernet.base.tables import write_table
from cancernet.measures.calls import Calls, check_patients, check_probabilities, check_truth

_COLUMNS = ("path", "patient", "label", "predicted")
PROBABILITY = "probability_"
# Columns of a table in context: how many neighbours were used, and what a patch is alone.
NEIGHBOURS, ALONE = "neighbours", "alone_"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """Images of one split with truth and probabilities, in one order.

    Attributes:
        paths: of the images, as the data set names them.
        patients: name of every image's patient.
        truth: (images,) int64 class indices.
        probabilities: (images, classes) float64, rows adding up to 1. float32 is taken
            and widened once, here, so that file and figures agree to the last digit.
        unlike: how many are unlike the training images; None where that is not known.

    Raises:
        ValueError: lengths that differ, no images, or values out of range.
    """

    paths: Sequence[str]
    patients: Sequence[str]
    truth: np.ndarray
    probabilities: np.ndarray
    unlike: int | None = None

    def __post_init__(self) -> None:
        images, classes = len(self.paths), np.shape(self.probabilities)[-1]
        truth = check_truth(self.truth, classes)
        if len(truth) != images:
            raise ValueError(f"there are {images} paths but {len(truth)} truths")
        check_patients(self.patients, images)
        probabilities = check_probabilities(self.probabilities, images, classes)
        # Frozen for everybody else; this is the one place that fills it.
        object.__setattr__(self, "truth", truth)
        object.__setattr__(self, "probabilities", probabilities)
        object.__setattr__(self, "paths", tuple(str(path) for path in self.paths))
        object.__setattr__(self, "patients", tuple(str(patient) for patient in self.patients))

    def __getitem__(self, places: np.ndarray) -> "Scored":
        """Returns some of the images, in the order of their places."""
        return Scored(
            paths=[self.paths[place] for place in places],
            patients=[self.patients[place] for place in places],
            truth=self.truth[places],
            probabilities=self.probabilities[places],
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Classes:
    """The classes that figures are of.

    Attributes:
        classes: names in the order of the probabilities.
        words: what each class means to a reader, in the same order.
        positive: names of the positive classes, some but not all.

    Raises:
        ValueError: they do not fit each other.
    """

    classes: tuple[str, ...]
    words: tuple[str, ...]
    positive: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.words) != len(self.classes):
            raise ValueError(
                f"{len(self.classes)} classes need as many words, but there are {len(self.words)}"
            )
        positive_indices(self.classes, self.positive)

    @property
    def positive_indices(self) -> list[int]:
        """Columns of the positive classes."""
        return positive_indices(self.classes, self.positive)

    @property
    def positive_word(self) -> str:
        """What positive means to a reader; `positive` when that is several classes."""
        return self._word(positive=True, several="positive")

    @property
    def negative_word(self) -> str:
        """What the rest means to a reader; `the rest` when that is several classes."""
        return self._word(positive=False, several="the rest")

    def calls_of(self, scored: Scored, threshold: Any = 0.5) -> Calls:
        """Returns the calls of positives against the rest at one threshold, or one for each image.

        Raises:
            ValueError: the classes do not fit the probabilities.
        """
        columns = scored.probabilities.shape[1]
        if len(self.classes) != columns:
            raise ValueError(f"{len(self.classes)} classes do not fit {columns} probabilities")
        positive = self.positive_indices
        truth = np.isin(scored.truth, positive)
        score = positive_score(scored.probabilities, positive)
        return Calls(truth, score, threshold, scored.patients)

    @property
    def positive_words(self) -> str:
        """The words of all positive classes."""
        return "; ".join(self.words[index] for index in self.positive_indices)

    def _word(self, *, positive: bool, several: str) -> str:
        named = zip(self.classes, self.words, strict=True)
        words = [word for name, word in named if (name in self.positive) == positive]
        return words[0] if len(words) == 1 else several


def joined(parts: Sequence[Scored]) -> Scored:
    """Returns the images of all parts, one part after the other."""
    return Scored(
        paths=[path for part in parts for path in part.paths],
        patients=[patient for part in parts for patient in part.patients],
        truth=np.concatenate([part.truth for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
        unlike=added_up([part.unlike for part in parts]),
    )


def added_up(counts: Sequence[int | None]) -> int | None:
    """Returns the sum; None where a count is not known."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def positive_indices(classes: Sequence[str], positive: Sequence[str]) -> list[int]:
    """Returns the columns of the positive classes, ascending.

    Raises:
        ValueError: a positive class that is unknown, none, or all of them.
    """
    unknown = [name for name in positive if name not in classes]
    if unknown:
        raise ValueError(f"positive classes {unknown} are not among {list(classes)}")
    found = [index for index, name in enumerate(classes) if name in positive]
    if not 0 < len(found) < len(classes):
        raise ValueError("some but not all classes must be positive")
    return found


def positive_score(probabilities: np.ndarray, positive: list[int]) -> np.ndarray:
    """Adds up the probabilities of the positive classes in class order, at most 1."""
    score = np.zeros(len(probabilities))
    for index in positive:
        score = score + probabilities[:, index]
    return np.minimum(score, 1.0)


def predicted_indices(probabilities: np.ndarray, positive: list[int], threshold: Any) -> np.ndarray:
    """Returns the predicted class of every image, shape (images,).

    Two classes: the positive one iff its probability >= threshold. More: the most
    probable, the first of equals; the threshold then judges positives against the rest.
    """
    if probabilities.shape[1] != 2:
        return probabilities.argmax(axis=1)
    called = positive_score(probabilities, positive) >= threshold
    return np.where(called, positive[0], 1 - positive[0])


def write_scored(
    path: Path,
    scored: Scored,
    *,
    classes: Sequence[str],
    predicted: np.ndarray,
    more: Mapping[str, Sequence[object]] | None = None,
) -> None:
    """Writes `path,patient,label,predicted` and one probability column a class.

    `more` are further columns by name.
    Floats are written so that reading them back gives the same 64 bits, and file names
    that are no valid text (surrogate escapes) as the bytes they are.
    """
    more = more or {}
    columns = [*_COLUMNS, *(PROBABILITY + name for name in classes), *more]
    further = zip(*more.values(), strict=True) if more else itertools.repeat(())
    rows = zip(
        scored.paths,
        scored.patients,
        scored.truth,
        predicted,
        scored.probabilities.tolist(),
        strict=True,
    )
    cells = (
        [image, patient, classes[truth], classes[call], *map(repr, row), *other]
        for (image, patient, truth, call, row), other in zip(rows, further, strict=False)
    )
    write_table(path, columns, cells)


def read_scored(path: Path, *, in_context: bool = False) -> tuple[Scored, tuple[str, ...]]:
    """Reads a `predictions.csv`; returns the scores of its images and the classes in order.

    The scores are those of each image alone, from which scores in context can be computed again;
    `in_context` asks for those in context, where the table has them.

    Raises:
        RunError: there is no such file, or it is not of that form.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            header, *rows = csv.reader(file)
        both = NEIGHBOURS in header
        prefix = f"{ALONE}{PROBABILITY}" if both and not in_context else PROBABILITY
        columns = [place for place, name in enumerate(header) if name.startswith(prefix)]
        if not columns:
            raise ValueError(f"it has no columns {prefix}<class>")
        names = tuple(header[place].removeprefix(prefix) for place in columns)
        index = {name: number for number, name in enumerate(names)}
        scored = Scored(
            paths=[row[0] for row in rows],
            patients=[row[1] for row in rows],
            truth=np.array([index[row[2]] for row in rows]),
            probabilities=np.array([[float(row[place]) for place in columns] for row in rows]),
        )
    except FileNotFoundError:
        raise RunError(f"{path} does not exist; the run is not finished") from None
    except (ValueError, KeyError, IndexError, csv.Error) as error:
        raise RunError(f"{path} is not a table of predictions ({error})") from None
    return scored, names
