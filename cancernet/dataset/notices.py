"""Counts, leaks and notices: what a reader of any result on a data set must know.

Leaks and notices are values; `say_leaks` and `say_notice` make sentences of them, last.
"""

import dataclasses
import enum
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cancernet.base.records import Record, Sparse
from cancernet.base.words import counted
from cancernet.config import SPLITS

if TYPE_CHECKING:  # the catalogue has more to load than a prediction needs
    from cancernet.base.patch_name import Respelled

EXAMPLES = 5
FEW = 50  # fewer images of a class than this say little, and the reader should know

_TOO_GOOD = "so every result is better than it would be for new patients."


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitCounts(Record):
    """What one split of a data set holds; `classes` is class -> images."""

    patients: int
    images: int
    positives: int
    classes: Mapping[str, int]

    @classmethod
    def of(
        cls,
        labels: Sequence[int],
        patients: Sequence[Any],
        classes: Sequence[str],
        positive: Sequence[str],
    ) -> "SplitCounts":
        """Counts images by their labels, places in `classes`, and their patients."""
        counts = Counter(labels)
        by_class = {name: counts[place] for place, name in enumerate(classes)}
        positives = sum(by_class[name] for name in positive)
        return cls(
            patients=len(set(patients)), images=len(labels), positives=positives, classes=by_class
        )


class LeakKind(enum.StrEnum):
    """What leaks; `build.json` and `run.json` hold the values."""

    UNITS = "units"  # patients, sources or groups
    BY_IMAGE = "by-image"  # the same, since images were divided without regard to them
    AS_SHIPPED = "as-shipped"  # the same, since the authors divided the set so
    COPIES = "copies"  # families of copies, known by their file names
    MASKS = "masks"  # no leak between splits: masks were taken for images
    SENTENCE = "sentence"  # of a record that knew leaks as sentences only

    @property
    def of_units(self) -> bool:
        """Whether it would not be there with whole units in each split."""
        return self in (LeakKind.UNITS, LeakKind.BY_IMAGE, LeakKind.AS_SHIPPED)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Leak(Sparse):
    """One thing that makes results better than they would be for new patients.

    Attributes:
        unit: what `count` counts: patient, source, group; or image.
        count: how many are in more than one split, of `total`.
        examples: the names of the first few.
        tested: testing images, for `AS_SHIPPED`;
        siblings: those of them whose unit is in training or validation too.
        sentence: of an older record, for `SENTENCE`.
    """

    kind: LeakKind
    unit: str = "patient"
    count: int = 0
    total: int = 0
    examples: tuple[str, ...] = ()
    tested: int = 0
    siblings: int = 0
    sentence: str = ""


