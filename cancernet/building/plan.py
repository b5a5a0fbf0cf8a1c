"""What goes where: decided from the paths, before anything is written."""

import dataclasses
import functools
import hashlib
from pathlib import Path, PurePosixPath

import numpy as np

from cancernet.building.settings import LEAVE_OUT, BuildSettings
from cancernet.catalog import Dataset, LeftOutFile, is_mask
from cancernet.config import SPLITS
from cancernet.dataset.build_record import Unlisted
from cancernet.dataset.find_leaks import find_leaks
from cancernet.dataset.images import Images
from cancernet.dataset.notices import FEW, Leak, LeakKind, Notice, NoticeKind, notice_respelled
from cancernet.dataset.split_lists import check_lists, read_lists, split_by_lists
from cancernet.dataset.splitting import (
    notice_scarce,
    split_as_shipped,
    split_by_image,
    split_by_patient,
)
from cancernet.lookalike import grouping

LONGEST = 255  # bytes of a file name that every common file system takes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What goes where.

    Attributes:
        images: those that have a split.
        splits: int8, one an image, places in `config.SPLITS`.
        left_out: images that the split leaves out.
        notices: what belongs beside every result.
        leaks: what makes results too good.
        without_images: ids on a list without an image.
        unlisted: what is on none of the lists.
    """

    dataset: Dataset
    images: Images
    splits: np.ndarray
    left_out: list[LeftOutFile] = dataclasses.field(default_factory=list)
    notices: list[Notice] = dataclasses.field(default_factory=list)
    leaks: list[Leak] = dataclasses.field(default_factory=list)
    without_images: list[str] = dataclasses.field(default_factory=list)
    unlisted: Unlisted = dataclasses.field(default_factory=Unlisted)

    def __len__(self) -> int:
        return len(self.images)

    @functools.cached_property
    def _folders(self) -> tuple[list[int], list[int]]:
        return self.splits.tolist(), self.images.label.tolist()

    def path_of(self, place: int) -> str:
        """Returns the path of an image in the built set: `<split>/<class>/<name>`.

        A name keeps the form it was published in. Only where two images of a class have
        the same (`1.png` of every patient), digits made from the source path and the
        patient come first. Within a class every name occurs once, whatever the split.
        """
        # Made when asked for: the list of all would be as large as that of the sources.
        splits, labels = self._folders
        source = self.images.sources[place]
        name = source.rpartition("/")[2]
        if self.images.common_name[place]:
            name = _prefixed(source, self.images.patients[int(self.images.patient[place])])
        return f"{SPLITS[splits[place]]}/{self.dataset.classes[labels[place]]}/{name}"

    def make_folders(self, folder: Path) -> None:
        """Makes the folder of every class in every split, also of those without images.

        Loaders number the classes by the folders they see.
        """
        for split in SPLITS:
            for label in self.dataset.classes:
                (folder / split / label).mkdir(parents=True, exist_ok=True)


def make_plan(images: Images, dataset: Dataset, settings: BuildSettings) -> Plan:
    """Divides the images as the settings say.

    Raises:
        SplitError: they cannot be divided so; the message says what to do.
        CancerNetError: a list of patients is missing or wrong.
    """
    plan = _divide(images, dataset, settings)
    notices = [*plan.notices, *_notice_few(plan)]
    if dataset.by_content:
        notices += grouping.notice_two_labels(plan.images, dataset)
    if dataset.grouping:
        notices.append(Notice(kind=NoticeKind.GROUPING, sentence=dataset.grouping))
    return dataclasses.replace(plan, notices=notices, leaks=_find_leaks(plan, settings))


def _divide(images: Images, dataset: Dataset, settings: BuildSettings) -> Plan:
    seed, ratios = settings.seed, settings.ratios
    notices = []
    if settings.split == "lists":
        return _divide_by_lists(images, dataset, settings)
    if settings.split == "image":
        splits = split_by_image(images, dataset, ratios, seed=seed)
    elif settings.split == "shipped":
        splits = split_as_shipped(images, dataset, settings.validation_split, seed=seed)
    else:
        splits = split_by_patient(images, dataset, ratios, seed=seed)
        counts = images.counts(len(dataset.classes))
        notices = notice_scarce(counts, images.label, splits, dataset)
    return Plan(dataset=dataset, images=images, splits=splits, notices=notices)


def _divide_by_lists(images: Images, dataset: Dataset, settings: BuildSettings) -> Plan:
    unlisted = None if settings.unlisted == LEAVE_OUT else settings.unlisted
    listed = split_by_lists(images, read_lists(settings.split_lists), unlisted)
    notices = check_lists(listed.images, listed.splits, dataset, one_sided=settings.allow_one_sided)
    return Plan(
        dataset=dataset,
        images=listed.images,
        splits=listed.splits,
        left_out=listed.left_out,
        notices=[*notice_respelled(listed.respelled), *notices],
        without_images=listed.without_images,
        unlisted=listed.unlisted,
    )


def _find_leaks(plan: Plan, settings: BuildSettings) -> list[Leak]:
    kind_of = {"image": LeakKind.BY_IMAGE, "shipped": LeakKind.AS_SHIPPED}
    found = []
    for leak in find_leaks(plan.images, plan.splits, plan.dataset.unit):
        if leak.kind is LeakKind.UNITS and settings.split in kind_of:
            leak = dataclasses.replace(leak, kind=kind_of[settings.split])
        if leak.kind is LeakKind.AS_SHIPPED:
            leak = _count_siblings(leak, plan)
        found.append(leak)
    if settings.include_masks:
        masks = sum(is_mask(PurePosixPath(path)) for path in plan.images.sources)
        found.append(Leak(kind=LeakKind.MASKS, unit="image", count=masks, total=len(plan)))
    return found


def _count_siblings(leak: Leak, plan: Plan) -> Leak:
    tested = plan.splits == SPLITS.index("testing")
    known = np.isin(plan.images.patient, np.unique(plan.images.patient[~tested]))
    return dataclasses.replace(leak, tested=int(tested.sum()), siblings=int((tested & known).sum()))


def _notice_few(plan: Plan) -> list[Notice]:
    notices = []
    for place, split in enumerate(SPLITS[1:], start=1):
        labels = plan.images.label[plan.splits == place]
        counts = np.bincount(labels, minlength=len(plan.dataset.classes)).tolist()
        few = [index for index, count in enumerate(counts) if 0 < count < FEW]
        if few:
            notices.append(
                Notice(
                    kind=NoticeKind.FEW_IMAGES,
                    split=split,
                    classes=tuple(map(plan.dataset.called, few)),
                    counts=tuple(counts[index] for index in few),
                )
            )
    return notices


def _prefixed(source: str, patient: str) -> str:
    digits = hashlib.sha256(source.encode()).hexdigest()[:8]
    # A group found by comparing is named by a path, and a table may say anything.
    patient = patient.replace("/", "_").replace("\\", "_")
    name = f"{digits}-{patient}-{source.rpartition('/')[2]}"
    if len(name.encode()) <= LONGEST:
        return name
    suffix = Path(source).suffix
    kept = name.encode()[: LONGEST - len(suffix.encode())].decode(errors="ignore")
    return kept + suffix
