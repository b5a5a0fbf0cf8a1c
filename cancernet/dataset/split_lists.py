"""Splits by three files of patient ids, as authors publish them."""

import dataclasses
from pathlib import Path

import numpy as np

from cancernet.base.errors import CancerNetError, SplitError
from cancernet.base.patch_name import Respelled, find_respelled, patient_key
from cancernet.base.tables import read_list
from cancernet.catalog import Dataset, LeftOutFile, Reason
from cancernet.config import SPLITS
from cancernet.dataset.build_record import Unlisted
from cancernet.dataset.images import Images
from cancernet.dataset.notices import Notice, NoticeKind


@dataclasses.dataclass(frozen=True)
class Listed:
    """What the lists make of the images.

    Attributes:
        images: those that have a split.
        splits: int8, one an image, places in `config.SPLITS`.
        left_out: images of patients on no list.
        without_images: ids on a list without an image, sorted.
        unlisted: how many patients are on no list, and how many images they have.
        respelled: patients whose id is spelled differently on a list and with the images.
    """

    images: Images
    splits: np.ndarray
    left_out: list[LeftOutFile]
    without_images: list[str]
    unlisted: Unlisted
    respelled: list[Respelled]


def read_lists(files: tuple[Path, ...]) -> dict[str, str]:
    """Reads three files of ids; returns id, as the lists first spell it -> split.

    Raises:
        CancerNetError: a file is missing, empty or not text, or an id is on two lists.
    """
    split_of: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for split, file in zip(SPLITS, files, strict=True):
        ids = read_list(file)
        if not ids:
            raise CancerNetError(f"the {split} list {file} names no patient")
        for patient in ids:
            first = spelled.setdefault(patient_key(patient), patient)
            if split_of.setdefault(first, split) != split:
                also = "" if first == patient else f" (as {first} and as {patient})"
                raise CancerNetError(
                    f"patient {first} is on two lists, {split_of[first]} and {split}{also}; "
                    "nobody may be in two splits: take the id out of one"
                )
    return split_of


def split_by_lists(images: Images, split_of: dict[str, str], unlisted: str | None = None) -> Listed:
    """Gives every image the split of its patient.

    Patients on none of the lists go to the split `unlisted`; without one they are left out.
    """
    default = -1 if unlisted is None else SPLITS.index(unlisted)
    place_of = {patient_key(patient): SPLITS.index(split) for patient, split in split_of.items()}
    keys = [patient_key(patient) for patient in images.patients]
    place = np.array([place_of.get(key, default) for key in keys], np.int8)
    splits = place[images.patient]
    kept = np.flatnonzero(splits >= 0)
    strangers = np.array([key not in place_of for key in keys], bool)
    there = set(keys)
    listed_here = {patient for patient in split_of if patient_key(patient) in there}
    return Listed(
        images=images.take(kept),
        splits=splits[kept],
        left_out=[
            LeftOutFile(images.sources[i], Reason.UNLISTED, images.patients[int(images.patient[i])])
            for i in np.flatnonzero(splits < 0).tolist()
        ],
        without_images=sorted(set(split_of) - listed_here),
        unlisted=Unlisted(
            patients=int(strangers.sum()), images=int(strangers[images.patient].sum())
        ),
        respelled=find_respelled({*listed_here, *images.patients}),
    )


def check_lists(
    images: Images, splits: np.ndarray, dataset: Dataset, *, one_sided: bool = False
) -> list[Notice]:
    """Returns what validation and testing lack; refuses what cannot be trained or judged.

    Somebody chose these lists, perhaps to repeat a published result. A class that is missing in
    validation or testing leaves measures undefined, and that is their decision. Training without
    a class, or a split without any image, would only fail later. Validation without positives, or
    without negatives, can choose no operating point: the user must insist on that.

    Args:
        images: those on the lists.
        splits: (images,) places in `SPLITS`.
        one_sided: whether validation may lack positives or negatives.

    Raises:
        SplitError: a split has no image, training lacks a class, or validation a side.
    """
    notices = []
    for place, split in enumerate(SPLITS):
        present = set(images.label[splits == place].tolist())
        if not present:
            raise SplitError(
                f"none of the patients on the {split} list has an image here; compare the ids "
                "on the list with the folders' names, or use --split patient"
            )
        if split == "validation" and not one_sided:
            _refuse_one_sided(present, dataset)
        for index in sorted(set(range(len(dataset.classes))) - present):
            if split == "training":
                raise SplitError(
                    "the patients on the training list have no image of class "
                    f"{dataset.called(index)}, so a network cannot learn it; change the lists, or "
                    "use --split patient"
                )
            notices.append(
                Notice(kind=NoticeKind.NO_IMAGES, split=split, classes=(dataset.called(index),))
            )
    return notices


def _refuse_one_sided(present: set[int], dataset: Dataset) -> None:
    """Raises SplitError where the classes of validation are all positive, or all negative."""
    sides = {dataset.classes[index] in dataset.positive for index in present}
    if len(sides) == 1:
        lacking = "negative" if sides.pop() else "positive"
        raise SplitError(
            f"the patients on the validation list have no {lacking} image, so no operating point "
            "can be chosen; change the lists, send unlisted patients there with --unlisted "
            "validation, use --split patient, or insist with --allow-one-sided"
        )