def upgraded_leaks(entries: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the entries of a `build.json` with `leaks` as values.

    Version 0.1.0 wrote sentences, each by itself as `leaks` and all together as `leak`.
    """
    leaks, text = entries.get("leaks"), entries.get("leak")
    if not isinstance(leaks, list) or not isinstance(text, str):
        return entries
    if any(not isinstance(each, str) for each in leaks) or (not leaks and not text):
        return entries
    kind, settings = LeakKind.SENTENCE, entries.get("settings")
    # Only where nothing else can be in the sentence may the kind be more exact.
    if len(leaks) == 1 and isinstance(settings, dict) and not settings.get("include_masks"):
        kinds = {"image": LeakKind.BY_IMAGE, "shipped": LeakKind.AS_SHIPPED}
        kind = kinds.get(str(settings.get("split")), kind)
    return {**entries, "leaks": [{"kind": kind.value, "sentence": text}] if text else []}


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
        classes: as a reader knows them: `0 (no IDC)`.
        counts: images of each of `classes`.
        count: how many groups, images or patients; the limit of a trial.
        unit: what `count` counts.
        splits: those that have images of the class.
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

    @property
    def untested(self) -> tuple[str, ...]:
        """The classes of which it says that testing has no image."""
        lacking = self.kind is NoticeKind.NO_IMAGES and self.split == "testing"
        scarce = self.kind is NoticeKind.FEW_UNITS and "testing" not in self.splits
        return self.classes if lacking or scarce else ()


def notice_respelled(respelled: "Sequence[Respelled]") -> list[Notice]:
    """Returns a notice of the patients whose ids occur in several spellings, if there are any."""
    if not respelled:
        return []
    examples = tuple(" and ".join((one.kept, *one.others)) for one in respelled[:EXAMPLES])
    return [Notice(kind=NoticeKind.SAME_NUMBER, count=len(respelled), examples=examples)]


def say_leaks(leaks: Sequence[Leak]) -> str:
    """Returns all leaks as one text; empty when nothing leaks."""
    return " ".join(map(_say_leak, leaks))


def name_leak(leak: Leak) -> str:
    """Returns what is in more than one split, with examples."""
    what = f"{leak.unit}s"
    if leak.kind is LeakKind.COPIES:
        what = "families of copies, by their names,"
    elif leak.sentence or not leak.kind.of_units:
        return _say_leak(leak)
    is_in = "are" if leak.count > 1 else "is"
    hidden = leak.count - len(leak.examples)
    more = f" and {hidden:,} more" if hidden else ""
    return (
        f"{leak.count:,} of {leak.total:,} {what} {is_in} in more than one split: "
        f"{', '.join(leak.examples)}{more}."
    )


def _say_leak(leak: Leak) -> str:
    if leak.sentence:
        return leak.sentence
    straddling = f"{leak.count:,} of {leak.total:,} {leak.unit}s are in more than one"
    match leak.kind:
        case LeakKind.BY_IMAGE:
            return (
                f"LEAK: the images were divided without regard to {leak.unit}s (--split image); "
                f"{straddling} split, {_TOO_GOOD}"
            )
        case LeakKind.AS_SHIPPED:
            return (
                "LEAK: the split is the one that the data set was shipped with; "
                f"{straddling} of its parts, and {leak.siblings:,} of {leak.tested:,} testing "
                f"images have a sibling in training or validation, {_TOO_GOOD}"
            )
        case LeakKind.MASKS:
            return (
                f"MASKS AS IMAGES: {leak.count:,} of {leak.total:,} images are segmentation masks "
                "(--include-masks), which give the label away, and duplicates are kept; this "
                "repeats the fault of a published system, and no result says anything about scans."
            )
        case _:
            return f"LEAK: {name_leak(leak)}"


def say_notice(notice: Notice) -> str:
    """Returns a notice as a sentence."""
    return _NOTICES[notice.kind](notice)


def _say_same_number(notice: Notice) -> str:
    hidden = notice.count - len(notice.examples)
    more = f"; and {hidden:,} more" if hidden else ""
    return f"Ids that are the same number are one patient: {'; '.join(notice.examples)}{more}."


def _say_few_units(notice: Notice) -> str:
    lacking = " or ".join(split for split in SPLITS if split not in notice.splits)
    fate = "it is not judged, and the averages over classes leave it out."
    if "testing" in notice.splits:
        fate = f"its figures rest on a single {notice.unit} there."
    return (
        f"Class {notice.classes[0]} has only {counted(notice.count, notice.unit)}: it is in "
        f"{' and '.join(notice.splits)}, not in {lacking}, so {fate}"
    )


def _say_few_images(notice: Notice) -> str:
    classes = zip(notice.classes, notice.counts, strict=True)
    name, fewest = min(classes, key=lambda one: one[1])
    have = counted(len(notice.classes), "class has", "classes have")
    return (
        f"{have} fewer than {FEW} {notice.split} images (fewest: {name}, {fewest}); "
        "figures of these classes are uncertain."
    )


_NOTICES: dict[NoticeKind, Callable[[Notice], str]] = {
    NoticeKind.SAME_NUMBER: _say_same_number,
    NoticeKind.NO_IMAGES: lambda notice: (
        f"{notice.split} has no image of class {notice.classes[0]}: figures of this class are "
        "undefined there. Change the lists, send unlisted patients there with "
        f"--unlisted {notice.split}, or use --split patient."
    ),
    NoticeKind.FEW_UNITS: _say_few_units,
    NoticeKind.FEW_IMAGES: _say_few_images,
    NoticeKind.TWO_LABELS: lambda notice: (
        f"{counted(notice.count, 'group')} of images that look alike "
        f"{'has' if notice.count == 1 else 'have'} more than one label (first "
        f"{'; '.join(notice.examples)}): one of the labels is wrong, or the images differ in a "
        "way that the comparison does not see."
    ),
    NoticeKind.DISPUTED: lambda notice: (
        f"{counted(notice.count, 'image is', 'images are')} left out because the same image is "
        "there under two labels, and which one is right is unknown "
        f"({'; '.join(notice.examples)})."
    ),
    NoticeKind.GROUPING: lambda notice: notice.sentence,
    NoticeKind.TRIAL: lambda notice: (
        f"--limit {notice.count} leaves out most images: this is a trial, not a result"
    ),
    NoticeKind.SENTENCE: lambda notice: notice.sentence,
}


def say_split(
    split: str,
    unit: str,
    *,
    lists: Sequence[str],
    ratios: Mapping[str, float],
    seed: int,
    leaks: bool,
) -> str:
    """Returns how the splits were made.

    Args:
        split: `patient`, `image`, `lists` or `shipped`.
        unit: what was not split, in a word.
        lists: names of the files with the patients.
        ratios: split -> share of the images.
    """
    if split == "lists":
        return f"by lists of patients: {', '.join(lists)}"
    if split == "shipped":
        return f"as shipped by its authors, validation from its training part by {unit}"
    shares = " / ".join(f"{100 * ratios[name]:g} %" for name in SPLITS)
    if split == "image":
        mark = " (LEAK)" if leaks else ""
        return f"by image, without regard to {unit}s{mark}, {shares}, seed {seed}"
    return f"by {unit}, nearest to {shares}, seed {seed}"
