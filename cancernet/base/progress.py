"""The one progress bar: on a terminal, and only where progress is shown at all."""

import logging
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

LOGGED_EVERY = 10.0  # seconds between the lines of a log


def is_shown() -> bool:
    """Tells whether the program says what it does: in every command, in Python when asked to."""
    return logging.getLogger("cancernet").isEnabledFor(logging.INFO)


def progress_bar(
    items: Iterable[Any] | None = None,
    *,
    title: str = "",
    total: int | None = None,
    unit: str = " images",
    done: int = 0,
    in_logs: bool = False,
    leave: bool = True,
) -> "tqdm[Any]":
    """Returns a bar around what is iterated over, or one to `update`.

    Args:
        items: whose steps are counted.
        title: the stage.
        total: how many steps there are, where `items` does not tell.
        unit: of the steps, with a space before it.
        done: steps that were done before.
        in_logs: also write a line now and then where there is no terminal.
        leave: whether the bar stays when it is full.
    """
    from tqdm import tqdm

    hidden = None if not in_logs else False  # None: where there is no terminal
    return tqdm(
        items,
        title or None,
        total,
        unit=unit,
        initial=done,
        leave=leave,
        disable=hidden if is_shown() else True,
        mininterval=LOGGED_EVERY if in_logs and not sys.stderr.isatty() else 0.2,
    )
