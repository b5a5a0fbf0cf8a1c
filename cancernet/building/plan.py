"""What goes where: decided from the paths, before anything is written."""

import dataclasses
import hashlib
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from cancernet import __version__
from cancernet.building.settings import BuildSettings
from cancernet.catalog import Dataset, is_mask
from cancernet.catalog.patient_id import patient_key, say_respelled
from cancernet.config import SPLITS
from cancernet.dataset import patient_split
from cancernet.dataset.images import Images, LeftOutFile
from cancernet.dataset.label_table import table_digest
from cancernet.dataset.leaks import find_leaks
from cancernet.dataset.shipped_split import split_as_shipped
from cancernet.dataset.split_lists import check_lists, read_lists, split_by_lists
from cancernet.lookalike import content_groups

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
        leaks: what is in more than one split, a sentence each, with names.
        without_images: ids on a list of whom there is no image.
        unlisted: `patients` and `images` on none of the lists.
        absent: split -> classes of which it has no image.
    """

    images: Images
    splits: np.ndarray
    left_out: list[LeftOutFile]
    warnings: list[str]
    leak: str
    leaks: list[str]
    without_images: list[str]
    unlisted: dict[str, int]
    absent: dict[str, list[str]]


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
    leaks: list[str] = []
    unit = dataset.unit
    if settings.split == "lists":
        listed = split_by_lists(images, read_lists(settings.split_lists), settings.unlisted)
        images, splits, left_out = listed.images, listed.splits, listed.left_out
        without_images, unlisted = listed.without_images, listed.unlisted
        warnings += filter(None, [say_respelled(listed.respelled)])
        warnings += check_lists(images, splits, dataset)
    elif settings.split == "image":
        splits = patient_split.split_by_image(images, dataset, settings.ratios, seed=settings.seed)
        straddling = patient_split.straddling_patients(images, splits)
        if straddling:
            leaks.append(_leak_by_image(straddling, len(images.patients), unit))
    elif settings.split == "shipped":
        splits = split_as_shipped(images, dataset, settings)
        straddling = patient_split.straddling_patients(images, splits)
        if straddling:
            leaks.append(_leak_as_shipped(images, splits, straddling, unit))
    else:
        splits = patient_split.split_by_patient(
            images, dataset, settings.ratios, seed=settings.seed
        )
        warnings += patient_split.warn_of_scarce(images, splits, dataset)
    straddling_named = find_leaks(images, splits, unit)
    if straddling_named and not leaks:
        leaks.append("LEAK: " + " ".join(straddling_named))
    if settings.include_masks:
        leaks.append(_masks(images))
    warnings += _warn_of_few(images, splits, dataset)
    if dataset.by_content:
        warnings += content_groups.warn_of_two_labels(images, dataset)
    if dataset.grouping:
        warnings.append(dataset.grouping)
    absent = find_absent(images, splits, dataset)
    return Plan(
        images=images,
        splits=splits,
        left_out=left_out,
        warnings=warnings,
        leak=" ".join(leaks),
        leaks=straddling_named,
        without_images=without_images,
        unlisted=unlisted,
        absent=absent,
    )


def describe_split(settings: BuildSettings, dataset: Dataset, *, leaks: bool) -> str:
    """Says in words how the splits were made."""
    if settings.split == "lists":
        return "by lists of patients: " + ", ".join(path.name for path in settings.split_lists)
    shares = " / ".join(f"{100 * settings.ratios[split]:g} %" for split in SPLITS)
    unit = dataset.unit
    if settings.split == "shipped":
        return f"as shipped by its authors, validation from its training part by {unit}"
    if settings.split == "image":
        mark = " (LEAK)" if leaks else ""
        return f"by image, without regard to {unit}s{mark}, {shares}, seed {settings.seed}"
    return f"by {unit}, nearest to {shares}, seed {settings.seed}"


def settings_as_built(settings: BuildSettings) -> dict[str, Any]:
    """What, besides the source's files, decides how the built set looks."""
    lists = read_lists(settings.split_lists) if settings.split == "lists" else {}
    ids = sorted((patient_key(patient), split) for patient, split in lists.items())
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
        "include_masks": settings.include_masks,
        "classes": list(settings.classes),
        "positive": list(settings.positive),
        "words": list(settings.words),
        "group_by": settings.group_by,
        "looking": content_groups.VERSION,
        "table": table_digest(settings),
    }


def find_absent(images: Images, splits: np.ndarray, dataset: Dataset) -> dict[str, list[str]]:
    """Returns split -> classes of which it has no image, for every split."""
    absent = {}
    for place, split in enumerate(SPLITS):
        present = set(images.label[splits == place].tolist())
        absent[split] = [n for i, n in enumerate(dataset.classes) if i not in present]
    return absent


def _leak_by_image(straddling: int, patients: int, unit: str) -> str:
    return (
        f"LEAK: the images were divided without regard to {unit}s (--split image); "
        f"{straddling:,} of {patients:,} {unit}s are in more than one split, so every result "
        "is better than it would be for new patients."
    )


def _leak_as_shipped(images: Images, splits: np.ndarray, straddling: int, unit: str) -> str:
    testing = SPLITS.index("testing")
    known = np.isin(images.patient, np.unique(images.patient[splits != testing]))
    tested = splits == testing
    return (
        f"LEAK: the split is the one that the data set was shipped with; {straddling:,} of "
        f"{len(images.patients):,} {unit}s are in more than one of its parts, and "
        f"{int((tested & known).sum()):,} of {int(tested.sum()):,} testing images have a sibling "
        "in training or validation, so every result is better than it would be for new patients."
    )


def _masks(images: Images) -> str:
    masks = sum(is_mask(PurePosixPath(path)) for path in images.sources)
    return (
        f"MASKS AS IMAGES: {masks:,} of {len(images):,} images are segmentation masks "
        "(--include-masks), which spell out the label, and duplicates are kept; this repeats the "
        "fault of a published system, and no result says anything about scans."
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
