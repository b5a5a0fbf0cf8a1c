"""What one check of an audit concluded, as `audit.json` keeps it and reports show it."""

import dataclasses
import enum


class Verdict(enum.StrEnum):
    """How a check ended; the value is the word that readers and files see."""

    OK = "ok"
    WARNING = "warning"
    LEAK = "LEAK"
    NOT_CHECKABLE = "not checkable"


@dataclasses.dataclass(frozen=True)
class CheckVerdict:
    """The outcome of one check of an audit: its name, the verdict, what was found."""

    name: str
    verdict: Verdict
    sentence: str

    @property
    def leaks(self) -> bool:
        """Whether the check found the same thing in more than one split."""
        return self.verdict is Verdict.LEAK
