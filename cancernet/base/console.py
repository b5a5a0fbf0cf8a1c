"""What a program shows while it works: the one progress bar, and nothing of TensorFlow's start-up.

The bar is on a terminal, and only where progress is shown at all.
"""

import contextlib
import gc
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

# Keras looks for these and does without: its wrappers for scikit-learn, its galleries of images,
# tables as input. They take longer to import than Keras, and a third of TensorFlow's time.
NOT_NEEDED = ("matplotlib", "pandas", "sklearn")
LOGGED_EVERY = 10.0  # seconds between the lines of a log


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
        total: how many steps there are, where `items` does not tell.
        unit: of the steps, with a space before it.
        done: steps that were done before.
        in_logs: also write a line now and then where there is no terminal.
        leave: whether the bar stays when it is full.
    """
    from tqdm import tqdm

    # In every command, in Python when asked to.
    shown = logging.getLogger("cancernet").isEnabledFor(logging.INFO)
    hidden = None if not in_logs else False  # None: where there is no terminal
    return tqdm(
        items,
        title or None,
        total,
        unit=unit,
        initial=done,
        leave=leave,
        disable=hidden if shown else True,
        mininterval=LOGGED_EVERY if in_logs and not sys.stderr.isatty() else 0.2,
    )


def import_tensorflow_quietly(*, bare: bool = False) -> None:
    """Imports TensorFlow and looks for devices without its messages on stderr.

    TensorFlow's C++ part writes to the process's stderr before it reads its own
    log-level variables, so those variables alone do not silence it. Should the
    import fail, everything that was held back is shown.

    Args:
        bare: leaves out the packages in `NOT_NEEDED` that Keras would import with it, and
            TensorFlow's own warnings, and keeps what there is out of Python's garbage collection.
            For the process of a command: whoever else uses Keras in the same process may need them.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _held_back_stderr(), _hidden(NOT_NEEDED if bare else ()), _uncollected():
        import tensorflow

        tensorflow.config.list_physical_devices()
        import keras  # noqa: F401
    if bare:
        # Its warnings, such as of retraced functions, are for programmers.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        # It stays to the end. Every full collection would look through it in vain.
        gc.freeze()


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Puts off garbage collection: hardly anything that an import makes is garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def _hidden(packages: Sequence[str]) -> Iterator[None]:
    """Makes packages that are not imported yet look uninstalled within the block."""
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: no such module
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


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
        except Exception:  # Ctrl-C is no reason to show them
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
