"""`tune_model.py`: searches for settings and prints what every trial found."""

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cancernet.base.console import YELLOW, fitted, import_tensorflow_quietly, progress_bar, typed
from cancernet.base.errors import EXIT_OK, StoppedError
from cancernet.base.settings import check_settings, setting
from cancernet.base.words import NOTICE
from cancernet.commands.command_line import add_settings, alert, command_parser, given_settings
from cancernet.config import DATASETS, HEADINGS, OUTPUT, TrainConfig
from cancernet.recipe_file import named_settings, short_name
from cancernet.recipes import DEFAULT_RECIPE

if TYPE_CHECKING:
    import optuna

    from cancernet.dataset.manifest import BuiltDataset
    from cancernet.tuning.results import TrialRow
    from cancernet.tuning.search import Search

MEASURES = ("val_auc", "val_balanced_loss", "val_loss", "val_accuracy")
SEARCH = ("learning_rate=1e-4..1e-1:log", "batch_size=16,32,64", "epochs=4..20")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """What `tune_model.py` takes besides the settings of a training.

    Raises:
        CancerNetError: a value is out of bounds.
    """

    search: tuple[str, ...] = setting(
        SEARCH,
        "settings to vary, each as LOW..HIGH, LOW..HIGH:log or A,B,C "
        f"(default: {' '.join(SEARCH)})",
        metavar="NAME=VALUES",
        common=True,
    )
    trials: int = setting(
        20,
        "stop when N trials have ended, including pruned ones (default: 20)",
        least=1,
        common=True,
    )
    folds: int = setting(3, "number of folds of whole patients (default: 3)", least=2, common=True)
    measure: str = setting(
        MEASURES[0],
        f"validation measure that decides, at the epoch that is kept (default: {MEASURES[0]})",
        choices=MEASURES,
        common=True,
    )
    study: str | None = setting(
        None,
        f"SQLite file, or address of a database (default: {OUTPUT}/<recipe>-study.db)",
        metavar="FILE",
        common=True,
    )
    output: Path | None = setting(
        None,
        "folder for table, figure and best recipe (default: the study's name without .db)",
        metavar="DIR",
        common=True,
    )
    recipe: str = setting(
        DEFAULT_RECIPE,
        f"settings that do not vary: a name or a file (default: {DEFAULT_RECIPE})",
        metavar="NAME_OR_FILE",
        common=True,
    )
    data: Path | None = setting(
        None, f"built data set (default: {DATASETS}/<dataset>)", metavar="DIR", common=True
    )

    def __post_init__(self) -> None:
        check_settings(self)


def main() -> int:
    """Searches as the command line says; returns the exit code."""
    parser = command_parser("tune")
    add_settings(parser, TuneOptions)
    fixed = "settings that do not vary: "
    add_settings(parser, TrainConfig, headings=HEADINGS, before=fixed, rare=True)
    arguments = parser.parse_args()
    options = TuneOptions(**given_settings(arguments, TuneOptions))
    from cancernet.tuning.space import parse_search
    from cancernet.tuning.study import study_place

    # What is wrong with these is said before TensorFlow takes seconds to load.
    dimensions = parse_search(options.search)
    base = dataclasses.replace(
        named_settings(options.recipe), **given_settings(arguments, TrainConfig)
    )
    name = f"{short_name(options.recipe)}-study"
    place = study_place(options.study or str(OUTPUT / f"{name}.db"), OUTPUT / name)
    if options.output is not None:
        place = dataclasses.replace(place, results=options.output)
    from cancernet.dataset.folds import patient_folds
    from cancernet.planning.begin import open_dataset

    dataset = open_dataset(options.data or DATASETS / base.dataset, base)
    folds = patient_folds(dataset, options.folds, seed=base.seed)
    import_tensorflow_quietly(bare=True)
    from cancernet.tuning.search import Search

    wanted = Search(
        place=place,
        base=base,
        dimensions=dimensions,
        trials=options.trials,
        folds=options.folds,
        measure=options.measure,
    )
    search(wanted, dataset, folds)
    return EXIT_OK


def search(wanted: "Search", dataset: "BuiltDataset", folds: "Sequence[BuiltDataset]") -> None:
    """Runs the search on the folds of a data set, or continues it; prints and writes the results.

    Raises:
        CancerNetError: the data, the settings or the study do not permit it.
        StoppedError: the user pressed Ctrl-C; the trials that ended are kept.
    """
    from cancernet.report.content import DRAWN
    from cancernet.tuning.results import write_results
    from cancernet.tuning.study import ended, held

    for warning in filter(None, [DRAWN if dataset.drawn else "", dataset.leak]):
        alert(f"warning: {warning}", YELLOW)
    with held(wanted.place):
        study = wanted.open_study(dataset, folds)
        images = sum(len(part.paths) for part in folds[0].parts.values())
        said = (
            f"Study {wanted.place.shown}: {ended(study)} of {wanted.trials} trials have ended; "
            f"{wanted.folds} folds of the patients of {images:,} training and validation images; "
            "testing is not touched"
        )
        print(fitted(said))
        try:
            _run_trials(study, wanted, folds)
        except KeyboardInterrupt:
            raise StoppedError(
                f"stopped; {ended(study)} of {wanted.trials} trials are kept in "
                f"{wanted.place.shown}; the same command continues"
            ) from None
        finally:
            write_results(study, wanted, drawn=dataset.drawn)
        _print_results(study, wanted, dataset)


def _run_trials(study: "optuna.Study", wanted: "Search", folds: "Sequence[BuiltDataset]") -> None:
    """Runs the trials under a progress bar and prints each one's value."""
    from cancernet.tuning.results import trial_row
    from cancernet.tuning.search import run_trials
    from cancernet.tuning.study import ended

    with progress_bar(
        title="Searching", total=wanted.trials, unit=" trials", done=ended(study)
    ) as bar:
        for trial in run_trials(study, wanted, folds, progress=bar.set_postfix_str):
            bar.update(ended(study) - bar.n)
            bar.write(fitted(_trial_text(trial_row(trial), wanted.measure)))


def _trial_text(row: "TrialRow", measure: str) -> str:
    from cancernet.tuning.results import short

    value = "no value" if row.value is None else f"{measure} {row.value:.4f}"
    settings = ", ".join(f"{name} {short(value)}" for name, value in row.values.items())
    return f"Trial {row.number} {row.state}: {value}, {settings}"


def _print_results(study: "optuna.Study", wanted: "Search", dataset: "BuiltDataset") -> None:
    from cancernet.tuning.results import FIGURE, RECIPE, TABLE, table_text, trial_rows
    from cancernet.tuning.study import ended

    rows, results = trial_rows(study), wanted.place.results
    print(table_text(rows, wanted.measure))
    print(f"Table:   {results / TABLE}")
    print(f"Figure:  {results / FIGURE}")
    best = next((row for row in rows if row.best), None)
    if best is None:
        print("No trial was completed, so there is no best recipe; allow more --trials")
    else:
        trials = ended(study)
        luck = f", the best of {trials} trials, so expect less" if trials > 1 else ""
        said = (
            f"Best:    trial {best.number}, {wanted.measure} {best.value:.4f}{luck}; only testing, "
            "scored once, will tell"
        )
        print(fitted(said))
        elsewhere = dataset.folder != DATASETS / wanted.base.dataset
        data = f" --data {shlex.quote(str(dataset.folder))}" if elsewhere else ""
        print(f"Use it:  {typed('train')} --recipe {shlex.quote(str(results / RECIPE))}{data}")
    print(NOTICE)
