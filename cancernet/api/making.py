"""`cancernet.build` makes a data set, `cancernet.train` a run; arguments of a call as settings."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.errors import CancerNetError
from cancernet.base.settings import kind_of, setting_fields
from cancernet.base.words import did_you_mean

if TYPE_CHECKING:
    from cancernet.api.answers import DataSet
    from cancernet.api.run import Place, Run


def as_given(settings: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns arguments as the fields of a settings class take them: paths, tuples.

    Raises:
        CancerNetError: there is no such field.
    """
    fields = {field.name: field for field in setting_fields(settings)}
    for name in given:
        if name not in fields:
            raise CancerNetError(f"there is no setting {name!r}{did_you_mean(name, fields)}")
    return {name: _as_field(fields[name], value) for name, value in given.items()}


def _as_field(field: dataclasses.Field[Any], value: Any) -> Any:
    kind, several = kind_of(field)
    if several:
        values = value if isinstance(value, list | tuple) else [value]
        return tuple(Path(each) if kind is Path else each for each in values)
    return Path(value) if kind is Path and value is not None else value


def called(name: str, given: Mapping[str, Any]) -> str:
    """Returns a call as it could be typed, for a record."""
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in plain.items())})"


@contextlib.contextmanager
def reporting(progress: bool) -> Iterator[None]:
    """Prints what the package logs, and its progress bars, where that is asked for."""
    if not progress:
        yield
        return
    from cancernet.commands.command_line import log_to_console

    with log_to_console():
        yield


def build(
    dataset: str | None = None,
    *,
    sample: bool = False,
    download: bool = False,
    progress: bool = False,
    **settings: Any,
) -> "DataSet":
    """Builds a data set, as `build_dataset.py` does.

    Args:
        dataset: by its name in the catalogue (default: idc), or `folder` for images of your own.
        sample: draw a sample and build from it.
        download: fetch the published images first.
        progress: print what the script prints.
        **settings: the fields of `cancernet.building.settings.BuildSettings`.

    Raises:
        CancerNetError: bad input or settings; the output folder is as it was before.

    Example:
        >>> data = cancernet.build(source="original", output="datasets/idc", validation_split=0.25)
        >>> data.facts.counts["testing"].patients
        2
    """
    from cancernet.api.answers import DataSet
    from cancernet.building.build import build
    from cancernet.building.settings import BuildSettings, prepare
    from cancernet.building.summary import describe
    from cancernet.commands.build import build_and_tell

    given = as_given(BuildSettings, settings | ({"dataset": dataset} if dataset else {}))
    with reporting(progress):
        wanted = prepare(given, sample=sample, download=download)
        outcome = build_and_tell(wanted) if progress else build(wanted)
    return DataSet(
        folder=outcome.output,
        facts=outcome.facts,
        failed=outcome.failed,
        unchanged=outcome.unchanged,
        text=describe(outcome),
    )


def train(
    recipe: str | None = None,
    *,
    data: "Place | None" = None,
    run: "Place | None" = None,
    resume: bool = False,
    progress: bool = False,
    **settings: Any,
) -> "Run":
    """Trains a network on a built data set, as `train_model.py` does, and opens the run.

    Args:
        recipe: a name of `train_model.py --list-recipes`, or a file (default: idc-cancernet).
        data: the built data set (default: `datasets/<data set>`).
        run: the run folder (default: a new one in `output/`).
        resume: resume an unfinished training, `run` or the newest.
        progress: print what the script prints.
        **settings: the fields of `cancernet.config.TrainConfig`, such as `epochs`.

    Raises:
        CancerNetError: the data, the settings or the folder cannot be used.

    Example:
        >>> run = cancernet.train(data="datasets/idc", epochs=2)
        >>> run.folder.name
        'idc-cancernet-001'
    """
    from cancernet.api.run import Run
    from cancernet.commands.train import tell
    from cancernet.config import TrainConfig
    from cancernet.recipe_file import named_settings, short_name
    from cancernet.recipes import DEFAULT_RECIPE

    # What is wrong with these is said before TensorFlow takes seconds to load.
    given = as_given(TrainConfig, settings)
    config = named_settings(recipe or DEFAULT_RECIPE).changed(given)
    name = short_name(recipe or DEFAULT_RECIPE)
    data, folder = (None if place is None else Path(place) for place in (data, run))
    with reporting(progress):
        from cancernet.planning.begin import new_plan
        from cancernet.planning.plan import Resume
        from cancernet.planning.resume import newest_unfinished, plan_to_resume
        from cancernet.training.train import train

        if resume:
            folder = folder or newest_unfinished()
            plan = plan_to_resume(folder, data, Resume(given=given), recipe=recipe and name)
        else:
            command = called("cancernet.train", {"recipe": name, **given})
            plan = new_plan(
                config, recipe=name, given=given, data=data, folder=folder, command=command
            )
        finished = train(plan)
        if progress and finished:  # None is for further workers, and there are none
            tell(finished, verbose=False)
    return Run(plan.folder)
