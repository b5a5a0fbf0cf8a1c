"""Searches for settings with Optuna; folds of whole patients judge, testing is not touched.

    python tune_model.py --search learning_rate=1e-4..1e-1:log --search batch_size=16,32,64
    python tune_model.py --recipe idc-cancernet --search epochs=4..20 --trials 30 --folds 5
    python tune_model.py --study postgresql://user@host/database --search …

Training and validation images are divided anew into folds of whole patients; a trial
trains once a fold and its value is the mean over the folds. Trials that fall behind the
median are pruned. The study is kept in a file: after Ctrl-C or a crash the same command
goes on. A PostgreSQL address lets several machines share a study. The best settings are
written as a recipe that `train_model.py --recipe FILE` takes. Research software, not a
medical device; not for diagnosis.
"""

import argparse
import dataclasses
from pathlib import Path

from cancernet.base.errors import EXIT_OK, CancerNetError
from cancernet.commands.command_line import Parser, add_settings, given_settings, run
from cancernet.config import DATASETS, OUTPUT, TrainConfig
from cancernet.recipe_file import named_settings, short_name
from cancernet.recipes import DEFAULT_RECIPE

MEASURES = ("val_auc", "val_balanced_loss", "val_loss", "val_accuracy")
SEARCH = ("learning_rate=1e-4..1e-1:log", "batch_size=16,32,64", "epochs=4..20")


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--search",
        action="append",
        metavar="NAME=VALUES",
        help="a setting to vary: LOW..HIGH, LOW..HIGH:log or A,B,C; repeat it for more "
        f"(default: {' '.join(SEARCH)})",
    )
    parser.add_argument(
        "--trials", type=int, default=20, metavar="N", help="trials that shall end (default: 20)"
    )
    parser.add_argument(
        "--folds", type=int, default=3, metavar="N", help="folds of whole patients (default: 3)"
    )
    parser.add_argument(
        "--measure",
        choices=MEASURES,
        default=MEASURES[0],
        help=f"validation measure that decides, at the epoch kept (default: {MEASURES[0]})",
    )
    parser.add_argument(
        "--study",
        metavar="FILE",
        help=f"SQLite file, or the address of a database (default: {OUTPUT}/<recipe>-study.db)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for table, picture and best recipe (default: the study's name without .db)",
    )
    parser.add_argument(
        "--recipe", help=f"settings that do not vary: a name or a file (default: {DEFAULT_RECIPE})"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help=f"built data set (default: {DATASETS}/<dataset>)"
    )
    fixed = parser.add_argument_group("settings that do not vary (default: the recipe's)")
    add_settings(fixed, TrainConfig)
    return parser.parse_args()


def main() -> int:
    """Searches as the command line says; returns the exit code."""
    arguments = parse_arguments()
    for flag, value, least in (("trials", arguments.trials, 1), ("folds", arguments.folds, 2)):
        if value < least:
            raise CancerNetError(f"--{flag} is {value}, but must be at least {least}")
    from cancernet.tuning.space import parse_search
    from cancernet.tuning.study import study_place

    # Nonsense is answered before TensorFlow takes its seconds to load.
    dimensions = parse_search(arguments.search or list(SEARCH))
    name = arguments.recipe or DEFAULT_RECIPE
    base = dataclasses.replace(named_settings(name), **given_settings(arguments, TrainConfig))
    short = short_name(name)
    place = study_place(
        arguments.study or str(OUTPUT / f"{short}-study.db"), OUTPUT / f"{short}-study"
    )
    if arguments.output is not None:
        place = dataclasses.replace(place, results=arguments.output)

    from cancernet.commands.tune import Search, search

    wanted = Search(
        place=place,
        base=base,
        dimensions=dimensions,
        trials=arguments.trials,
        folds=arguments.folds,
        measure=arguments.measure,
    )
    search(wanted, arguments.data if arguments.data is not None else DATASETS / base.dataset)
    return EXIT_OK


if __name__ == "__main__":
    run(main)
