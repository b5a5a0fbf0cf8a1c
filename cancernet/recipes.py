"""The named systems: one row each, written as its difference from `TrainConfig`.

`python train_model.py --list-recipes` shows them. To add one, add a row.
"""

from typing import Any

from cancernet.config import TrainConfig
from cancernet.errors import CancerNetError

DEFAULT_RECIPE = "idc-cancernet"

# What paid off on patients left out one by one (benchmarks/README.md): AdamW with one
# cosine, the eight symmetries instead of small warps, colour jitter and mixup against
# differences of stain, and an operating point that expects patients to differ.
_SHORT: dict[str, Any] = {
    "batch_size": 64,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "warmup_epochs": 0.5,
    "weight_decay": 0.01,
    "batch_norm_momentum": 0.9,
    "rotation": 0.0,
    "zoom": 0.0,
    "shift": 0.0,
    "shear": 0.0,
    "quarter_turns": True,
    "color_jitter": 0.4,
    "mixup": 0.4,
    # A cosine ends where it should; the few patients who validate would pick at random.
    "monitor": "last",
    "operating_rule": "smoothed",
}

RECIPES: dict[str, TrainConfig] = {
    # The tutorial, its faults mended: 40 epochs of Adagrad with a falling rate.
    # Like the tutorial it keeps the last epoch.
    "idc-cancernet-tutorial": TrainConfig(interpolation="nearest", monitor="last"),
    "idc-cancernet": TrainConfig(**_SHORT, epochs=12),
    # The same in a third of the time.
    "idc-cancernet-fast": TrainConfig(**_SHORT, epochs=4),
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
