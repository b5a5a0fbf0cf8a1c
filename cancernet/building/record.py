"""Writes what a build leaves beside the images: manifest, left-out list, `build.json`."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.files import sha256_of, write_json
from cancernet.building.check import Checked
from cancernet.building.existing import listing, same_patients, settings_as_built
from cancernet.building.find import Found
from cancernet.building.identify import Identified
from cancernet.building.plan import Plan
from cancernet.building.settings import BuildSettings
from cancernet.catalog import LeftOutFile
from cancernet.config import SPLITS
from cancernet.dataset.build_record import BUILD, BuildRecord, ImageSize, SplitCounts
from cancernet.dataset.manifest import COLUMNS, LEFT_OUT, MANIFEST, NO_POSITION
from cancernet.dataset.notices import say_leaks, say_notice, say_split

BLOCK = 4096  # rows
LEFT_OUT_COLUMNS = ("source", "reason", "detail")


def write_record(
    folder: Path,
    checked: Checked,
    found: Found,
    identified: Identified,
    settings: BuildSettings,
) -> tuple[BuildRecord, list[LeftOutFile]]:
    """Writes all that is beside the images.

    Returns:
        The content of `build.json`, and the files with a defect.
    """
    plan, done = checked.plan, checked.done
    dataset = plan.dataset
    counts = count_splits(plan)
    notices = [*identified.notices, *plan.notices]
    left_out = sorted([*found.left_out, *checked.left_out], key=lambda file: file.source)
    write_manifest(folder, plan, done.sha256)
    write_left_out(folder, left_out)
    failed = [file for file in left_out if file.failed]
    facts = BuildRecord(
        dataset=dataset.name,
        title=dataset.title,
        classes=dataset.classes,
        words=dataset.words,
        positive=dataset.positive,
        drawn=found.drawn,
        source=str(settings.source),
        listing=listing(found.images, checked.stamps),
        settings=settings_as_built(settings),
        split_kind=_say_split(plan, settings),
        unit=dataset.unit,
        absent=_absent(counts),
        leak=say_leaks(plan.leaks),
        leaks=tuple(plan.leaks),
        warnings=tuple(map(say_notice, notices)),
        notices=tuple(notices),
        same_patients=same_patients(identified),
        counts=counts,
        left_out=count_reasons(left_out),
        failed=len(failed),
        failed_reasons=tuple(sorted({file.reason.value for file in failed})),
        listed_without_images=tuple(plan.without_images),
        unlisted=plan.unlisted,
        image_size=most_common_size(done.width, done.height),
        fingerprint=sha256_of(folder / MANIFEST),
    )
    write_json(folder / BUILD, facts)
    return facts, failed


def _say_split(plan: Plan, settings: BuildSettings) -> str:
    return say_split(
        settings.split,
        plan.dataset.unit,
        lists=[path.name for path in settings.split_lists],
        ratios=settings.ratios,
        seed=settings.seed,
        leaks=bool(plan.leaks),
    )


def write_manifest(folder: Path, plan: Plan, sha256: np.ndarray) -> None:
    """Writes `manifest.csv`, sorted by path; `sha256` is uint8 (n, 32)."""
    rows = (
        row
        for group in _groups(plan)
        for row in _rows(sorted(group, key=plan.path_of), plan, sha256)
    )
    _write_csv(folder / MANIFEST, COLUMNS, rows, plan.images.sources)


def _groups(plan: Plan) -> Iterator[list[int]]:
    """Gives the images of each class folder, in the order of the folders' paths."""
    folders = {
        f"{split}/{label}/": (split_place, label_place)
        for split_place, split in enumerate(SPLITS)
        for label_place, label in enumerate(plan.dataset.classes)
    }
    for _, (split, label) in sorted(folders.items()):
        yield np.flatnonzero((plan.splits == split) & (plan.images.label == label)).tolist()


