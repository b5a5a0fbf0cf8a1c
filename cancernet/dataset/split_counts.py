"""What one split of a data set holds, as `build.json` and `run.json` say it."""

import dataclasses
from collections.abc import Mapping

from cancernet.base.records import Record


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitCounts(Record):
    """What one split holds; `classes` is class -> images."""

    patients: int
    images: int
    positives: int
    classes: Mapping[str, int]
