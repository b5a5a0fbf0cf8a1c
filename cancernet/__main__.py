"""Trains, judges and uses breast-cancer image classifiers: one word for each command.

    cancernet build      split a data set by patient, check every file
    cancernet train      train a network on it, which leaves a run
    cancernet predict    score images with a run
    cancernet evaluate   judge a run on other data, by groups, or against another run
    cancernet tune       search for settings
    cancernet serve      serve a run: a page for people, an API for programs
    cancernet doctor     check Python, packages, processor, GPU and disk

`cancernet COMMAND --help` says more. `python -m cancernet` is the same. In a checkout the
scripts (`python predict.py`) do the same as well.
"""

import importlib
import sys

from cancernet import __version__
from cancernet.base.console import PROGRAM, SCRIPTS
from cancernet.base.words import NOTICE
from cancernet.commands.command_line import Parser, run

COMMANDS = (*SCRIPTS, "doctor")


def main() -> int:
    """Runs the command that is named first; returns its exit code."""
    parser = Parser(PROGRAM, f"{__doc__}\n{NOTICE}")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.add_argument("command", choices=COMMANDS, help="what to do")
    command = parser.parse_args(sys.argv[1:2]).command
    sys.argv[:2] = [f"{PROGRAM} {command}"]
    code: int = importlib.import_module(f"cancernet.commands.{command}").main()
    return code


def start() -> None:
    """Runs the command `cancernet` that `pip install` puts on the path."""
    run(main)


if __name__ == "__main__":
    start()
