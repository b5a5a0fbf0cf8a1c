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


def describe_recipes() -> str:
    """Returns a table of the recipes for a person to read."""
    rows = [("recipe", "data set", "network", "input", "epochs", "optimizer")]
    rows += [
        (
            name + (" (default)" if name == DEFAULT_RECIPE else ""),
            config.dataset,
            config.model,
            f"{config.image_size}x{config.image_size}",
            str(config.epochs),
            f"{config.optimizer} {config.learning_rate:g}",
        )
        for name, config in RECIPES.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
