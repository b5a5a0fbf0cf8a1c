"""The settings of an evaluation: which images, and how they are judged; checked when made."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cancernet.base.errors import CancerNetError
from cancernet.base.settings import (
    check_setting,
    check_settings,
    columns_setting,
    flag_of,
    labels_setting,
    patient_table_setting,
    setting,
    setting_fields,
)
from cancernet.config import RULES, SPLITS, TrainConfig

# The setting that a rule takes; the other rules take none.
_SETTING_OF = {"sensitivity": "target_sensitivity", "cost": "cost_ratio", "fixed": "threshold"}
_RULE = "another operating point, chosen on the run's stored validation predictions"


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """The settings of one evaluation; the default judges the run's own testing set as scored.

    Raises:
        CancerNetError: a value is out of bounds, or values do not go together.
    """

    data: Path | None = setting(
        None, "labelled images (default: the run's own testing set)", metavar="DIR", common=True
    )
    split: str | None = setting(
        None,
        "split of a built --data (default: testing for the run's own data set, all for any other)",
        choices=(*SPLITS, "all"),
        goes_with="data",
    )
    subgroups: Path | None = setting(
        None,
        "CSV with a column `patient` (or `path`) and others such as site, scanner, age_group",
        metavar="FILE",
        common=True,
    )
    patient_table: Path | None = patient_table_setting("--data", goes_with="data")
    columns: tuple[str, ...] = columns_setting(goes_with="data subgroups")
    labels: tuple[str, ...] = labels_setting(
        goes_with="data", of="label of a table, or name of a folder,"
    )
    prevalence: tuple[float, ...] = setting(
        (),
        "expected share of positives, 0-1: gives the predictive values there",
        least=0,
        most=1,
        metavar="P",
        common=True,
    )
    alone: bool = setting(
        False,
        "judge each patch alone only, also where the run judges in context",
        switch=True,
        common=True,
    )
    rule: str | None = setting(
        None, "rule that chooses it", choices=RULES, group=_RULE, common=True
    )
    target_sensitivity: float | None = setting(
        None,
        "sensitivity that `--rule sensitivity` must reach",
        group=_RULE,
        goes_with="rule",
        metavar="X",
        common=True,
    )
    cost_ratio: float | None = setting(
        None,
        "false alarms that one missed positive costs in `--rule cost`",
        group=_RULE,
        goes_with="rule",
        metavar="X",
    )
    threshold: float | None = setting(
        None, "threshold of `--rule fixed`", group=_RULE, goes_with="rule", metavar="X"
    )

    def __post_init__(self) -> None:
        check_settings(self)
        given = self.rule_settings
        for field in setting_fields(TrainConfig):  # the bounds are those of a training
            if field.name not in given:
                continue
            if field.name != _SETTING_OF.get(str(self.rule)):
                raise CancerNetError(
                    f"{flag_of(field.name)} has no meaning with --rule {self.rule}; leave it out"
                )
            check_setting(field, given[field.name])

    @property
    def rule_settings(self) -> dict[str, float]:
        """The settings of the rule that were given."""
        values = {name: getattr(self, name) for name in _SETTING_OF.values()}
        return {name: value for name, value in values.items() if value is not None}

    def over(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the settings of a training with those of the rule that chooses again."""
        if self.rule is None:
            return settings
        return {**settings, **self.rule_settings, "operating_rule": self.rule}
