"""`python -m cancernet doctor`: is everything here that the scripts need?"""

import sys

from cancernet.base.errors import EXIT_OK, EXIT_SOME_FAILED
from cancernet.base.words import NOTICE
from cancernet.commands.command_line import Parser, run


def main() -> int:
    """Runs the one command there is; 1 when something is wrong."""
    parser = Parser(f"{__doc__}\n\n{NOTICE}")
    parser.prog = "python -m cancernet"
    parser.add_argument(
        "command",
        choices=["doctor"],
        help="doctor: check Python, packages, processor, GPU, disk and folders",
    )
    parser.parse_args(sys.argv[1:])

    from cancernet.commands.doctor import checks, print_checks

    return EXIT_OK if print_checks(checks()) else EXIT_SOME_FAILED


if __name__ == "__main__":
    run(main)
