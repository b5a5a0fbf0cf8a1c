"""The named systems: one entry each, settings written as their difference from `TrainConfig`.

`python train_model.py --list-recipes` shows them. To add one, add an entry.
"""

import dataclasses
import textwrap
from typing import Any

from cancernet.base.errors import CancerNetError
from cancernet.base.words import unknown
from cancernet.catalog import DATASETS
from cancernet.config import TrainConfig
from cancernet.networks import ANY_BACKBONE, LITE0, NETWORKS, packaged_weights

DEFAULT_RECIPE = "idc-cancernet"
SMALL = 128  # pixels a side of a patch; larger images are scans

Settings = dict[str, Any]  # fields of `TrainConfig` that several recipes share


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A named system.

    Attributes:
        settings: every setting of its training.
        total, trainable: parameters of its network for its data set, as built. They and
            `loss` stand here so that the list needs no Keras; `tests/test_recipes.py` holds
            them to the network.
        loss: the cross entropy that fits its network's last layer: `binary` behind one sigmoid
            unit, else `categorical`. Both are the same function of the probabilities of all
            classes: labels are one-hot, and a sigmoid unit's p goes on as the pair [1 - p, p].
        corrected: what differs from the published system because it changes a number, or "".
    """

    settings: TrainConfig
    total: int
    trainable: int
    loss: str = "categorical"
    corrected: str = ""


# The start of every recipe of our own; the defaults of `TrainConfig` are the tutorial's.
# What paid off on patients left out one by one (benchmarks/QUALITY.md): AdamW with one
# cosine, the eight symmetries instead of small warps, colour and stain jitter against
# differences of stain, and an operating point that expects patients to differ.
GOOD_SETTINGS: Settings = {
    "batch_size": 64,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "warmup_epochs": 0.5,
    "weight_decay": 0.01,
    "batch_norm_momentum": 0.9,
    "precise_batch_norm": True,
    "rotation": 0.0,
    "zoom": 0.0,
    "shift": 0.0,
    "shear": 0.0,
    "quarter_turns": True,
    "color_jitter": 0.4,
    "stain_jitter": 0.5,
    # The cosine ends at a rate of 0, so the last epoch is kept: few validation patients would pick
    # one by chance.
    "monitor": "last",
    "operating_rule": "smoothed",
}

# EfficientNet-Lite0 from ImageNet, all of it trained further: a few epochs at the same rate.
_LITE0: Settings = {
    **GOOD_SETTINGS,
    "model": LITE0,
    "weights": "imagenet",
}

# Scans: no stain to change, and up stays up.
_LITE0_GREY: Settings = {
    **_LITE0,
    "image_size": 224,
    "batch_size": 32,
    "warmup_epochs": 1.0,
    "stain_jitter": 0.0,
    "quarter_turns": False,
    "vertical_flip": False,
    "rotation": 15.0,
    "zoom": 0.15,
    "shift": 0.05,
    "test_time_augmentation": "mirror",
}

# Images as they are.
_UNCHANGED: Settings = {
    "rotation": 0.0,
    "zoom": 0.0,
    "shift": 0.0,
    "shear": 0.0,
    "horizontal_flip": False,
    "vertical_flip": False,
}

_FLIPS = {"horizontal_flip": True, "vertical_flip": True}

# Adam as Keras has it, and nothing else: what four of the five systems train with.
_PLAIN_ADAM: Settings = {
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "constant",
    "class_weights": False,
}

# The six networks of the mammogram study: 50 epochs on a folder of ready-made variants.
_MAMMOGRAPHY: Settings = {
    **_PLAIN_ADAM,
    **_UNCHANGED,
    "dataset": "mammography",
    "image_size": 224,
    "epochs": 50,
}
_GROUPED = "split by source image, not by variant; best epoch kept"

RECIPES: dict[str, Recipe] = {
    # The tutorial: 40 epochs of Adagrad with a falling rate. Like it, the last epoch is kept.
    "idc-cancernet-tutorial": Recipe(
        TrainConfig(stream="stock", interpolation="nearest", monitor="last"),
        total=1_235_133,
        trainable=1_233_533,
        corrected="split by patient; class weights that Keras takes; a rate that does fall; "
        "sensitivity is that of IDC; no batch counted twice",
    ),
    "idc-cancernet": Recipe(
        TrainConfig(
            **GOOD_SETTINGS,
            images_seen=500_000,
            convolution_dropout=0.4,
            test_time_augmentation="turn",
        ),
        total=1_235_133,
        trainable=1_233_533,
    ),
    # The same in a ninth of the time.
    "idc-cancernet-fast": Recipe(
        # So few images are not learnt by heart: dropout between the convolutions only costs.
        TrainConfig(**GOOD_SETTINGS, images_seen=50_000, convolution_dropout=0.0),
        total=1_235_133,
        trainable=1_233_533,
    ),
    "idc-lite0": Recipe(
        TrainConfig(**_LITE0, image_size=80, epochs=6, mixup=0.2, test_time_augmentation="turn"),
        total=3_415_586,
        trainable=3_373_570,
    ),
    "busi-densenet121": Recipe(
        TrainConfig(
            **_PLAIN_ADAM,
            **_UNCHANGED,
            dataset="busi",
            model="densenet121-dense-head",
            weights="imagenet",
            image_size=256,
            interpolation="nearest",
            batch_size=16,
            epochs=10,
            monitor="val_accuracy",
        ),
        total=75_787_843,
        trainable=68_750_339,
        corrected="masks left out; near-duplicate scans in one split; DenseNet's own input scaling "
        "(as published: --model densenet121-dense-head-unit); every figure from the best epoch",
    ),
    "busi-lite0": Recipe(
        TrainConfig(**_LITE0_GREY, dataset="busi", epochs=20), total=3_416_867, trainable=3_374_851
    ),
    "mammography-simple": Recipe(
        TrainConfig(**_MAMMOGRAPHY, model="simple-cnn", batch_size=128),
        total=5_977_640,
        trainable=5_977_640,
        corrected=_GROUPED,
    ),
    "mammography-shufflenet": Recipe(
        TrainConfig(**_MAMMOGRAPHY, model="shufflenet", batch_size=8),
        total=8_176_784,
        trainable=8_143_568,
        corrected=_GROUPED,
    ),
    "mammography-densenet121": Recipe(
        TrainConfig(**_MAMMOGRAPHY, model="densenet121", batch_size=8),
        total=7_438_920,
        trainable=7_355_272,
        corrected=_GROUPED + "; DenseNet's own input scaling; softmax and loss in float32",
    ),
    "mammography-efficientnetv2b0": Recipe(
        TrainConfig(**_MAMMOGRAPHY, model="efficientnetv2b0", batch_size=32),
        total=5_929_560,
        trainable=5_868_952,
        corrected=_GROUPED + "; input scaled once; one softmax (72 parameters fewer); softmax and "
        "loss in float32",
    ),
    "mammography-vgg16": Recipe(
        TrainConfig(**_MAMMOGRAPHY, model="vgg16", batch_size=8),
        total=14_915_400,
        trainable=14_915_400,
        corrected=_GROUPED + "; VGG's own input scaling; softmax and loss in float32",
    ),
    "mammography-alexnet": Recipe(
        TrainConfig(**{**_MAMMOGRAPHY, "image_size": 227}, model="alexnet", batch_size=64),
        total=62_386_352,
        trainable=62_386_352,
        corrected=_GROUPED,
    ),
    "mammography-kernel-cnn": Recipe(
        TrainConfig(
            **{**_UNCHANGED, "rotation": 45.0, "zoom": 0.5, **_FLIPS},
            dataset="mammography",
            model="kernel-cnn",
            image_size=224,
            interpolation="nearest",
            batch_size=40,
            epochs=45,
            optimizer="sgd",
            learning_rate=0.003,
            schedule="constant",
            clip_value=0.5,
            plateau_factor=0.3,
            plateau_patience=3,
            # The activations' variance is far below the 1 that the statistics begin with: at
            # Keras's 0.99 validation sees no more than that for a thousand steps, and the
            # plateau rule ends the training before it begins (docs/LEAKAGE.md).
            batch_norm_momentum=0.9,
            # What the class weights make of the loss; the plain one rises while they work.
            monitor="val_balanced_loss",
        ),
        total=1_794_168,
        trainable=1_793_848,
        corrected=_GROUPED + "; class weights, and the plateau in a loss that has them too; batch "
        "statistics that follow within 50 steps; the random changes do happen (zoom 0.5: the "
        "published 1.0 magnifies without end); kernels do not saturate; the dense layers stay "
        "linear (with ReLU: --model kernel-cnn-relu)",
    ),
    # Its images are variants in every direction already.
    "mammography-lite0": Recipe(
        TrainConfig(
            **{**_LITE0_GREY, "quarter_turns": True, "vertical_flip": True},
            dataset="mammography",
            epochs=6,
        ),
        total=3_423_272,
        trainable=3_381_256,
    ),
    "ultrasound-vgg16": Recipe(
        TrainConfig(
            **_PLAIN_ADAM,
            dataset="ultrasound",
            model="vgg16-dense-head",
            weights="imagenet",
            image_size=150,
            interpolation="nearest",
            batch_size=32,
            epochs=30,
            rotation=20.0,
            shift=0.2,
            shear=0.2,
            zoom=0.2,
            horizontal_flip=True,
            vertical_flip=False,
        ),
        total=18_910_017,
        trainable=4_195_329,
        loss="binary",
        corrected="split by source scan, with a testing part of its own; VGG's own input scaling "
        "(as published: --model vgg16-dense-head-unit); best epoch kept",
    ),
    # Its images are about 18 variants of each scan, so that fewer epochs show a scan as often.
    "ultrasound-lite0": Recipe(
        TrainConfig(**_LITE0_GREY, dataset="ultrasound", epochs=5),
        total=3_415_586,
        trainable=3_373_570,
    ),
}


def recipe(name: str) -> TrainConfig:
    """Looks the settings of a recipe up by name.

    Raises:
        CancerNetError: unknown; the message lists the known ones.
    """
    if name not in RECIPES:
        raise CancerNetError(unknown("recipe", name, RECIPES))
    return RECIPES[name].settings


@dataclasses.dataclass(frozen=True)
class Start:
    """What to train a data set with first.

    Attributes:
        flags: of train_model.py; none for the default recipe and its data set.
        config: the settings that they give.
        chosen: whether the size of the images chose it, for want of a recipe of its own.
    """

    flags: str
    config: TrainConfig
    chosen: bool


def first_start(dataset: str, side: int) -> Start:
    """Returns what suits a data set: its recipe, else a network with an input of a similar size.

    The latter starts from ImageNet weights where their package is installed.

    Args:
        dataset: its name, also one that is not in the catalogue.
        side: the longer side of most of its images, pixels.
    """
    entry = DATASETS.get(dataset)
    if entry is not None and entry.recipe:
        flags = "" if entry.recipe == DEFAULT_RECIPE else f"--recipe {entry.recipe}"
        return Start(flags, recipe(entry.recipe), chosen=False)
    flags, name = "", DEFAULT_RECIPE
    if packaged_weights() is not None:
        name = "idc-lite0" if side <= SMALL else "busi-lite0"
        flags = f"--recipe {name} "
    own = recipe(name)
    size = own.image_size
    if size <= SMALL:  # a network for patches takes larger ones as they are
        size = min(max(side // 16 * 16, size), SMALL)
    flags += f"--dataset {dataset}" + (f" --image-size {size}" if size != own.image_size else "")
    config = dataclasses.replace(own, dataset=dataset, image_size=size)
    return Start(flags, config, chosen=True)


def describe_recipes() -> str:
    """Returns recipes and networks for a person to read, in lines of at most 79 columns."""
    networks = f"Networks (--model): {', '.join(NETWORKS)}, and {ANY_BACKBONE}"
    wrapped = textwrap.fill(networks, 79, break_on_hyphens=False)
    return "\n\n".join([*map(_told, RECIPES, RECIPES.values()), wrapped])


def _told(name: str, entry: Recipe) -> str:
    config = entry.settings
    length = f"{config.images_seen:,} images" if config.images_seen else f"{config.epochs} epochs"
    start = "from ImageNet weights" if config.weights == "imagenet" else "from random numbers"
    facts = [
        f"{config.dataset}: {config.model}, input {config.image_size}x{config.image_size}, {start}",
        f"{entry.total:,} parameters, of which {entry.trainable:,} learn; {entry.loss} loss",
        f"{length} in batches of {config.batch_size}; {config.optimizer} {config.learning_rate:g}",
    ]
    if entry.corrected:
        facts.append(f"corrected: {entry.corrected}")
    lines = [name + (" (default)" if name == DEFAULT_RECIPE else "")]
    for fact in facts:
        lines += textwrap.wrap(fact, 79, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)
