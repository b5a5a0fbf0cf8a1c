"""Where files are, how data are divided, and every setting of a training.

The first two are constants; the third is `TrainConfig`, whose fields become the
flags of `train_model.py` (`learning_rate` -> `--learning-rate`) and are stored in
the run. `cancernet.recipes` fills it in, one named row per system.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cancernet.base.errors import CancerNetError, SettingsError
from cancernet.base.settings import check_settings, setting

# Paths are relative to the folder the scripts are started in.
DATASETS = Path("datasets")
ORIGINAL = DATASETS / "original"
OUTPUT = Path("output")
MLFLOW = OUTPUT / "mlflow"

SPLITS = ("training", "validation", "testing")

# 80 % for training and validation together, of which 10 % validate; 20 % test.
TRAIN_SPLIT = 0.8
VALIDATION_SPLIT = 0.1
SEED = 7

OPTIMIZERS = ("adagrad", "adam", "adamw", "sgd")
SCHEDULES = ("constant", "inverse-time", "cosine")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
MONITORS = ("val_loss", "val_balanced_loss", "val_accuracy", "val_auc", "last")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
CALIBRATIONS = ("none", "temperature", "isotonic")
RULES = ("smoothed", "youden", "sensitivity", "cost", "fixed")
FREEZE = ("auto", "yes", "no")
# Settings of `TrainConfig` that ImageDataGenerator has nothing for.
NOT_STOCK = ("patient_balance", "quarter_turns", "color_jitter", "stain_jitter", "mixup")
TEST_TIME_AUGMENTATIONS = ("none", "mirror", "turn", "quarter-turns", "symmetries")
LEAST_EPOCHS, MOST_EPOCHS = 3, 200  # of a training whose length is given in images
FAST, STOCK = STREAMS = ("fast", "stock")

# Headings of `train_model.py --help-all`, by the first setting below each.
HEADINGS = {
    "dataset": "data and network",
    "weights": "first weights",
    "epochs": "length and steps",
    "class_weights": "classes and patients",
    "rotation": "how images are varied",
    "monitor": "which epoch is kept",
    "calibration": "probabilities and operating point",
    "limit": "images and machine",
}


def split_ratios(
    train_split: float = TRAIN_SPLIT, validation_split: float = VALIDATION_SPLIT
) -> dict[str, float]:
    """Returns the share of all patches for each split; the three add up to 1.

    Args:
        train_split: share for training and validation together, in (0, 1).
        validation_split: share of the former that validates, in (0, 1).

    Raises:
        CancerNetError: a ratio leaves a split empty.
    """
    for name, value in (("train split", train_split), ("validation split", validation_split)):
        if not 0 < value < 1:
            raise CancerNetError(
                f"the {name} is {value}, but must lie between 0 and 1 so that no split is empty"
            )
    return {
        "training": train_split * (1 - validation_split),
        "validation": train_split * validation_split,
        "testing": 1 - train_split,
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Every setting of one training. Checked when made; never changed afterwards.

    Raises:
        CancerNetError: a value is outside its bounds; the message names the flag.
    """

    dataset: str = setting("idc", "data set, by the name that `build_dataset.py --dataset` takes")
    model: str = setting("cancernet", "network; `train_model.py --list-recipes` names them all")
    image_size: int = setting(48, "height and width of the network's input, pixels", least=8)
    interpolation: str = setting(
        "bilinear", "how images are resized to that size", choices=INTERPOLATIONS
    )

    weights: str = setting(
        "none",
        "initial weights: none (random numbers), imagenet (of the backbone; Keras downloads "
        "them, those of efficientnet-lite0 come as a package), or a file with those of the "
        "backbone or of the whole network",
    )
    freeze: str = setting(
        "auto",
        "whether the backbone keeps its initial weights; auto: as in the published network",
        choices=FREEZE,
    )
    fine_tune_epochs: int = setting(
        0,
        "epochs of a second phase, after the head has been trained alone: it also trains the top "
        "of the backbone, except its batch normalization; 0: no second phase",
        least=0,
    )
    fine_tune_layers: int = setting(
        12, "how many of the backbone's last layers the second phase trains", least=1
    )
    fine_tune_learning_rate: float = setting(
        1e-5, "initial (peak) learning rate of the second phase", above=0
    )

    epochs: int = setting(40, "passes over the training images", least=1, common=True)
    images_seen: int = setting(
        0,
        f"length in images instead: as many epochs as show about this many, {LEAST_EPOCHS} to "
        f"{MOST_EPOCHS}; 0, or --epochs by itself: as many as --epochs says",
        least=0,
    )
    batch_size: int = setting(32, "images per step", least=1, common=True)
    optimizer: str = setting("adagrad", "optimizer", choices=OPTIMIZERS)
    learning_rate: float = setting(1e-2, "initial (peak) learning rate", above=0, common=True)
    schedule: str = setting(
        "inverse-time",
        "how the learning rate falls; inverse-time is rate/(1 + step*rate/epochs), the "
        "tutorial's decay",
        choices=SCHEDULES,
    )
    warmup_epochs: float = setting(
        0.0, "epochs in which the rate of a cosine schedule first rises from 0", least=0
    )
    momentum: float = setting(0.0, "momentum of SGD", least=0, below=1)
    weight_decay: float = setting(0.0, "decoupled weight decay of AdamW", least=0)
    clip_value: float = setting(0.0, "clip every gradient to +-this; 0: no clipping", least=0)
    weight_averaging: float = setting(
        0.0,
        "keep an exponential average of the weights with this momentum; 0: no averaging",
        least=0,
        below=1,
    )
    label_smoothing: float = setting(0.0, "label smoothing", least=0, below=1)
    batch_norm_momentum: float = setting(
        0.99, "momentum of the moving batch statistics, which prediction uses", above=0, below=1
    )
    convolution_dropout: float = setting(
        1.0,
        "factor on the dropout rates of feature maps while the network trains, where it has such "
        "dropout; 0: none is dropped; the head keeps its rates",
        least=0,
        most=1,
    )
    precise_batch_norm: bool = setting(
        False,
        "when the weights are final, compute the statistics of batch normalization again, on "
        "training images without random changes or dropout",
    )
    class_weights: bool = setting(True, "weight classes against imbalance (largest count / count)")

    patient_balance: float = setting(
        0.0,
        "draw images with a chance of 1 / (images of the patient)^X, so that patients with many "
        "do not decide alone; 0: every image once an epoch, 1: all patients as often",
        least=0,
        most=1,
    )

    rotation: float = setting(20.0, "random rotation, +-degrees", least=0, most=180)
    zoom: float = setting(0.05, "random zoom, +-share", least=0, below=1)
    shift: float = setting(0.1, "random shift both ways, +-share of the side", least=0, below=1)
    shear: float = setting(0.05, "random shear, +-degrees (as in ImageDataGenerator)", least=0)
    horizontal_flip: bool = setting(True, "mirror half of the images left-right")
    vertical_flip: bool = setting(True, "mirror half of the images top-bottom")
    quarter_turns: bool = setting(False, "turn by a random multiple of 90 degrees")
    color_jitter: float = setting(
        0.0, "random change of brightness, contrast and colour, +-share", least=0, below=1
    )
    stain_jitter: float = setting(
        0.0, "random change of haematoxylin and eosin strength, +-share", least=0, below=1
    )

    mixup: float = setting(
        0.0, "mix pairs of images and labels, with shares from Beta(X, X); 0: no mixing", least=0
    )

    monitor: str = setting(
        "val_loss",
        "validation measure whose best epoch is kept; `last` keeps the last epoch, for a "
        "schedule that falls to 0",
        choices=MONITORS,
    )
    patience: int = setting(0, "stop after N epochs without a better one; 0: never", least=0)
    plateau_factor: float = setting(
        0.0, "multiply the learning rate by this on a plateau; 0: never", least=0, below=1
    )
    plateau_patience: int = setting(
        3, "epochs without a better one that count as a plateau", least=1
    )

    test_time_augmentation: str = setting(
        "none",
        "orientations of an image that the trained network judges, averaging the log odds: the "
        "image as it is (`none`), also mirrored left-right (`mirror`) or turned by 90 degrees "
        "(`turn`), all four `quarter-turns`, or all eight `symmetries`; takes 2, 2, 4 or 8 times "
        "as long",
        choices=TEST_TIME_AUGMENTATIONS,
    )
    calibration: str = setting(
        "temperature",
        "correction of the probabilities, fitted on validation and applied to every prediction: "
        "`temperature` (one number, pulled towards 1 when validation has few patients; the effect "
        "of class weights is taken out), "
        "`isotonic` (for two classes and many patients) or `none`",
        choices=CALIBRATIONS,
    )
    context: bool = setting(
        True,
        "judge every patch alone and, where file names tell its place on a slide, with its "
        "neighbours too",
    )
    slide_points: bool = setting(
        True,
        "in context, give a nearly complete slide an operating point of its own, which divides the "
        "scores of its patches into two groups",
    )
    operating_rule: str = setting(
        "youden",
        "how the operating point is chosen on validation: `sensitivity` reaches "
        "--target-sensitivity, for screening, where a missed cancer is the worse error; `cost` "
        "weighs the two errors by --cost-ratio; `youden` gives the most sensitivity + "
        "specificity; `smoothed` the most that can be expected when scores shift from patient "
        "to patient, for comparing methods on few patients; `fixed` takes --threshold",
        choices=RULES,
    )
    target_sensitivity: float = setting(
        0.95, "sensitivity that `--operating-rule sensitivity` must reach", above=0, most=1
    )
    cost_ratio: float = setting(
        5.0,
        "false alarms that one missed positive costs in `--operating-rule cost`",
        above=0,
        below=1e6,
    )
    threshold: float = setting(0.5, "threshold of `--operating-rule fixed`", least=0, most=1)

    limit: int = setting(0, "use at most N images of each split, to try a system; 0: all", least=0)
    synchronized: bool = setting(
        True, "with several workers or GPUs, take batch statistics over all of them"
    )
    seed: int = setting(SEED, "seed of every random number", least=0, most=2**31 - 1, common=True)
    precision: str = setting(
        "auto", "arithmetic of the training; the saved model is float32", choices=PRECISIONS
    )
    stream: str = setting(
        FAST,
        "how images reach the network: `fast`, or `stock`, which trains from "
        "ImageDataGenerator.flow_from_directory on the class folders with Keras's own layers and "
        "model.fit, as the tutorial does",
        choices=STREAMS,
    )
    cache: bool = setting(True, "decode every image once, into a file beside the data set")

    def __post_init__(self) -> None:
        check_settings(self)
        self._check_together()

    def changed(self, given: Mapping[str, Any]) -> "TrainConfig":
        """Returns the settings with those given; `epochs` given by itself is the length.

        Raises:
            CancerNetError: a value is outside its bounds.
        """
        length = {"images_seen": 0} if "epochs" in given else {}
        return dataclasses.replace(self, **(length | dict(given)))

    def for_images(self, images: int) -> "TrainConfig":
        """Returns the settings with the epochs that `images_seen` means for this many images."""
        if not self.images_seen:
            return self
        epochs = min(max(LEAST_EPOCHS, round(self.images_seen / images)), MOST_EPOCHS)
        return dataclasses.replace(self, epochs=epochs)

    def _check_together(self) -> None:
        """Refuses settings that would have no effect, or another than their help says."""
        if self.monitor == "last" and (self.patience or self.plateau_factor):
            flag = "--patience" if self.patience else "--plateau-factor"
            raise SettingsError(
                f"{flag} waits for a better epoch, but with --monitor last none is better than "
                "another; add --monitor val_loss"
            )
        if self.fine_tune_epochs and self.freeze == "no":
            raise SettingsError(
                "--fine-tune-epochs trains the head on a frozen backbone first, so it does not go "
                "with --freeze no; leave one of them out"
            )
        if self.stream == STOCK:
            self._check_stock()
        if self.plateau_factor and self.schedule != "constant":
            raise SettingsError(
                f"--plateau-factor lowers a constant rate, but the schedule is {self.schedule}; "
                "add --schedule constant"
            )

    def _check_stock(self) -> None:
        """Refuses what the stock stream cannot do."""
        for name in NOT_STOCK:
            if getattr(self, name):
                raise SettingsError(
                    f"--{name.replace('_', '-')} is nothing that ImageDataGenerator does; "
                    "leave it out, or add --stream fast"
                )
        if self.precision not in ("auto", "float32"):
            raise SettingsError(
                f"--stream stock computes in float32, but --precision is {self.precision}; leave "
                "one of them out"
            )
