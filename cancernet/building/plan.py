"""What goes where: decided from the paths, before anything is written."""

import dataclasses
import hashlib
from typing import Any

import numpy as np

from cancernet import __version__
from cancernet.building import splitting
from cancernet.building.columns import Images, LeftOutFile
from cancernet.building.settings import BuildSettings
from cancernet.building.split_lists import check_lists, read_lists, split_by_lists
from cancernet.catalog import Dataset
from cancernet.config import SPLITS

# Fewer images of a class than this say little, and the reader should know.
FEW = 50


@dataclasses.dataclass(frozen=True)
class Plan:
    """What goes where.

    Attributes:
        images: those that have a split.
        splits: int8, one an image, places in `config.SPLITS`.
        left_out: images that the split leaves out.
        warnings: sentences that belong beside every result.
        leak: what leaks between the splits, in a sentence; or empty.
        without_images: ids on a list of whom there is no image.
        unlisted: `patients` and `images` on none of the lists.
    """

    images: Images
    splits: np.ndarray
    left_out: list[LeftOutFile]
    warnings: list[str]
    leak: str
    without_images: list[str]
    unlisted: dict[str, int]


def make_plan(images: Images, dataset: Dataset, settings: BuildSettings) -> Plan:
    """Divides the images as the settings say.

    Raises:
        SplitError: they cannot be divided so; the message says what to do.
        CancerNetError: a list of patients is missing or wrong.
    """
    left_out: list[LeftOutFile] = []
    warnings: list[str] = []
    without_images: list[str] = []
    unlisted = {"patients": 0, "images": 0}
    leak = ""
    if settings.split == "lists":
        listed = split_by_lists(images, read_lists(settings.split_lists), settings.unlisted)
        images, splits, left_out = listed.images, listed.splits, listed.left_out
        without_images, unlisted = listed.without_images, listed.unlisted
        warnings += check_lists(images, splits, dataset)
    elif settings.split == "image":
        splits = splitting.split_by_image(images, dataset, settings.ratios, seed=settings.seed)
        leak = _leak(splitting.straddling_patients(images, splits), len(images.patients))
    else:
        splits = splitting.split_by_patient(images, dataset, settings.ratios, seed=settings.seed)
    warnings += _warn_of_few(images, splits, dataset)
    return Plan(images, splits, left_out, warnings, leak, without_images, unlisted)


def describe_split(settings: BuildSettings) -> str:
    """Says in words how the splits were made."""
    if settings.split == "lists":
        return "by lists of patients: " + ", ".join(path.name for path in settings.split_lists)
    shares = " / ".join(f"{100 * settings.ratios[split]:g} %" for split in SPLITS)
    if settings.split == "image":
        return f"by image, without regard to patients (LEAK), {shares}, seed {settings.seed}"
    return f"by patient, nearest to {shares}, seed {settings.seed}"


def settings_as_built(settings: BuildSettings) -> dict[str, Any]:
    """What, besides the source's files, decides how the built set looks."""
    ids = sorted(read_lists(settings.split_lists).items()) if settings.split == "lists" else []
    return {
        "version": __version__,
        "dataset": settings.dataset,
        "split": settings.split,
        "lists": hashlib.sha256(repr(ids).encode("utf-8", "surrogateescape")).hexdigest(),
        "unlisted": settings.unlisted,
        "link": settings.link,
        "seed": settings.seed,
        "train_split": settings.train_split,
        "validation_split": settings.validation_split,
    }


def _leak(straddling: int, patients: int) -> str:
    return (
        "LEAK: the images were divided without regard to patients (--split image); "
        f"{straddling:,} of {patients:,} patients are in more than one split, so every result "
        "is better than it would be for new patients."
    )


def _warn_of_few(images: Images, splits: np.ndarray, dataset: Dataset) -> list[str]:
    warnings = []
    for place, split in enumerate(SPLITS):
        if split == "training":
            continue
        counts = np.bincount(images.label[splits == place], minlength=len(dataset.classes))
        few = [
            f"{count} of class {name} ({word})"
            for name, word, count in zip(dataset.classes, dataset.words, counts, strict=True)
            if 0 < count < FEW
        ]
        if few:
            warnings.append(
                f"{split} has few images, {' and '.join(few)}: what is measured there about "
                "them is uncertain."
            )
    return warnings
