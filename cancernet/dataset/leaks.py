"""What is in more than one split: patients, or variants of one image.

A leak is a value; `cancernet.dataset.words.say_leaks` makes a sentence of it, last.
"""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from cancernet.base.records import Sparse


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
        kind: what leaks.
        unit: what `count` counts: patient, source, group; or image.
        count: how many are in more than one split.
        total: of how many.
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
