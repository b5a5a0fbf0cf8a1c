"""The console: how a person starts a command there, and what a terminal shows of it.

A command is a script of a checkout, or a word of `cancernet`. Colour, lines that fit and the one
progress bar are for terminals: a pipe or a file gets plain text. TensorFlow starts in silence.
"""

import contextlib
import gc
import logging
import os
import re
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm

PROGRAM = "cancernet"
SCRIPTS = {
    "build": "build_dataset.py",
    "train": "train_model.py",
    "predict": "predict.py",
    "evaluate": "evaluate_model.py",
    "tune": "tune_model.py",
    "serve": "serve.py",
}
_ROOT = Path(__file__).resolve().parents[2]

BOLD, RED, YELLOW = "1", "1;31", "33"  # as terminals number them (ECMA-48, SGR)

# Keras looks for these and does without: its wrappers for scikit-learn, its galleries of images,
# tables as input. They take longer to import than Keras, and a third of TensorFlow's time.
NOT_NEEDED = ("matplotlib", "pandas", "sklearn")
LOGGED_EVERY = 10.0  # seconds between the lines of a log


def started_as_command() -> bool:
    """Tells whether this process was started by `cancernet`, which names itself so."""
    return sys.argv[0].startswith(f"{PROGRAM} ")


def typed(command: str) -> str:
    """Returns what to type for a command: `python train_model.py`, or `cancernet train`.

    The latter where this process was started so, and where there is no such script.
    """
    script = SCRIPTS.get(command)
    if script is None or started_as_command() or not (_ROOT / script).is_file():
        return f"{PROGRAM} {command}"
    return f"python {script}"


def install_extra(extra: str) -> str:
    """Returns what to type for the packages of an extra: in a checkout, or away from one."""
    here = (_ROOT / "pyproject.toml").is_file()
    return f'`pip install {"-e " if here else ""}"{"." if here else PROGRAM}[{extra}]"`'


def coloured(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Returns a text in a colour where the stream, stdout by default, is a terminal that has it.

    The variable `NO_COLOR` forbids it (no-color.org).
    """
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if plain or os.name == "nt" or not (stream or sys.stdout).isatty():
        return text
    return f"\033[{colour}m{text}\033[0m"


def fitted(text: str, stream: TextIO | None = None) -> str:
    """Returns a text, without colour, whose long lines are broken where the stream is a terminal.

    Text in backquotes stays whole, so that a command can be copied. In a row of a table only the
    last cell is broken.
    """
    if not (stream or sys.stdout).isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(_broken(line, width) for line in text.split("\n"))


def _broken(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    gap = re.match(r" *\S.* {2,}(?=\S)", line[: width * 2 // 3])
    indent = gap.end() if gap else len(line) - len(line.lstrip()) + 2
    return wrapped(line, width, indent=indent)


def wrapped(text: str, width: int, *, indent: int = 0) -> str:
    """Returns a text in lines of `width` columns; text in backquotes stays whole."""
    whole = re.sub("`[^`]*`", lambda code: re.sub(r"\s", "\0", code[0]), text)
    lines = textwrap.wrap(
        whole, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines).replace("\0", " ")


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
