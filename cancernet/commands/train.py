"""What `train_model.py` does: flags, which of them go together, what is printed at the end."""

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.console import fitted, typed
from cancernet.base.errors import EXIT_OK, CancerNetError, SettingsError
from cancernet.base.settings import check_setting, check_settings, setting, setting_fields
from cancernet.base.words import NOTICE
from cancernet.commands.command_line import (
    add_settings,
    command_parser,
    given_settings,
    process_that_trains,
    typed_command,
)
from cancernet.config import DATASETS, HEADINGS, MLFLOW, OUTPUT, STOCK, TrainConfig
from cancernet.recipe_file import named_settings, short_name
from cancernet.recipes import DEFAULT_RECIPE, describe_recipes

if TYPE_CHECKING:
    from cancernet.planning.plan import Finished, Logs, Plan


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What `train_model.py` takes besides the settings of the training.

    Raises:
        CancerNetError: flags that do not go together.
    """

    recipe: str | None = setting(
        None,
        f"named settings, see --list-recipes, or a file of them (default: {DEFAULT_RECIPE})",
        metavar="NAME_OR_FILE",
        common=True,
    )
    data: Path | None = setting(
        None, f"built data set (default: {DATASETS}/<dataset>)", metavar="DIR", common=True
    )
    run: Path | None = setting(
        None, f"run folder (default: a new one in {OUTPUT}/)", metavar="DIR", common=True
    )
    resume: bool = setting(
        False, "resume an unfinished training (--run, or the newest)", switch=True, common=True
    )
    finish: bool = setting(
        False,
        "with --resume: train no further, finish with the best epoch so far",
        goes_with="resume",
        switch=True,
    )
    insist: bool = setting(
        False,
        "with --resume: resume even if the program, the data or a setting has changed since the "
        "beginning (with --folds: the program only)",
        goes_with="resume",
        switch=True,
    )
    log_dir: Path | None = setting(None, "also write TensorBoard's scalars there", metavar="DIR")
    mlflow: bool = setting(
        False,
        f"also log settings and measures with MLflow: in {MLFLOW}, or where the variable "
        "MLFLOW_TRACKING_URI says",
        switch=True,
    )
    status: Path | None = setting(
        None, "show how far the training in RUN has got, and exit", metavar="RUN"
    )
    folds: str | None = setting(
        None,
        "cross-validation in K folds of whole patients, or `patients` to leave out one patient "
        "at a time; each fold is a run in <run>/fold-XX, pooled in one report",
        metavar="K",
        common=True,
    )
    fold_patients: tuple[str, ...] = setting(
        (),
        "with --folds patients: leave out only these patients",
        goes_with="folds",
        metavar="ID",
    )
    fold_workers: int = setting(
        1, "train N folds at the same time, in processes (default: 1)", least=1
    )
    beside: tuple[Path, ...] = setting(
        (), "finished runs whose figures the report shows beside these", metavar="RUN"
    )
    verbose: bool = setting(
        False,
        "when it is done, print every figure of testing, not only a summary",
        switch=True,
        common=True,
    )
    list_recipes: bool = setting(
        False, "show the recipes and the networks, and exit", switch=True, common=True
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.beside and self.resume:
            raise CancerNetError("--beside goes with a new run; --resume keeps what it began with")

    @property
    def recipe_name(self) -> str | None:
        """The short name of the recipe; None where none was named."""
        return short_name(self.recipe) if self.recipe else None

    def check_folds(self) -> None:
        """Raises CancerNetError where a flag does not go with a cross-validation."""
        for flag, given in (
            ("--finish", self.finish),
            ("--log-dir", self.log_dir),
            ("--mlflow", self.mlflow),
        ):
            if given:
                raise CancerNetError(f"{flag} goes with a single run, not with --folds")

    @property
    def logs(self) -> "Logs":
        """Where others may watch the training."""
        from cancernet.planning.plan import Logs

        return Logs(tensorboard=self.log_dir, mlflow=self.mlflow)


def main() -> int:
    """Trains as the command line says; returns the exit code."""
    parser = command_parser("train")
    add_settings(parser, TrainOptions)
    add_settings(parser, TrainConfig, headings=HEADINGS, before="settings of the recipe: ")
    arguments = parser.parse_args()
    options = TrainOptions(**given_settings(arguments, TrainOptions))
    given = given_settings(arguments, TrainConfig)
    if options.list_recipes:
        print(describe_recipes())
    elif options.status:
        from cancernet.runs.status import describe_status

        print(fitted(describe_status(options.status)))
    else:
        # Settings out of bounds are refused before TensorFlow takes seconds to load.
        config = _settings(options, given)
        if options.resume:
            _resume(options, given)
        else:
            _start(options, config, given)
    return EXIT_OK


def _settings(options: TrainOptions, given: Mapping[str, Any]) -> TrainConfig:
    """Returns the recipe's settings with those given; to resume a run, only checks each.

    Raises:
        CancerNetError: an unknown recipe, or a setting out of its bounds.
    """
    settings = named_settings(options.recipe or DEFAULT_RECIPE)
    if not options.resume:
        return settings.changed(given)
    for field in setting_fields(settings):
        if field.name in given:
            check_setting(field, given[field.name])
    return settings


def _start(options: TrainOptions, config: TrainConfig, given: Mapping[str, Any]) -> None:
    from cancernet.evaluation.run_results import read_beside
    from cancernet.planning.begin import new_folder, new_plan

    name = options.recipe_name or DEFAULT_RECIPE
    folds = options.folds
    for other in options.beside:
        read_beside(other)  # what is wrong with it is said before the training
    plan = new_plan(
        config,
        recipe=name,
        given=given,
        data=options.data,
        folder=options.run or (None if folds is None else new_folder(f"{name}-folds")),
        command=typed_command(),
        beside=options.beside,
        logs=options.logs,
    )
    if folds is None:
        _train_and_tell(plan, options)
        return
    from cancernet.commands.cross_validate import start_folds

    options.check_folds()
    start_folds(
        plan,
        folds,
        only=options.fold_patients,
        workers=options.fold_workers,
        verbose=options.verbose,
    )


def _resume(options: TrainOptions, given: Mapping[str, Any]) -> None:
    from cancernet.planning.plan import Resume
    from cancernet.planning.resume import newest_unfinished, plan_to_resume
    from cancernet.runs.run_record import CROSS_VALIDATION

    folder = options.run or newest_unfinished()
    has_folds = (folder / CROSS_VALIDATION).is_file()
    resume = Resume(given=given, insist=options.insist, finish_now=options.finish)
    if options.folds is None and not has_folds:
        plan = plan_to_resume(
            folder, options.data, resume, recipe=options.recipe_name, logs=options.logs
        )
        _train_and_tell(plan, options)
        return
    from cancernet.commands.cross_validate import resume_folds

    options.check_folds()
    if options.fold_patients or not (has_folds or options.run):
        raise CancerNetError(
            "--resume goes on with the folds it began with; name the cross-validation by --run, "
            "without --fold-patients"
        )
    resume_folds(
        folder,
        options.data,
        resume,
        asked=options.folds,
        recipe=options.recipe_name,
        workers=options.fold_workers,
        verbose=options.verbose,
    )


def _train_and_tell(plan: "Plan", options: TrainOptions) -> None:
    """Trains, with other workers if there are any, and prints the results."""
    from cancernet.planning.begin import with_open_data

    plan = with_open_data(plan)  # what is wrong is said before TensorFlow takes seconds to load
    with process_that_trains() as start:
        from cancernet.training.loop.distributed import join_workers
        from cancernet.training.train import train

        # Whoever finishes with the best epoch so far needs no other worker.
        alone = plan.resume is not None and plan.resume.finish_now
        workers = None if alone else join_workers(options.run)
        if workers and plan.config.stream == STOCK:
            raise SettingsError("several workers share the fast stream only; add --stream fast")
        finished = train(plan, workers, start)
    if finished is not None:
        tell(finished, verbose=options.verbose)


def tell(finished: "Finished", *, verbose: bool) -> None:
    """Prints the figures of a finished training, and where everything is."""
    from cancernet.report.terminal import summary, text_report

    folder, unit = finished.training.folder, finished.training.dataset.unit
    if verbose:
        print(fitted(text_report(finished.assessment, unit=unit, context=finished.context)))
    places = {
        "Run": str(folder),
        "Report": str(folder / "report.html"),
        "Picture": str(folder / "figures" / "summary.png"),
        "Next": f"{typed('predict')} image.png --run {shlex.quote(str(folder))}",
    }
    in_context = finished.context is not None
    print(summary(finished.assessment, unit=unit, in_context=in_context, places=places))
    print(NOTICE)
