"""Judges a finished run again: on other data, in groups of patients, or beside another run.

    python evaluate_model.py --run output/first --data DIR
    python evaluate_model.py --run output/first --subgroups patients.csv --prevalence 0.01
    python evaluate_model.py --run output/first --rule sensitivity --target-sensitivity 0.98
    python evaluate_model.py --compare output/first output/second

DIR is a built data set, a folder with a manifest.csv, or folders named by class. The
run's calibration and operating point stay as they are, and nothing in the run changes:
the report goes into <run>/evaluations/<name>/. --rule chooses another operating point,
on the run's stored validation predictions, never on what is judged: `sensitivity` for
screening, where a missed cancer is the worse error, `cost` where both errors have a
price, `youden` and `smoothed` to compare methods. Research software, not a medical
device; not for diagnosis.
"""

import argparse
import shlex
import sys
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.commands.command_line import Parser, run
from cancernet.config import RULES, SPLITS


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--run", type=Path, metavar="DIR", help="a finished run")
    add("--data", type=Path, metavar="DIR", help="labelled images (default: its own testing set)")
    add(
        "--split",
        choices=(*SPLITS, "all"),
        help="of a built --data (default: testing of the run's own set, all of another)",
    )
    add(
        "--compare",
        nargs=2,
        type=Path,
        metavar=("A", "B"),
        help="two finished runs, cross-validations, or evaluations, on the same testing images",
    )
    add(
        "--subgroups",
        type=Path,
        metavar="FILE",
        help="CSV with a column `patient` (or `path`) and others such as site, scanner, age_group",
    )
    add(
        "--prevalence",
        type=float,
        nargs="+",
        default=[],
        metavar="P",
        help="share of positives to expect, 0-1: what a call is worth there",
    )
    add("--rule", choices=RULES, help="choose another operating point, on stored validation")
    add("--target-sensitivity", type=float, metavar="X", help="of --rule sensitivity")
    add("--cost-ratio", type=float, metavar="X", help="of --rule cost: false alarms a miss costs")
    add("--threshold", type=float, metavar="X", help="of --rule fixed")
    add("--output", type=Path, metavar="DIR", help="a new folder for what is written")
    return parser.parse_args()


def main() -> int:
    """Evaluates as the command line says; returns the exit code."""
    arguments = parse_arguments()
    if (arguments.run is None) == (arguments.compare is None):
        raise CancerNetError("name a finished run with --run, or two with --compare")
    wrong = [value for value in arguments.prevalence if not 0 <= value <= 1]
    if wrong:
        raise CancerNetError(f"--prevalence is {wrong[0]:g}, but must lie between 0 and 1")
    if arguments.compare is not None:
        alone = (
            "data",
            "split",
            "subgroups",
            "rule",
            "target_sensitivity",
            "cost_ratio",
            "threshold",
        )
        if arguments.prevalence or any(getattr(arguments, name) is not None for name in alone):
            raise CancerNetError("--compare goes with --output only; evaluate each with --run")
        from cancernet.commands.evaluate import compare_command

        return compare_command(*arguments.compare, output=arguments.output)
    if arguments.split and arguments.data is None:
        raise CancerNetError("--split goes with --data")

    from cancernet.commands.evaluate import evaluate_command, with_rule_settings
    from cancernet.evaluation.evaluate_run import Wishes

    wishes = Wishes(
        data=arguments.data,
        split=arguments.split,
        subgroups=arguments.subgroups,
        prevalences=arguments.prevalence,
        rule=arguments.rule,
    )
    wishes = with_rule_settings(
        wishes,
        target_sensitivity=arguments.target_sensitivity,
        cost_ratio=arguments.cost_ratio,
        threshold=arguments.threshold,
    )
    command = shlex.join(["python", Path(sys.argv[0]).name, *sys.argv[1:]])
    return evaluate_command(arguments.run, wishes, output=arguments.output, command=command)


if __name__ == "__main__":
    run(main)
