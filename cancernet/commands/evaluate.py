"""`evaluate_model.py`: judges a finished run again, or compares two."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cancernet.base.console import fitted
from cancernet.base.errors import EXIT_OK, CancerNetError
from cancernet.base.files import made_beside
from cancernet.base.settings import setting
from cancernet.base.words import NOTICE
from cancernet.commands.command_line import (
    add_settings,
    command_parser,
    given_settings,
    typed_command,
)
from cancernet.config import OUTPUT
from cancernet.evaluation.settings import EvaluationSettings
from cancernet.scoring.described import ModelDescription, is_model_alone

if TYPE_CHECKING:
    from cancernet.evaluation.run_results import FinishedRun

EVALUATIONS = "evaluations"  # in the run folder


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What `evaluate_model.py` takes besides the settings of the evaluation.

    Raises:
        CancerNetError: neither a run nor two to compare, or both.
    """

    run: Path | None = setting(
        None,
        "finished run to judge, or a .keras, .h5, .json or .onnx model",
        metavar="DIR_OR_FILE",
        common=True,
    )
    compare: tuple[Path, ...] = setting(
        (),
        "compare two finished runs, cross-validations or evaluations on the same testing images",
        metavar=("A", "B"),
        common=True,
    )
    output: Path | None = setting(
        None,
        f"new folder for the results (default: <run>/{EVALUATIONS}/<name>; of a model "
        f"{OUTPUT}/<model>-{EVALUATIONS}/<name>)",
        metavar="DIR",
        common=True,
    )

    def __post_init__(self) -> None:
        if (self.run is None) == (not self.compare):
            raise CancerNetError("name a finished run with --run, or two with --compare")


def main() -> int:
    """Evaluates what the command line names; returns the exit code."""
    parser = command_parser("evaluate")
    add_settings(parser, EvaluateOptions)
    add_settings(parser, EvaluationSettings)
    add_settings(parser, ModelDescription)
    arguments = parser.parse_args()
    options = EvaluateOptions(**given_settings(arguments, EvaluateOptions))
    given = given_settings(arguments, EvaluationSettings)
    model = ModelDescription(**given_settings(arguments, ModelDescription))
    if is_model_alone(options.run, model):
        assert options.run is not None
        return _evaluate_model(options.run, model, EvaluationSettings(**given), options.output)
    if options.run is not None:
        from cancernet.evaluation.run_results import read_finished

        settings = EvaluationSettings(**given)
        finished = read_finished(options.run)
        return _judge(finished, settings, options.output, options.run / EVALUATIONS)
    if given:
        raise CancerNetError("--compare goes with --output only; evaluate each run with --run")
    return _compare(*options.compare, output=options.output)


def _evaluate_model(
    named: Path, model: ModelDescription, settings: EvaluationSettings, output: Path | None
) -> int:
    """Judges a model that has no run folder."""
    from cancernet.evaluation.evaluate_run import classes_in, ready, refuse_incomplete
    from cancernet.scoring.other_models import open_model
    from cancernet.scoring.words import assumed_text

    refuse_incomplete(named, settings)
    said = dataclasses.replace(model, own_classes=classes_in(settings.data))
    with open_model(named, said) as opened:
        print(f"note: {assumed_text(opened)}", file=sys.stderr)
        finished, settings = ready(opened, settings)
        return _judge(finished, settings, output, OUTPUT / f"{named.stem}-{EVALUATIONS}")


def _judge(
    finished: "FinishedRun", settings: EvaluationSettings, output: Path | None, parent: Path
) -> int:
    """Prints the figures and writes a folder; returns 1 if images were unreadable."""
    from cancernet.evaluation.evaluate_run import examine
    from cancernet.evaluation.evaluation_report import as_text, write_evaluation

    found = examine(finished, settings)
    name = found.name if settings.data is not None else "own-testing-set"
    if settings.rule is not None:
        name += f"-{settings.rule}"
    target = output or _free_folder(parent, name)
    with made_beside(target) as staging:
        write_evaluation(staging, finished, found, settings, command=typed_command())
    print(fitted(as_text(finished, found)))
    print(f"Report: {target / 'report.html'}")
    print(NOTICE)
    return found.exit_code


def _compare(first: Path, second: Path, *, output: Path | None) -> int:
    """Compares two runs, prints the differences and writes a page and its figures."""
    from cancernet.base.files import write_json, write_text
    from cancernet.evaluation.compare_runs import as_dict, as_text, compare_sides, page, read_side

    sides = read_side(first), read_side(second)
    found = compare_sides(*sides)
    target = output or _free_folder(first / EVALUATIONS, f"compared-with-{second.resolve().name}")
    with made_beside(target) as staging:
        write_json(staging / "comparison.json", as_dict(found, *sides))
        write_text(staging / "comparison.html", page(found, *sides))
    print(fitted(as_text(found, *sides)))
    print(f"Page: {target / 'comparison.html'}")
    print(NOTICE)
    return EXIT_OK


def _free_folder(parent: Path, name: str) -> Path:
    """Returns `parent/name`, or with the first free number behind it."""
    number, folder = 1, parent / name
    while folder.exists():
        number += 1
        folder = parent / f"{name}-{number}"
    return folder
