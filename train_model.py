"""Trains a network on a built data set and leaves a run folder that predict.py uses.

    python train_model.py
    python train_model.py --data datasets/idc --run output/first --epochs 3
    python train_model.py --resume
    python train_model.py --folds 5
    python train_model.py --list-recipes

A recipe is a named set of settings; every flag below changes one of them. The
operating point is chosen on validation, then testing is scored once. Research
software, not a medical device; not for diagnosis.
"""

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Any

from cancernet.base.errors import EXIT_OK, CancerNetError
from cancernet.base.settings import check_setting
from cancernet.commands.command_line import Parser, add_settings, given_settings, run
from cancernet.config import DATASETS, OUTPUT, TrainConfig
from cancernet.recipe_file import is_recipe_file, read_recipe
from cancernet.recipes import DEFAULT_RECIPE, describe_recipes, recipe
from cancernet.runs.run_folder import CROSS_VALIDATION
from cancernet.runs.status import describe_status


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--recipe",
        metavar="NAME_OR_FILE",
        help=f"named settings, see --list-recipes, or a file of them (default: {DEFAULT_RECIPE})",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help=f"built data set (default: {DATASETS}/<dataset>)"
    )
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help=f"run folder (default: a new one in {OUTPUT}/)"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with an unfinished training (--run, or the newest)",
    )
    parser.add_argument(
        "--finish",
        action="store_true",
        help="with --resume: train no further, finish with the best epoch so far",
    )
    parser.add_argument(
        "--insist",
        action="store_true",
        help="with --resume: go on although the program, the data or a setting is another than at "
        "the beginning (with --folds: the program only)",
    )
    parser.add_argument(
        "--log-dir", type=Path, metavar="DIR", help="also write TensorBoard's scalars there"
    )
    parser.add_argument(
        "--status", type=Path, metavar="RUN", help="say how far the training in RUN is and leave"
    )
    parser.add_argument(
        "--folds",
        metavar="K",
        help="cross-validation in K folds of whole patients, or `patients` to leave out one "
        "after the other; each fold is a run in <run>/fold-XX, pooled in one report",
    )
    parser.add_argument(
        "--fold-patients",
        nargs="+",
        metavar="ID",
        default=[],
        help="with --folds patients: leave out these patients only",
    )
    parser.add_argument(
        "--fold-workers",
        type=int,
        default=1,
        metavar="N",
        help="train so many folds at the same time, in processes (default: 1)",
    )
    parser.add_argument(
        "--beside",
        nargs="+",
        type=Path,
        metavar="RUN",
        default=[],
        help="finished runs whose figures stand beside these in the report",
    )
    parser.add_argument("--list-recipes", action="store_true", help="show the recipes and leave")
    add_settings(parser.add_argument_group("settings (default: those of the recipe)"), TrainConfig)
    return parser.parse_args()


def main() -> int:
    """Trains as the command line says; returns the exit code."""
    arguments = parse_arguments()
    if arguments.list_recipes:
        print(describe_recipes())
        return EXIT_OK
    if arguments.status:
        print(describe_status(arguments.status))
        return EXIT_OK
    if arguments.finish and not arguments.resume:
        raise CancerNetError("--finish goes with --resume")
    if arguments.insist and not arguments.resume:
        raise CancerNetError("--insist goes with --resume")
    if arguments.beside and arguments.resume:
        raise CancerNetError("--beside goes with a new run; --resume keeps what it began with")
    given = given_settings(arguments, TrainConfig)
    name = arguments.recipe or DEFAULT_RECIPE
    # Nonsense values are answered before TensorFlow takes its seconds to load.
    settings = read_recipe(Path(name)) if is_recipe_file(name) else recipe(name)
    if arguments.resume:  # what goes together is then the affair of the run that goes on
        config = settings
        for field in dataclasses.fields(settings):
            if field.name in given:
                check_setting(field, given[field.name])
    else:
        config = dataclasses.replace(settings, **given)
    name = Path(name).stem if is_recipe_file(name) else name
    command = shlex.join(["python", Path(sys.argv[0]).name, *sys.argv[1:]])

    if arguments.resume and arguments.run is None:
        from cancernet.training.begin import newest_unfinished

        newest = newest_unfinished()
        # With several workers each must be told the run itself.
        arguments.run = newest if (newest / CROSS_VALIDATION).is_file() else None
    if _asks_for_folds(arguments):
        _cross_validate(arguments, config, given, name, command)
        return EXIT_OK

    from cancernet.commands.train import resume_training, start_training

    if arguments.resume:
        resume_training(
            arguments.run,
            arguments.data,
            given,
            recipe=name if arguments.recipe else None,
            finish_now=arguments.finish,
            insist=arguments.insist,
            log_dir=arguments.log_dir,
        )
    else:
        start_training(
            arguments.run,
            arguments.data,
            config,
            recipe=name,
            command=command,
            log_dir=arguments.log_dir,
            beside=arguments.beside,
        )
    return EXIT_OK


def _asks_for_folds(arguments: argparse.Namespace) -> bool:
    if arguments.fold_workers < 1:
        raise CancerNetError(f"--fold-workers is {arguments.fold_workers}, but must be at least 1")
    if arguments.folds is None and arguments.fold_patients:
        raise CancerNetError("--fold-patients goes with --folds patients")
    begun = arguments.resume and arguments.run is not None
    return arguments.folds is not None or (begun and (arguments.run / CROSS_VALIDATION).is_file())


def _cross_validate(
    arguments: argparse.Namespace,
    config: TrainConfig,
    given: dict[str, Any],
    recipe_name: str,
    command: str,
) -> None:
    if arguments.finish:
        raise CancerNetError("--finish goes with a single run, not with --folds")
    if arguments.log_dir:
        raise CancerNetError("--log-dir goes with a single run, not with --folds")
    from cancernet.commands.cross_validate import FoldWishes, resume_folds, start_folds

    if arguments.resume:
        if arguments.run is None or arguments.fold_patients:
            raise CancerNetError(
                "--resume goes on with the folds it began with; name the cross-validation by "
                "--run, without --fold-patients"
            )
        resume_folds(
            arguments.run,
            arguments.data,
            given,
            asked=arguments.folds,
            recipe=recipe_name if arguments.recipe else None,
            workers=arguments.fold_workers,
            insist=arguments.insist,
        )
        return
    wishes = FoldWishes(
        folds=arguments.folds,
        only=arguments.fold_patients,
        workers=arguments.fold_workers,
        beside=arguments.beside,
    )
    start_folds(arguments.run, arguments.data, config, wishes, recipe=recipe_name, command=command)


if __name__ == "__main__":
    run(main)
