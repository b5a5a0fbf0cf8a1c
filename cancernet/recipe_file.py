"""A recipe as a file: what `tune_model.py` writes and `train_model.py --recipe FILE` takes.

JSON with `settings`, the fields of `TrainConfig` by name; what is missing has its
default. `found`, where it is there, says how the settings were found; it is not read.
"""

import dataclasses
from pathlib import Path
from typing import Any

from cancernet.base.console import typed
from cancernet.base.errors import CancerNetError
from cancernet.base.files import read_json, write_json
from cancernet.base.records import EntryError, from_json
from cancernet.base.words import did_you_mean
from cancernet.config import TrainConfig
from cancernet.recipes import recipe

KIND = "cancernet recipe"
FORMAT = 1
SUFFIX = ".json"


def is_recipe_file(name: str) -> bool:
    """Tells whether `--recipe` names a file rather than an entry of the table."""
    return name.endswith(SUFFIX) or "/" in name or "\\" in name


def named_settings(name: str) -> TrainConfig:
    """Returns the settings that `--recipe` names, of the table or of a file.

    Raises:
        CancerNetError: an unknown name, or a file that cannot be read.
    """
    return read_recipe(Path(name)) if is_recipe_file(name) else recipe(name)


def short_name(name: str) -> str:
    """Returns the name that a run gets from `--recipe`; for a file, its stem."""
    return Path(name).stem if is_recipe_file(name) else name


def write_recipe(path: Path, config: TrainConfig, *, found: dict[str, Any]) -> None:
    """Writes every setting, so that the file means the same when a default changes.

    Args:
        path: of the file; its folder is made.
        found: how they were found, plain JSON values.
    """
    write_json(
        path,
        {"kind": KIND, "format": FORMAT, "settings": dataclasses.asdict(config), "found": found},
    )


def read_recipe(path: Path) -> TrainConfig:
    """Reads a recipe file and holds every setting to the bounds of `TrainConfig`.

    Raises:
        CancerNetError: no such file, not a recipe, an unknown setting, or a value of
            another kind or outside its bounds; the message names file and setting.
    """
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise CancerNetError(
            f"there is no recipe file {path}; `{typed('tune')}` writes one"
        ) from None
    except (OSError, ValueError) as error:
        raise CancerNetError(f"the recipe {path} cannot be read: {error}") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise CancerNetError(f'{path} is not a recipe: it lacks "kind": "{KIND}"')
    if content.get("format") != FORMAT or not isinstance(content.get("settings"), dict):
        raise CancerNetError(
            f"the recipe {path} has no settings of format {FORMAT}; use the version that wrote it"
        )
    known = {field.name for field in dataclasses.fields(TrainConfig)}
    strangers = set(content["settings"]) - known
    try:
        if strangers:
            first = min(strangers)
            raise CancerNetError(f"there is no setting {first!r}{did_you_mean(first, known)}")
        return from_json(TrainConfig, content["settings"])
    except (CancerNetError, EntryError) as error:
        raise CancerNetError(f"the recipe {path}: {error}") from None
