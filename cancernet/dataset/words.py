"""Sentences about a built set, made of its values."""

from collections.abc import Callable, Mapping, Sequence

from cancernet.base.words import counted, joined
from cancernet.config import SPLITS
from cancernet.dataset.leaks import Leak, LeakKind
from cancernet.dataset.notices import Notice, NoticeKind

_TOO_GOOD = "so every result is better than it would be for new patients."


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
                "(--include-masks), which spell out the label, and duplicates are kept; this "
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
    lacking = " and ".join(split for split in SPLITS if split not in notice.splits)
    fate = "it is not judged, and the averages over classes leave it out."
    if "testing" in notice.splits:
        fate = "what is measured there about it rests on a single one."
    return (
        f"Class {notice.classes[0]} has only {counted(notice.count, notice.unit)}: it is in "
        f"{' and '.join(notice.splits)}, not in {lacking}, so {fate}"
    )


def _say_few_images(notice: Notice) -> str:
    few = [
        f"{count} of class {name}"
        for name, count in zip(notice.classes, notice.counts, strict=True)
    ]
    return (
        f"{notice.split} has few images, {joined(few)}: what is measured there about them "
        "is uncertain."
    )


_NOTICES: dict[NoticeKind, Callable[[Notice], str]] = {
    NoticeKind.SAME_NUMBER: _say_same_number,
    NoticeKind.NO_IMAGES: lambda notice: (
        f"{notice.split} has no image of class {notice.classes[0]}: what is measured there about "
        "this class is undefined. Change the lists, send unlisted patients there with "
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
        "there under two labels, and nobody knows which is right "
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
    """Returns how the splits were made, after `split`.

    Args:
        split: `patient`, `image`, `lists` or `shipped`.
        unit: what was not split.
        lists: names of the files with the patients.
        ratios: share of each split.
        seed: of the split.
        leaks: whether anything leaks.
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
