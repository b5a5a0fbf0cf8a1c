"""An operating point as a record: light to load, since every prediction reads one."""

import dataclasses

from cancernet.measures.remarks import Kind, Remark
from cancernet.measures.words import CHOSEN, GIVEN, sentences


@dataclasses.dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A threshold (positive iff score >= threshold) and what it promised on validation.

    Attributes:
        threshold: 0-1.
        rule: the rule in words.
        rule_name: one of `cancernet.config.RULES`.
        sensitivity: on validation; NaN without positives.
        specificity: on validation; NaN without negatives.
        images: of the validation set.
        patients: of the validation set, or None when not known.
        remarks: what a reader must know about this choice.
        note: the same in sentences, for readers of the record.
        chosen_on: "validation", or None for a threshold that was given.
    """

    threshold: float
    rule: str
    rule_name: str
    sensitivity: float
    specificity: float
    images: int
    patients: int | None
    remarks: tuple[Remark, ...] = ()
    note: str = ""
    chosen_on: str | None = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        chosen_on = None if self.rule_name == "fixed" else "validation"
        object.__setattr__(self, "chosen_on", chosen_on)
        if not self.note:
            object.__setattr__(self, "note", " ".join(sentences(self.remarks)))

    @property
    def origin(self) -> str:
        """Where the threshold is from, in words."""
        return GIVEN if self.chosen_on is None else CHOSEN

    @property
    def is_fallback(self) -> bool:
        """Whether 0.5 stands in because validation had one class only."""
        return any(each.kind == Kind.VALIDATION_OF_ONE_CLASS for each in self.remarks)
