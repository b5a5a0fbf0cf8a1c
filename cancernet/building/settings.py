"""What a person can choose about a build; checked when made."""

import dataclasses
import re
from pathlib import Path

from cancernet import catalog
from cancernet.base.errors import CancerNetError
from cancernet.config import SEED, SPLITS, TRAIN_SPLIT, VALIDATION_SPLIT, split_ratios

SPLIT_KINDS = ("patient", "image", "lists", "shipped")
LINKS = ("copy", "hard", "symbolic")
LEAVE_OUT = "leave-out"
# A data set without an entry in the catalogue, described by flags.
FOLDER = "folder"
BY_CONTENT = "content"
BY_IMAGE = "image"
MOST_CLASSES = 127  # a label takes one byte in `Images.label`
UNLISTED = (LEAVE_OUT, *SPLITS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """Every choice of one build.

    Attributes:
        dataset: name in the catalogue.
        source: folder as downloaded.
        output: folder that will hold the built set.
        split: `patient`, `image`, `lists` or `shipped`.
        split_lists: files of patient ids for training, validation, testing.
        unlisted: what becomes of patients on none of the lists.
        link: whether images are copied or linked.
        seed: of the split.
        train_split, validation_split: see `config.split_ratios`.
        include_masks: take segmentation masks for images, to repeat a published fault.
        classes, positive, words: of a data set without an entry in the catalogue.
        group_by: how its images belong together: `content`, `image`, or a regular expression.
        allow_leaks: build a split that leaks all the same.
        table: its CSV file of `filename,label[,patient]`, where the labels are not folders.

    Raises:
        CancerNetError: a value makes no sense, or values do not go together.
    """

    dataset: str
    source: Path
    output: Path
    split: str = "patient"
    split_lists: tuple[Path, ...] = ()
    unlisted: str = LEAVE_OUT
    link: str = "copy"
    seed: int = SEED
    train_split: float = TRAIN_SPLIT
    validation_split: float = VALIDATION_SPLIT
    include_masks: bool = False
    classes: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    group_by: str = ""
    table: Path | None = None
    allow_leaks: bool = False

    def __post_init__(self) -> None:
        self._check_description()
        split_ratios(self.train_split, self.validation_split)
        for flag, value, known in (
            ("--split", self.split, SPLIT_KINDS),
            ("--unlisted", self.unlisted, UNLISTED),
            ("--link", self.link, LINKS),
        ):
            if value not in known:
                raise CancerNetError(f"{flag} is {value!r}; choose from {', '.join(known)}")
        if self.seed < 0:
            raise CancerNetError(f"--seed is {self.seed}, but must be at least 0")
        if self.split == "lists" and len(self.split_lists) != len(SPLITS):
            raise CancerNetError(
                "--split lists needs --split-lists TRAIN VAL TEST, three files with one patient "
                "id a line"
            )
        if self.split != "lists" and (self.split_lists or self.unlisted != LEAVE_OUT):
            raise CancerNetError("--split-lists and --unlisted go with --split lists")

    def _check_description(self) -> None:
        if self.dataset != FOLDER:
            entry = catalog.dataset(self.dataset)
            if self.classes or self.positive or self.words or self.group_by or self.table:
                raise CancerNetError(
                    "--classes, --positive, --words, --group-by and --table describe a data set "
                    f"without an entry in the catalogue: use --dataset {FOLDER}"
                )
            if self.include_masks and entry.identify_with_masks is None:
                raise CancerNetError(
                    f"--include-masks repeats a fault that no system had on {self.dataset}"
                )
            return
        _check_classes(self.classes, self.positive, self.words)
        if self.include_masks:
            raise CancerNetError("--include-masks repeats the fault of one system, on busi only")
        if self.group_by not in ("", BY_CONTENT, BY_IMAGE):
            try:
                re.compile(self.group_by)
            except re.error as error:
                raise CancerNetError(
                    f"--group-by {self.group_by!r} is no regular expression ({error})"
                ) from None

    @property
    def ratios(self) -> dict[str, float]:
        """Share of all images for each split."""
        return split_ratios(self.train_split, self.validation_split)


def _check_classes(
    classes: tuple[str, ...], positive: tuple[str, ...], words: tuple[str, ...]
) -> None:
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise CancerNetError(
            f"--dataset {FOLDER} needs --classes with at least two different names, in the order "
            "of the network's outputs"
        )
    if len(classes) > MOST_CLASSES:
        raise CancerNetError(
            f"--classes has {len(classes)} names, more than the {MOST_CLASSES} that there may be; "
            "join some"
        )
    for name in classes:
        if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise CancerNetError(f"--classes has {name!r}, which cannot be the name of a folder")
    if len({name.casefold() for name in classes}) < len(classes):
        raise CancerNetError("--classes has two names that differ in capitals only")
    strangers = [name for name in positive if name not in classes]
    if strangers:
        raise CancerNetError(
            f"--positive has {', '.join(strangers)}, not among --classes {' '.join(classes)}"
        )
    if not 0 < len(set(positive)) < len(classes):
        raise CancerNetError(
            "--positive must name some of the --classes, but not all: those whose recall is the "
            "sensitivity"
        )
    if words and len(words) != len(classes):
        raise CancerNetError(f"--words has {len(words)} names for {len(classes)} --classes")
    if len(set(words)) < len(words):
        raise CancerNetError("--words has the same word for two classes; nobody could tell them")