def _rows(order: list[int], plan: Plan, sha256: np.ndarray) -> Iterator[tuple[Any, ...]]:
    # In blocks: an array gives its values much faster as a list, but a list of them
    # all would take more memory than everything else.
    images = plan.images
    for begin in range(0, len(order), BLOCK):
        block = order[begin : begin + BLOCK]
        yield from zip(
            map(plan.path_of, block),
            [images.sources[i] for i in block],
            [images.patients[i] for i in images.patient[block].tolist()],
            [plan.dataset.classes[i] for i in images.label[block].tolist()],
            [SPLITS[i] for i in plan.splits[block].tolist()],
            [row.tobytes().hex() for row in sha256[block]],
            ["" if x == NO_POSITION else x for x in images.x[block].tolist()],
            ["" if y == NO_POSITION else y for y in images.y[block].tolist()],
            strict=True,
        )


def write_left_out(folder: Path, left_out: Sequence[LeftOutFile]) -> None:
    """Writes `left_out.csv`: every file that is not in the set, and why."""
    names = (name for file in left_out for name in (file.source, file.detail))
    _write_csv(folder / LEFT_OUT, LEFT_OUT_COLUMNS, map(as_row, left_out), names)


def as_row(file: LeftOutFile) -> tuple[str, str, str]:
    """Returns a file as its row in `left_out.csv` says it."""
    return _as_text(file.source), file.reason.value, _as_text(file.detail)


def read_failed(folder: Path, reasons: Sequence[str]) -> list[tuple[str, str, str]]:
    """Returns the rows of `left_out.csv` that have one of these reasons."""
    with open(folder / LEFT_OUT, encoding="utf-8", newline="") as file:
        return [
            (row["source"], row["reason"], row["detail"])
            for row in csv.DictReader(file)
            if row["reason"] in reasons
        ]


def count_splits(plan: Plan) -> dict[str, SplitCounts]:
    """Returns for each split its patients, images, positives and images of each class."""
    classes = plan.dataset.classes
    counts = {}
    for place, split in enumerate(SPLITS):
        inside = plan.splits == place
        per_class = np.bincount(plan.images.label[inside], minlength=len(classes)).tolist()
        by_name = dict(zip(classes, per_class, strict=True))
        counts[split] = SplitCounts(
            patients=len(np.unique(plan.images.patient[inside])),
            images=int(inside.sum()),
            positives=sum(by_name[name] for name in plan.dataset.positive),
            classes=by_name,
        )
    return counts


def _absent(counts: Mapping[str, SplitCounts]) -> dict[str, tuple[str, ...]]:
    """Returns split -> classes of which it has no image, for every split."""
    return {
        split: tuple(name for name, images in count.classes.items() if not images)
        for split, count in counts.items()
    }


def count_reasons(left_out: Iterable[LeftOutFile]) -> dict[str, int]:
    """Returns reason -> number of files, the most frequent first."""
    counter = Counter(file.reason.value for file in left_out)
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def most_common_size(width: np.ndarray, height: np.ndarray) -> ImageSize:
    """Returns the size in pixels that most images have, and how many those are."""
    sizes, images = np.unique(np.stack([width, height]), axis=1, return_counts=True)
    place = int(np.argmax(images))
    return ImageSize(
        width=int(sizes[0, place]), height=int(sizes[1, place]), images=int(images[place])
    )


def _write_csv(
    path: Path, columns: tuple[str, ...], rows: Iterable[Iterable[Any]], names: Iterable[str]
) -> None:
    # Before Python 3.13 the writer does not quote a carriage return, and no reader
    # would find the end of the row.
    odd = any("\r" in name for name in names)
    # Straight into the staging folder, which is renamed as a whole.
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(
            file, lineterminator="\n", quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL
        )
        writer.writerow(columns)
        writer.writerows(rows)


def _as_text(name: str) -> str:
    """Returns a name that is not valid text with its odd bytes written as `\\udcXX`."""
    return name.encode("utf-8", "backslashreplace").decode() if not name.isascii() else name
