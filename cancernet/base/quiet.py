"""Imports TensorFlow and Keras: without messages on the screen, and without what is not needed."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence

# Keras looks for these and does without: its wrappers for scikit-learn, its galleries of images,
# tables as input. They take longer to import than Keras, and a third of TensorFlow's time.
NOT_NEEDED = ("matplotlib", "pandas", "sklearn")


def import_tensorflow_quietly(*, bare: bool = False) -> None:
    """Imports TensorFlow and looks for devices without its messages on stderr.

    TensorFlow's C++ part writes to the process's stderr before it reads its own
    log-level variables, so those variables alone do not silence it. Should the
    import fail, everything that was held back is shown.

    Args:
        bare: leaves out the packages in `NOT_NEEDED` that Keras would import with it. For the
            process of a command: whoever else uses Keras in the same process may need them.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _held_back_stderr(), _hidden(NOT_NEEDED if bare else ()):
        import tensorflow

        tensorflow.config.list_physical_devices()
        import keras  # noqa: F401


@contextlib.contextmanager
def _hidden(packages: Sequence[str]) -> Iterator[None]:
    """Lets packages that are not imported yet seem not installed, as long as the block lasts."""
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
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
