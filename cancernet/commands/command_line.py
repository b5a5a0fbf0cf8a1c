"""What every command shares: flags from settings, errors as sentences."""

import argparse
import contextlib
import dataclasses
import gc
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cancernet.base.console import (
    RED,
    YELLOW,
    coloured,
    fitted,
    import_tensorflow_quietly,
    started_as_command,
    typed,
)
from cancernet.base.errors import (
    EXIT_INTERRUPTED,
    EXIT_NOTHING_DONE,
    CancerNetError,
    describe_os_error,
)
from cancernet.base.settings import flag_of, kind_of, setting_fields
from cancernet.base.words import did_you_mean

if TYPE_CHECKING:
    from cancernet.base.parallel import Start

# What processes beside a training import while TensorFlow loads.
DRAWING = (
    "cancernet.report.figures.drawings",
    "cancernet.slides.output",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
)
METAVARS = {int: "N", float: "X", str: "NAME", Path: "PATH"}
LONGEST_CHOICES = 36  # characters that fit a line of the usage


class _HelpAll(argparse._HelpAction):
    def __call__(self, parser: argparse.ArgumentParser, *others: Any) -> None:
        assert isinstance(parser, Parser)
        parser.rare.clear()
        super().__call__(parser, *others)


class Parser(argparse.ArgumentParser):
    """An argument parser that keeps the layout of its description and reports errors briefly.

    Attributes:
        rare: flags that `--help` leaves out; `--help-all` shows them too.
    """

    def __init__(self, program: str, description: str | Callable[[], str] | None) -> None:
        super().__init__(prog=program, formatter_class=argparse.RawDescriptionHelpFormatter)
        self._described = description
        self.rare: list[argparse.Action] = []
        self.add_argument("--help-all", action=_HelpAll, help="show every flag and exit")

    def format_help(self) -> str:
        """Returns the help without the rare flags."""
        for action in self.rare:
            action.help = argparse.SUPPRESS
        from cancernet.commands.descriptions import filled

        described = self._described() if callable(self._described) else self._described
        self.description = filled(described or "")
        return super().format_help()

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses as argparse does, but answers an unknown flag with the nearest one."""
        found, strangers = self.parse_known_args(args, namespace)
        if strangers:
            known = [flag for action in self._actions for flag in action.option_strings]
            flag = strangers[0].partition("=")[0]
            self.error(f"unrecognized arguments: {' '.join(strangers)}{did_you_mean(flag, known)}")
        return found

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        if action.type is Path and not arg_string:  # `"$UNSET"` would mean the current folder
            raise argparse.ArgumentError(action, "the path is empty; name a file or a folder")
        return super()._get_value(action, arg_string)

    def error(self, message: str) -> NoReturn:
        """Says what is wrong in one line instead of listing every flag."""
        raise SystemExit(complain(f"{message}; see `{self.prog} --help`", EXIT_NOTHING_DONE))


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
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("cancernet"):
            raise
        code = complain(
            f"the Python module {error.name} is not installed; install what CancerNet needs with "
            "`pip install -r requirements.txt`",
            EXIT_NOTHING_DONE,
        )
    # Else Python would spend a second at the end, looking for garbage in all of TensorFlow.
    gc.freeze()
    sys.exit(code)


class _Console(logging.Handler):
    """Prints progress on stdout and warnings on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one message."""
        if record.levelno >= logging.WARNING:
            colour = RED if record.levelno >= logging.ERROR else YELLOW
            alert(f"{record.levelname.lower()}: {record.getMessage()}", colour)
        else:
            print(fitted(record.getMessage()), flush=True)


def alert(message: str, colour: str) -> None:
    """Prints an error or a warning on stderr, its first word in a colour."""
    kind, space, rest = fitted(message, sys.stderr).partition(" ")
    print(f"{coloured(kind, colour, sys.stderr)}{space}{rest}", file=sys.stderr, flush=True)


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


@contextlib.contextmanager
def process_that_trains() -> Iterator["Start"]:
    """Imports TensorFlow as a command's process may; gives the `start` of `processes_beside`."""
    from cancernet.base.parallel import processes_beside

    with processes_beside(DRAWING) as start:
        import_tensorflow_quietly(bare=True)
        yield start


def typed_command() -> str:
    """Returns the command as it was typed, for a record."""
    start = sys.argv[0] if started_as_command() else f"python {Path(sys.argv[0]).name}"
    return f"{start} {shlex.join(sys.argv[1:])}".rstrip()


def complain(message: str, code: int) -> int:
    """Prints one sentence on stderr and returns the exit code."""
    alert(f"error: {message}", RED)
    return code


def command_parser(command: str) -> Parser:
    """Returns the parser of a command, named as it is typed, with its description."""

    def described() -> str:  # only where somebody asks for help
        from cancernet.commands.descriptions import description

        return description(command)

    return Parser(typed(command), described)


def add_settings(
    parser: Parser,
    settings: type,
    *,
    headings: Mapping[str, str] | None = None,
    before: str = "",
    rare: bool = False,
) -> None:
    """Adds a flag for each field that `setting` describes; a flag not given is None.

    Args:
        headings: field -> heading of its flag and those after it, where fields name none.
        before: stands before every heading.
        rare: leaves all the flags to `--help-all`.
    """
    groups: dict[str, argparse._ActionsContainer] = {"": parser}
    title = ""
    for field in setting_fields(settings):
        if headings is None:
            title = field.metadata["group"]
        elif field.name in headings:
            title = f"{before}{headings[field.name]}"
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        action = groups[title].add_argument(flag_of(field.name), dest=field.name, **_options(field))
        if rare or not field.metadata["common"]:
            parser.rare.append(action)


def _options(field: dataclasses.Field[Any]) -> dict[str, Any]:
    kind, several = kind_of(field)
    options: dict[str, Any] = {"default": None, "help": field.metadata["help"]}
    if kind is bool:
        switch = field.metadata["switch"]
        return options | {"action": "store_true" if switch else argparse.BooleanOptionalAction}
    metavar, choices = field.metadata["metavar"], field.metadata["choices"]
    options |= {"type": kind, "choices": choices}
    if choices and len(named := ", ".join(map(str, choices))) > LONGEST_CHOICES:
        metavar = METAVARS[kind]
        options["help"] += f"; one of {named}"
    if several and isinstance(metavar, tuple):
        options["nargs"] = len(metavar)
    elif several:  # given twice, a flag holds all its values
        options |= {"nargs": "+", "action": "extend"}
    if metavar or choices is None:
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
