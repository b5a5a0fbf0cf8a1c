"""Sentences about a built set, made of its values."""

from collections.abc import Sequence

from cancernet.dataset.leaks import Leak, LeakKind

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
