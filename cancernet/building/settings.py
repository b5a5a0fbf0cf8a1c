"""What a person can choose about a build; checked when made."""

import dataclasses
from pathlib import Path

from cancernet import catalog
from cancernet.config import SEED, SPLITS, TRAIN_SPLIT, VALIDATION_SPLIT, split_ratios
from cancernet.errors import CancerNetError

SPLIT_KINDS = ("patient", "image", "lists")
LINKS = ("copy", "hard", "symbolic")
LEAVE_OUT = "leave-out"
UNLISTED = (LEAVE_OUT, *SPLITS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """Every choice of one build.

    Attributes:
        dataset: name in the catalogue.
        source: folder as downloaded.
        output: folder that will hold the built set.
        split: `patient`, `image` or `lists`.
        split_lists: files of patient ids for training, validation, testing.
        unlisted: what becomes of patients on none of the lists.
        link: whether images are copied or linked.
        seed: of the split.
        train_split, validation_split: see `config.split_ratios`.

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

    def __post_init__(self) -> None:
        catalog.dataset(self.dataset)
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

    @property
    def ratios(self) -> dict[str, float]:
        """Share of all images for each split."""
        return split_ratios(self.train_split, self.validation_split)
