"""What a reader of any result on a data set must know.

A notice is a value; `cancernet.dataset.words.say_notice` makes a sentence of it, last.
"""

import dataclasses
import enum
from collections.abc import Sequence

from cancernet.base.records import Sparse
from cancernet.catalog.patient_id import Respelled

EXAMPLES = 5


class NoticeKind(enum.StrEnum):
    """What a notice is about; `build.json` holds the values."""

    SAME_NUMBER = "same-number"  # ids in several spellings are one patient
    NO_IMAGES = "no-images"  # a split has no image of a class
    FEW_UNITS = "few-units"  # a class has too few patients for every split
    FEW_IMAGES = "few-images"  # a split has few images of some classes
    TWO_LABELS = "two-labels"  # images that look alike have several labels
    DISPUTED = "disputed"  # images left out because they are there under two labels
    GROUPING = "grouping"  # how reliable the units are
    TRIAL = "trial"  # most images are left out
    SENTENCE = "sentence"  # of a record that knew notices as sentences only

    @property
    def of_splits(self) -> bool:
        """Whether it tells of the set's own splits, and of nothing else."""
        return self in (NoticeKind.NO_IMAGES, NoticeKind.FEW_UNITS, NoticeKind.FEW_IMAGES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Notice(Sparse):
    """One thing that a reader must know; which entries it has depends on its kind.

    Attributes:
        kind: what it is about.
        split: the split that is meant.
        classes: the classes that are meant, as a reader knows them: `0 (no IDC)`.
        counts: images of each of `classes`.
        count: how many groups, images or patients; the limit of a trial.
        unit: what `count` counts.
        splits: those that have images of the class.
        examples: the first few.
        sentence: for `GROUPING` and `SENTENCE`.
    """

    kind: NoticeKind
    split: str = ""
    classes: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    count: int = 0
    unit: str = ""
    splits: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    sentence: str = ""


def notice_respelled(respelled: Sequence[Respelled]) -> list[Notice]:
    """Returns a notice of the patients whose ids occur in several spellings, if there are any."""
    if not respelled:
        return []
    examples = tuple(" and ".join((one.kept, *one.others)) for one in respelled[:EXAMPLES])
    return [Notice(kind=NoticeKind.SAME_NUMBER, count=len(respelled), examples=examples)]
