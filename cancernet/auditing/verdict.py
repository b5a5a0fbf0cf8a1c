"""The answer of one check."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from cancernet.base.verdicts import Verdict

OK, WARNING, LEAK, NOT_CHECKABLE = Verdict


@dataclasses.dataclass(frozen=True)
class Finding:
    """Images that a check objects to.

    Attributes:
        places: places of the images in the inventory; empty when it is about something else.
        words: what is wrong with them.
        paths: of images that are not in the inventory.
    """

    places: tuple[int, ...]
    words: str
    paths: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Check:
    """One check: what was looked at, and what came of it.

    Attributes:
        name: of the check.
        verdict: how it ended.
        sentence: what was found, in one sentence.
        findings: the objections one by one, the worst first.
        numbers: figures by name.
        table: heading and rows, for a check that has one.
    """

    name: str
    verdict: Verdict
    sentence: str
    findings: Sequence[Finding] = ()
    numbers: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    table: tuple[Sequence[str], Sequence[Sequence[Any]]] | None = None
