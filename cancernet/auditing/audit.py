"""One audit from beginning to end: every check, on a built set or any folder."""

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cancernet.auditing import name_checks, picture_checks
from cancernet.auditing.checks import LEAK, Check
from cancernet.auditing.inventory import Inventory, read_inventory
from cancernet.base.parallel import Cluster
from cancernet.lookalike.near_duplicates import find_near_duplicates, step_bars
from cancernet.lookalike.pictures import look_at_pictures


@dataclasses.dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        inventory: what was looked at.
        checks: the answers, in a fixed order.
    """

    inventory: Inventory
    checks: list[Check]

    @property
    def leaks(self) -> list[Check]:
        """The checks that found a leak."""
        return [check for check in self.checks if check.verdict is LEAK]


def audit(
    folder: Path,
    *,
    dataset: str | None = None,
    group_by: str = "",
    cluster: Cluster | None = None,
) -> Audit:
    """Audits a folder; nothing in it is changed.

    Args:
        folder: a built set, or any folder of images.
        dataset: name in the catalogue, for the groups of a folder that was not built here.
        group_by: a pattern that names the group in a path, likewise.
        cluster: workers that read the images in place of this machine's processors.

    Raises:
        CancerNetError: there is nothing to audit.
    """
    inventory = read_inventory(folder, dataset=dataset, group_by=group_by)
    # Before there are pictures in memory: names take their share too.
    groups = name_checks.check_groups(inventory)
    families = name_checks.check_families(inventory)
    confounding = name_checks.check_confounding(inventory)
    paths = [os.path.abspath(path) for path in inventory.full_paths()]  # noqa: PTH100, by speed
    with step_bars() as progress:
        pictures = look_at_pictures(
            paths,
            progress=lambda done: progress("reading", done, len(paths)),
            elsewhere=None if cluster is None else _on(cluster),
        )
        matter = picture_checks.pairs_that_matter(inventory)
        pairs = find_near_duplicates(paths, pictures=pictures, apart=matter, progress=progress)
    return Audit(
        inventory,
        [
            groups,
            picture_checks.check_identical(inventory, pictures),
            picture_checks.check_near(inventory, pictures, pairs),
            families,
            picture_checks.check_labels(inventory, pairs),
            picture_checks.check_masks(inventory, pictures),
            picture_checks.check_readable(inventory, pictures),
            confounding,
            picture_checks.check_stain(inventory, pictures),
            name_checks.check_prevalence(inventory),
        ],
    )


def _on(cluster: Cluster) -> Callable[[Callable[[Any], Any], Iterator[Any]], Iterator[Any]]:
    """A cluster as `look_at_pictures` wants it."""

    def elsewhere(function: Callable[[Any], Any], chunks: Iterator[Any]) -> Iterator[Any]:
        done = cluster.in_order(function, chunks, doing=lambda names: f"read {names[0]}")
        return (result for _, result in done)

    return elsewhere
