"""What a build begins with: the settings that a person can choose, and their images.

The images are there, or are drawn or fetched where that was asked for.
"""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cancernet import catalog
from cancernet.base.console import typed
from cancernet.base.errors import CancerNetError
from cancernet.base.settings import (
    check_settings,
    columns_setting,
    flag_of,
    labels_setting,
    patient_table_setting,
    setting,
    setting_fields,
)
from cancernet.base.words import joined
from cancernet.config import (
    DATASETS,
    ORIGINAL,
    SEED,
    SPLITS,
    TRAIN_SPLIT,
    VALIDATION_SPLIT,
    split_ratios,
)

LEAVE_OUT = "leave-out"
# A data set without an entry in the catalogue, described by flags.
FOLDER = "folder"
BY_CONTENT = "content"
BY_IMAGE = "image"
BY_HEADER = "dicom"
OWN = f"your own images (--dataset {FOLDER})"
# Apart from every real data set, so that drawn and real images never come together.
SAMPLE = DATASETS / "sample"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """The settings of one build.

    Raises:
        CancerNetError: a value makes no sense, or values do not go together.
    """

    dataset: str = setting(
        catalog.DEFAULT,
        f"one of {', '.join(catalog.DATASETS)}, or `{FOLDER}` for your own (default: "
        f"{catalog.DEFAULT})",
        common=True,
    )
    source: Path = setting(
        dataclasses.MISSING,
        f"folder with the images as downloaded (default: {ORIGINAL}; for a data set other than "
        f"{catalog.DEFAULT}, {ORIGINAL}-<data set>)",
        metavar="DIR",
        common=True,
    )
    output: Path = setting(
        dataclasses.MISSING,
        f"folder of the built set (default: {DATASETS}/<data set>)",
        metavar="DIR",
        common=True,
    )
    split: str = setting(
        "patient",
        "by patient, or by whatever must stay together (default); by image, for comparison: it "
        "LEAKS; by lists of patients; as shipped by the authors, leaks counted",
        choices=("patient", "image", "lists", "shipped"),
        common=True,
    )
    split_lists: tuple[Path, ...] = setting(
        (),
        "three files with one patient id a line, for --split lists",
        metavar=("TRAIN", "VAL", "TEST"),
    )
    unlisted: str = setting(
        LEAVE_OUT,
        f"where patients on none of the lists go (default: {LEAVE_OUT})",
        choices=(LEAVE_OUT, *SPLITS),
    )
    link: str = setting(
        "copy",
        "copy the images (default), or link to the source, which must then stay as it is",
        choices=("copy", "hard", "symbolic"),
        common=True,
    )
    seed: int = setting(SEED, f"seed of the split (default: {SEED})", least=0)
    train_split: float = setting(
        TRAIN_SPLIT,
        f"share for training and validation together (default: {TRAIN_SPLIT})",
    )
    validation_split: float = setting(
        VALIDATION_SPLIT,
        f"share of the former for validation (default: {VALIDATION_SPLIT})",
    )
    classes: tuple[str, ...] = setting(
        (), "folders of the classes, in order", group=OWN, common=True
    )
    positive: tuple[str, ...] = setting((), "classes that are positive", group=OWN, common=True)
    words: tuple[str, ...] = setting(
        (), "what each class means to a reader", metavar="WORD", group=OWN
    )
    group_by: str = setting(
        "",
        f"finds the patient in a path (its first group); `{BY_CONTENT}` (default): images that "
        f"look alike stay together; `{BY_IMAGE}`: each image is on its own; `{BY_HEADER}`: the "
        "patient in the headers of DICOM files, whose id is not kept",
        metavar="REGEX",
        group=OWN,
    )
    table: Path | None = setting(
        None,
        "table of filename,label[,patient] where the labels are not the folders",
        metavar="FILE",
        group=OWN,
    )
    patient_table: Path | None = patient_table_setting("--table", OWN)
    columns: tuple[str, ...] = columns_setting(OWN, goes_with="table patient_table")
    labels: tuple[str, ...] = labels_setting(OWN, goes_with="table")
    include_masks: bool = setting(
        False,
        "busi only: take masks for images, the FAULT of a published system, to repeat it",
        switch=True,
    )
    allow_leaks: bool = setting(
        False,
        "build a split even if it leaks; every report made from it will say so",
        switch=True,
    )

    allow_one_sided: bool = setting(
        False,
        "build by lists even if validation has no positive or no negative image, so that it can "
        "choose no operating point",
        switch=True,
    )

    def __post_init__(self) -> None:
        if self.dataset == FOLDER:
            self._check_own()
        else:
            self._check_entry()
        split_ratios(self.train_split, self.validation_split)
        check_settings(self)
        if self.split == "lists" and len(self.split_lists) != len(SPLITS):
            raise CancerNetError(
                "--split lists needs --split-lists TRAIN VAL TEST, three files with one patient "
                "id a line"
            )
        of_lists = self.split_lists or self.unlisted != LEAVE_OUT or self.allow_one_sided
        if self.split != "lists" and of_lists:
            raise CancerNetError(
                "--split-lists, --unlisted and --allow-one-sided go with --split lists"
            )

    def _check_entry(self) -> None:
        entry = catalog.dataset(self.dataset)
        own = [field for field in setting_fields(self) if field.metadata["group"] == OWN]
        if any(getattr(self, field.name) for field in own):
            flags = [flag_of(field.name) for field in own]
            raise CancerNetError(
                f"{joined(flags)} describe a data set without an entry in the catalogue: use "
                f"--dataset {FOLDER}"
            )
        if self.include_masks and entry.identify_with_masks is None:
            raise CancerNetError(
                f"--include-masks repeats a fault that no system had on {self.dataset}"
            )

    def _check_own(self) -> None:
        catalog.OwnClasses(self.classes, self.positive, self.words)
        if self.patient_table is not None and self.group_by:
            raise CancerNetError(
                "--patient-table and --group-by both say what belongs together; leave out one"
            )
        if self.include_masks:
            raise CancerNetError("--include-masks repeats the fault of one system, on busi only")
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise CancerNetError(
                f"--group-by {self.group_by!r} is not a regular expression ({error})"
            ) from None

    @property
    def by_content(self) -> bool:
        """Whether own images that look alike stay together."""
        return self.group_by in ("", BY_CONTENT)

    @property
    def pattern(self) -> str:
        """The regular expression of `group_by`, or empty."""
        words = ("", BY_CONTENT, BY_IMAGE, BY_HEADER)
        return "" if self.group_by in words else self.group_by

    @property
    def ratios(self) -> dict[str, float]:
        """Share of all images for each split."""
        return split_ratios(self.train_split, self.validation_split)


