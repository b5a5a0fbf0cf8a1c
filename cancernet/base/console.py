"""What a program shows while it works: the one progress bar, and nothing of TensorFlow's start-up.

The bar is on a terminal, and only where progress is shown at all.
"""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
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


def import_tensorflow_quietly() -> None:
    """Imports TensorFlow and looks for devices without its messages on stderr.

    TensorFlow's C++ part writes to the process's stderr before it reads its own
    log-level variables, so those variables alone do not silence it. Should the
    import fail, everything that was held back is shown.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _held_back_stderr():
        import tensorflow

        tensorflow.config.list_physical_devices()


@contextlib.contextmanager
def _held_back_stderr() -> Iterator[None]:
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # no stderr at all (a detached service)
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
