"""The named systems: one row each, written as its difference from `TrainConfig`.

`python train_model.py --list-recipes` shows them. To add one, add a row.
"""

from cancernet.config import TrainConfig
from cancernet.errors import CancerNetError

DEFAULT_RECIPE = "idc-cancernet"

RECIPES: dict[str, TrainConfig] = {
    # The tutorial, its faults mended: 40 epochs of Adagrad with a falling rate.
    "idc-cancernet-tutorial": TrainConfig(interpolation="nearest"),
    "idc-cancernet": TrainConfig(),
}


def recipe(name: str) -> TrainConfig:
    """Looks a recipe up by name.

    Raises:
        CancerNetError: unknown; the message lists the known ones.
    """
    if name not in RECIPES:
        raise CancerNetError(f"unknown recipe {name!r}; known are {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
