"""What `train_model.py` does: flags, which of them go together, what is printed at the end."""

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.errors import EXIT_OK, CancerNetError
from cancernet.base.notice import NOTICE
from cancernet.base.settings import check_setting
from cancernet.commands.command_line import Parser, add_settings, given_settings
from cancernet.config import DATASETS, OUTPUT, TrainConfig
from cancernet.recipe_file import is_recipe_file, read_recipe
from cancernet.recipes import DEFAULT_RECIPE, describe_recipes, recipe
from cancernet.runs.run_folder import CROSS_VALIDATION
from cancernet.runs.status import describe_status

if TYPE_CHECKING:
    from cancernet.training.plan import Finished, Plan


def main(description: str | None) -> int:
    """Trains as the command line says; returns the exit code."""
    arguments = parse_arguments(description)
    if arguments.list_recipes:
        print(describe_recipes())
    elif arguments.status:
        print(describe_status(arguments.status))
    else:
        check_combinations(arguments)
        given = given_settings(arguments, TrainConfig)
        # Settings out of bounds are refused before TensorFlow takes seconds to load.
        config = settings_of(arguments, given)
        if arguments.resume:
            _resume(arguments, given)
        else:
            _start(arguments, config)
    return EXIT_OK


def parse_arguments(description: str | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(description)
    add = parser.add_argument
    add(
        "--recipe",
        metavar="NAME_OR_FILE",
        help=f"named settings, see --list-recipes, or a file of them (default: {DEFAULT_RECIPE})",
    )
    add("--data", type=Path, metavar="DIR", help=f"built data set (default: {DATASETS}/<dataset>)")
    add("--run", type=Path, metavar="DIR", help=f"run folder (default: a new one in {OUTPUT}/)")
    add(
        "--resume",
        action="store_true",
        help="resume an unfinished training (--run, or the newest)",
    )
    add(
        "--finish",
        action="store_true",
        help="with --resume: train no further, finish with the best epoch so far",
    )
    add(
        "--insist",
        action="store_true",
        help="with --resume: resume even if the program, the data or a setting has changed since "
        "the beginning (with --folds: the program only)",
    )
    add("--log-dir", type=Path, metavar="DIR", help="also write TensorBoard's scalars there")
    add(
        "--status",
        type=Path,
        metavar="RUN",
        help="show how far the training in RUN has got, and exit",
    )
    add(
        "--folds",
        metavar="K",
        help="cross-validation in K folds of whole patients, or `patients` to leave out one "
        "after the other; each fold is a run in <run>/fold-XX, pooled in one report",
    )
    add(
        "--fold-patients",
        nargs="+",
        metavar="ID",
        default=[],
        help="with --folds patients: leave out only these patients",
    )
    add(
        "--fold-workers",
        type=int,
        default=1,
        metavar="N",
        help="train N folds at the same time, in processes (default: 1)",
    )
    add(
        "--beside",
        nargs="+",
        type=Path,
        metavar="RUN",
        default=[],
        help="finished runs whose figures the report shows beside these",
    )
    add("--list-recipes", action="store_true", help="show the recipes and exit")
    add_settings(parser.add_argument_group("settings (default: those of the recipe)"), TrainConfig)
    return parser.parse_args()


def check_combinations(arguments: argparse.Namespace) -> None:
    """Raises CancerNetError when flags do not go together."""
    folds = arguments.folds is not None
    for wrong, sentence in (
        (arguments.finish and not arguments.resume, "--finish goes with --resume"),
        (arguments.insist and not arguments.resume, "--insist goes with --resume"),
        (
            arguments.beside and arguments.resume,
            "--beside goes with a new run; --resume keeps what it began with",
        ),
        (
            arguments.fold_workers < 1,
            f"--fold-workers is {arguments.fold_workers}, but must be at least 1",
        ),
        (
            arguments.fold_patients and not folds,
            "--fold-patients goes with --folds patients",
        ),
    ):
        if wrong:
            raise CancerNetError(sentence)


def _check_folds(arguments: argparse.Namespace) -> None:
    """Raises CancerNetError where a flag does not go with a cross-validation."""
    for name in ("finish", "log_dir"):
        if getattr(arguments, name):
            flag = "--" + name.replace("_", "-")
            raise CancerNetError(f"{flag} goes with a single run, not with --folds")


def settings_of(arguments: argparse.Namespace, given: dict[str, Any]) -> TrainConfig:
    """Returns the recipe's settings with those given; of a run to resume only checks each.

    Raises:
        CancerNetError: an unknown recipe, or a setting out of its bounds.
    """
    name = arguments.recipe or DEFAULT_RECIPE
    settings = read_recipe(Path(name)) if is_recipe_file(name) else recipe(name)
    if not arguments.resume:
        return dataclasses.replace(settings, **given)
    for field in dataclasses.fields(settings):
        if field.name in given:
            check_setting(field, given[field.name])
    return settings


def _recipe_name(arguments: argparse.Namespace) -> str | None:
    """Returns the recipe that was named, of a file its stem; None where none was."""
    named = arguments.recipe
    return Path(named).stem if named and is_recipe_file(named) else named


def _start(arguments: argparse.Namespace, config: TrainConfig) -> None:
    from cancernet.evaluation.other_runs import read_beside
    from cancernet.training.begin import new_folder
    from cancernet.training.plan import Plan

    name = _recipe_name(arguments) or DEFAULT_RECIPE
    folds = arguments.folds is not None
    for other in arguments.beside:
        read_beside(other)  # what is wrong with it is said before the training
    plan = Plan(
        folder=arguments.run or new_folder(f"{name}-folds" if folds else name),
        data=arguments.data or DATASETS / config.dataset,
        config=config,
        recipe=name,
        command=shlex.join(["python", Path(sys.argv[0]).name, *sys.argv[1:]]),
        beside=arguments.beside,
        log_dir=arguments.log_dir,
    )
    if not folds:
        _train_and_tell(plan, arguments.run)
        return
    from cancernet.commands.cross_validate import start_folds

    _check_folds(arguments)
    start_folds(plan, arguments.folds, only=arguments.fold_patients, workers=arguments.fold_workers)


def _resume(arguments: argparse.Namespace, given: dict[str, Any]) -> None:
    from cancernet.training.plan import Resume
    from cancernet.training.resume import newest_unfinished, plan_to_resume

    folder = arguments.run or newest_unfinished()
    has_folds = (folder / CROSS_VALIDATION).is_file()
    resume = Resume(given=given, insist=arguments.insist, finish_now=arguments.finish)
    if arguments.folds is None and not has_folds:
        plan = plan_to_resume(
            folder,
            arguments.data,
            resume,
            recipe=_recipe_name(arguments),
            log_dir=arguments.log_dir,
        )
        _train_and_tell(plan, arguments.run)
        return
    from cancernet.commands.cross_validate import resume_folds

    _check_folds(arguments)
    if arguments.fold_patients or not (has_folds or arguments.run):
        raise CancerNetError(
            "--resume goes on with the folds it began with; name the cross-validation by --run, "
            "without --fold-patients"
        )
    resume_folds(
        folder,
        arguments.data,
        resume,
        asked=arguments.folds,
        recipe=_recipe_name(arguments),
        workers=arguments.fold_workers,
    )


def _train_and_tell(plan: "Plan", named: Path | None) -> None:
    """Trains with whatever workers there are, and prints what came of it."""
    from cancernet.training.loop.distributed import join_workers
    from cancernet.training.train import train

    # Whoever finishes with the best epoch so far needs no other worker.
    alone = plan.resume is not None and plan.resume.finish_now
    finished = train(plan, None if alone else join_workers(named))
    if finished is not None:
        tell(finished)


def tell(finished: "Finished") -> None:
    """Prints the figures of a finished training, and where everything is."""
    from cancernet.report.terminal import text_report

    folder = finished.training.folder
    print(text_report(finished.assessment, unit=finished.training.dataset.unit))
    print(f"Report:  {folder / 'report.html'}")
    print(f"Figures: {folder / 'figures'}")
    print(f"Use it:  python predict.py image.png --run {folder}")
    print(NOTICE)
