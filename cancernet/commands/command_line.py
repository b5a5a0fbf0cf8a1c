"""What every script shares: flags with bounds, errors as sentences."""

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from cancernet.base.errors import EXIT_NOTHING_DONE, CancerNetError, describe_os_error
from cancernet.config import TrainConfig

EXIT_INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """An argument parser that keeps the layout of its description and is brief about mistakes."""

    def __init__(self, description: str | None) -> None:
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def error(self, message: str) -> NoReturn:
        """Says what is wrong in one line instead of listing every flag."""
        raise SystemExit(complain(f"{message}; see {self.prog} --help", EXIT_NOTHING_DONE))


def run(main: Callable[[], int]) -> None:
    """Runs a script's `main` and leaves with its exit code; no traceback for bad input."""
    for stream in (sys.stdout, sys.stderr):
        # File names may hold bytes that are no text; printing them must not fail.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = main()
    except CancerNetError as error:
        code = complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        code = complain("stopped by you; nothing half-written was left", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader (head, less) has gone; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_NOTHING_DONE
    except MemoryError:
        code = complain(
            "not enough memory; close other programs, or ask for less at once (--batch-size, "
            "--workers)",
            EXIT_NOTHING_DONE,
        )
    except OSError as error:
        code = complain(describe_os_error(error), EXIT_NOTHING_DONE)
    sys.exit(code)


def complain(message: str, code: int) -> int:
    """Prints one sentence on stderr and returns the exit code."""
    print(f"error: {message}", file=sys.stderr)
    return code


def add_settings(parser: argparse._ActionsContainer, *, skip: tuple[str, ...] = ()) -> None:
    """Adds one flag per field of `TrainConfig`; a flag that is not given is None."""
    for field in dataclasses.fields(TrainConfig):
        if field.name in skip:
            continue
        flag = "--" + field.name.replace("_", "-")
        options: dict[str, Any] = {"default": None, "help": field.metadata["help"]}
        if field.type is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["type"] = field.type
            options["choices"] = field.metadata["choices"]
            if field.metadata["choices"] is None:
                options["metavar"] = {int: "N", float: "X", str: "NAME"}[field.type]  # type: ignore[index]
        parser.add_argument(flag, **options)


def given_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the settings that were given as flags."""
    names = {field.name for field in dataclasses.fields(TrainConfig)}
    return {k: v for k, v in vars(arguments).items() if k in names and v is not None}
