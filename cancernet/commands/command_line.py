"""What every command shares: flags from settings, errors as sentences."""

import argparse
import contextlib
import dataclasses
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from cancernet.base.errors import (
    EXIT_INTERRUPTED,
    EXIT_NOTHING_DONE,
    CancerNetError,
    describe_os_error,
)
from cancernet.base.settings import flag_of, kind_of, setting_fields

METAVARS = {int: "N", float: "X", str: "NAME", Path: "PATH"}


class Parser(argparse.ArgumentParser):
    """An argument parser that keeps the layout of its description and reports errors briefly."""

    def __init__(self, description: str | None) -> None:
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def error(self, message: str) -> NoReturn:
        """Says what is wrong in one line instead of listing every flag."""
        raise SystemExit(complain(f"{message}; see {self.prog} --help", EXIT_NOTHING_DONE))


def run(main: Callable[[], int]) -> None:
    """Runs a command and exits with its code; bad input gives one sentence, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # File names may hold bytes that are not text; printing them must not fail.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        with log_to_console():
            code = main()
    except CancerNetError as error:
        code = complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        code = complain("interrupted; no file was left half-written", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader (head, less) has closed the pipe; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_NOTHING_DONE
    except MemoryError:
        code = complain(
            "not enough memory; close other programs, or lower --batch-size or --workers",
            EXIT_NOTHING_DONE,
        )
    except OSError as error:
        code = complain(describe_os_error(error), EXIT_NOTHING_DONE)
    sys.exit(code)


class _Console(logging.Handler):
    """Prints progress on stdout and warnings on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one message as it is."""
        stream = sys.stderr if record.levelno >= logging.WARNING else sys.stdout
        print(record.getMessage(), file=stream, flush=True)


@contextlib.contextmanager
def log_to_console() -> Iterator[None]:
    """Prints what the package logs, as long as the block lasts."""
    logger, console = logging.getLogger("cancernet"), _Console()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(console)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # TensorFlow has a handler of its own at the root
    try:
        yield
    finally:
        logger.removeHandler(console)
        logger.setLevel(level)
        logger.propagate = propagate


def typed_command() -> str:
    """Returns the command as it was typed, for a record."""
    return shlex.join(["python", Path(sys.argv[0]).name, *sys.argv[1:]])


def complain(message: str, code: int) -> int:
    """Prints one sentence on stderr and returns the exit code."""
    print(f"error: {message}", file=sys.stderr)
    return code


def add_settings(parser: argparse._ActionsContainer, settings: type) -> None:
    """Adds a flag for each field that `setting` describes; a flag not given is None."""
    groups: dict[str, argparse._ActionsContainer] = {"": parser}
    for field in setting_fields(settings):
        title = field.metadata["group"]
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        groups[title].add_argument(flag_of(field.name), dest=field.name, **_options(field))


def _options(field: dataclasses.Field[Any]) -> dict[str, Any]:
    kind, several = kind_of(field)
    options: dict[str, Any] = {"default": None, "help": field.metadata["help"]}
    if kind is bool:
        switch = field.metadata["switch"]
        return options | {"action": "store_true" if switch else argparse.BooleanOptionalAction}
    metavar = field.metadata["metavar"]
    options |= {"type": kind, "choices": field.metadata["choices"]}
    if several and isinstance(metavar, tuple):
        options["nargs"] = len(metavar)
    elif several:  # given twice, a flag holds all its values
        options |= {"nargs": "+", "action": "extend"}
    if metavar or field.metadata["choices"] is None:
        options["metavar"] = metavar or METAVARS[kind]
    return options


def given_settings(arguments: argparse.Namespace, settings: type) -> dict[str, Any]:
    """Returns the settings that were given as flags, by the names of their fields."""
    given = {}
    for field in setting_fields(settings):
        value = getattr(arguments, field.name, None)
        if value is not None:
            given[field.name] = tuple(value) if isinstance(value, list) else value
    return given