def prepare(
    given: Mapping[str, Any], *, sample: bool = False, download: bool = False
) -> BuildSettings:
    """Completes the settings of a build with the usual folders, and sees that images are there.

    Args:
        given: settings by the names of the fields of `BuildSettings`.
        sample: draw a sample and build from it.
        download: fetch the published images first.

    Raises:
        CancerNetError: there are no images, or settings do not go together.
    """
    name = given.get("dataset") or catalog.DEFAULT
    usual = {
        "dataset": name,
        "source": _default_source(name, sample=sample),
        "output": (SAMPLE if sample else DATASETS) / name,
    }
    settings = BuildSettings(**{**usual, **given})
    return _with_images(settings, sample=sample, download=download, named="source" in given)


def _with_images(
    settings: BuildSettings, *, sample: bool, download: bool, named: bool
) -> BuildSettings:
    """Draws or fetches the images where that was asked; returns where they are."""
    if sample and download:
        raise CancerNetError("--sample and --download exclude each other; choose one")
    if download and named:
        raise CancerNetError("--download decides where the images go; leave out --source")
    if settings.dataset == FOLDER:
        if sample or download:
            raise CancerNetError(
                f"--dataset {FOLDER} has no sample and no download; name your images with "
                f"--source, or a data set of the catalogue: {', '.join(catalog.DATASETS)}"
            )
        if not named:
            raise CancerNetError(
                f"--dataset {FOLDER} needs --source DIR, the folder of your images"
            )
    elif sample:
        from cancernet.sample.layouts import draw_sample

        draw_sample(settings.dataset, settings.source)
    elif download:
        from cancernet.building.source_files import download as fetch

        return dataclasses.replace(settings, source=fetch(catalog.dataset(settings.dataset)))
    elif not named:
        _refuse_no_data(catalog.dataset(settings.dataset), settings.source)
    return settings


def _default_source(name: str, *, sample: bool) -> Path:
    """Returns where the images of a data set are unless the user says otherwise."""
    folder = SAMPLE / "original" if sample else ORIGINAL
    return folder if name == catalog.DEFAULT else folder.with_name(f"{folder.name}-{name}")


def _refuse_no_data(dataset: catalog.Dataset, folder: Path) -> None:
    if folder.is_dir() and any(entry.name != "README.md" for entry in folder.iterdir()):
        return
    from cancernet.sample.layouts import SAMPLES

    advice = f"put the files of {dataset.name} there, unpacked (origin: {dataset.origin})"
    if dataset.kaggle:
        advice = (
            f"download {dataset.address} (Kaggle name {dataset.kaggle}) and unpack it there, or "
            "use --download"
        )
    if dataset.name in SAMPLES:
        flags = "" if dataset.name == catalog.DEFAULT else f" --dataset {dataset.name}"
        advice += f"; `{typed('build')} --sample{flags}` tries everything on a drawn sample"
    raise CancerNetError(f"there are no images in {folder}: {advice}")
